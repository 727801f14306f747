// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import ArgumentParser

/// What a mistyped command was meant to be.
enum Suggestion {
    /// The failure for a command line whose command, or its subcommand, does not exist; nil if that is not what is wrong with it.
    static func failure(for arguments: [String]) -> Failure? {
        var words = commands(in: arguments)[...]
        var level: any ParsableCommand.Type = Routerctl.self
        var path = "routerctl"
        while !level.configuration.subcommands.isEmpty, let word = words.popFirst() {
            let below = level.configuration.subcommands
            if word == "help" { return nil }
            if let next = below.first(where: { $0.configuration.commandName == word || $0.configuration.aliases.contains(word) }) {
                level = next
                path += " \(word)"
                continue
            }
            let names = below.filter { $0.configuration.shouldDisplay }.compactMap { $0.configuration.commandName }
            let near = nearest(to: word, among: names).map { "; did you mean '\($0)'?" } ?? ""
            return Failure(
                status: .usage, code: "usage", message: "there is no command '\(word)'\(near)",
                advice: ["Commands: \(names.joined(separator: ", ")). See \(path) --help"])
        }
        return nil
    }

    /// The words that are neither options nor the value of an option that every command has.
    static func commands(in arguments: [String]) -> [String] {
        var rest = arguments.prefix { $0 != "--" }
        var words: [String] = []
        while let word = rest.popFirst() {
            if word == "--socket" {
                rest = rest.dropFirst()
            } else if !word.hasPrefix("-") {
                words.append(word)
            }
        }
        return words
    }

    /// The name that differs least, if it differs by little.
    static func nearest(to word: String, among names: [String]) -> String? {
        let ranked = names.map { (name: $0, distance: distance(word.lowercased(), $0)) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, best.name.count / 3) ? best.name : nil
    }

    /// How many letters have to be inserted, deleted, replaced or swapped with their neighbour.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
                var best = min(previous[column + 1] + 1, current[column] + 1, replaced)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
