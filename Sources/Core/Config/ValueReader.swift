// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// Reads values of a configuration and collects what is wrong with them, so that all faults are told at once.
///
/// Each reader returns nil after it has noted a fault; a nil that stands in the file (`key:` or `key: null`) is one too,
/// but for `isNull`, which the keys ask that may be empty.
struct ValueReader {
    /// Shown in errors: the file's path.
    let file: String
    let environment: [String: String]
    /// The variable that the value at hand comes from; nil for the file.
    var variable: String?
    private(set) var errors: [ConfigError] = []
    private(set) var notices: [String] = []

    init(file: String, environment: [String: String]) {
        self.file = file
        self.environment = environment
    }

    // MARK: Faults

    func place(_ node: Node) -> ConfigError.Place {
        if let variable { return .variable(variable) }
        return .file(file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0)
    }

    mutating func fault(_ node: Node, _ message: String) {
        errors.append(ConfigError(place(node), message))
    }

    mutating func notice(_ node: Node, _ message: String) {
        notices.append(ConfigError(place(node), message).description)
    }

    // MARK: Values

    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The scalar's text, with `${NAME}` replaced.
    mutating func text(_ node: Node, _ expectation: String) -> String? {
        guard let scalar = node.scalar, !Self.isNull(node) else {
            fault(node, "\(expectation), not \(Self.kind(node))")
            return nil
        }
        do {
            return try VariableExpansion.expand(scalar.string, environment: environment)
        } catch {
            switch error {
            case .unset(let name): fault(node, "the environment variable \(name) is not set; set it, or write $${\(name)} for the text itself")
            case .unclosed: fault(node, "'${' without '}'; write $${ for the text itself")
            case .badName: fault(node, "expected the name of an environment variable between '${' and '}'")
            }
            return nil
        }
    }

    /// The members of a mapping by their keys, each of them known; nil where it is none.
    ///
    /// - Parameter of: what the mapping is, for the message: `an endpoint`.
    mutating func members(_ node: Node, known: [String], of what: String) -> [String: Node]? {
        guard let mapping = node.mapping else {
            fault(node, "expected a mapping with any of \(known.joined(separator: ", ")), not \(Self.kind(node))")
            return nil
        }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            let name = key.scalar?.string ?? ""
            if known.contains(name) {
                members[name] = value
            } else {
                fault(
                    key,
                    "unknown key \(Self.quoted(name)) of \(what)\(Spelling.hint(for: name, among: known)); known: \(known.joined(separator: ", "))")
            }
        }
        return members
    }

    mutating func integer(_ node: Node, _ range: ClosedRange<Int>) -> Int? {
        let expectation = "expected a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = text(node, expectation) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            fault(node, "\(expectation), not \(Self.quoted(text))")
            return nil
        }
        return value
    }

    mutating func number(_ node: Node, _ range: ClosedRange<Double>) -> Double? {
        let expectation = "expected a number from \(Self.short(range.lowerBound)) to \(Self.short(range.upperBound))"
        guard let text = text(node, expectation) else { return nil }
        guard let value = Double(text), range.contains(value) else {
            fault(node, "\(expectation), not \(Self.quoted(text))")
            return nil
        }
        return value
    }

    mutating func bool(_ node: Node) -> Bool? {
        let expectation = "expected true or false"
        guard let text = text(node, expectation) else { return nil }
        switch text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default:
            fault(node, "\(expectation), not \(Self.quoted(text))")
            return nil
        }
    }

    mutating func duration(_ node: Node, _ range: ClosedRange<TimeAmount>, zeroMeansNone: Bool) -> TimeAmount? {
        guard let text = text(node, DurationText.expectation) else { return nil }
        guard let value = DurationText.parse(text) else {
            fault(node, "\(DurationText.expectation), not \(Self.quoted(text))")
            return nil
        }
        guard range.contains(value) || (zeroMeansNone && value == .zero) else {
            let zero = zeroMeansNone ? ", or 0 for no limit" : ""
            fault(
                node,
                "expected a duration from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))\(zero), not \(Self.quoted(text))"
            )
            return nil
        }
        return value
    }

    mutating func size(_ node: Node, _ range: ClosedRange<Int>) -> Int? {
        guard let text = text(node, SizeText.expectation) else { return nil }
        guard let value = SizeText.parse(text) else {
            fault(node, "\(SizeText.expectation), not \(Self.quoted(text))")
            return nil
        }
        guard range.contains(value) else {
            fault(node, "expected a size from \(SizeText.format(range.lowerBound)) to \(SizeText.format(range.upperBound)), not \(Self.quoted(text))")
            return nil
        }
        return value
    }

    mutating func choice<Word: RawRepresentable<String> & CaseIterable>(_ node: Node) -> Word? {
        choice(node, Word.allCases.map(\.rawValue)).flatMap(Word.init(rawValue:))
    }

    mutating func choice(_ node: Node, _ names: [String]) -> String? {
        let expectation = "expected \(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")"
        guard let text = text(node, expectation) else { return nil }
        guard names.contains(text.lowercased()) else {
            fault(node, "\(expectation), not \(Self.quoted(text))\(Spelling.hint(for: text, among: names))")
            return nil
        }
        return text.lowercased()
    }

    /// A text that is no message's business: what is wrong with it is told without it.
    mutating func secret(_ node: Node) -> Secret? {
        guard let text = text(node, "expected a key") else { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            fault(node, "expected a key of printable ASCII characters without spaces (it is not shown here)")
            return nil
        }
        return Secret(text)
    }

    // MARK: Words

    /// What a node is, for "expected x, not y".
    static func kind(_ node: Node) -> String {
        switch node {
        case .scalar: isNull(node) ? "nothing" : "a value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// What was written, cut and free of control characters.
    static func quoted(_ text: String) -> String {
        let safe = text.unicodeScalars.prefix(40).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }.joined()
        return "'\(safe)\(text.unicodeScalars.count > 40 ? "..." : "")'"
    }

    private static func short(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }
}
