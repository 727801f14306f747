// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// What man/routerd-control.7 shows: its examples, and the names that it explains.
struct ControlManual {
    struct Example {
        var command: String
        /// What the page says comes back, an object each.
        var replies: [JSON]
    }

    /// Kept apart by kind, as `JSONSerialization` does not tell 1 from true.
    indirect enum JSON: Decodable, Equatable, Sendable {
        case null, bool(Bool), number(Double), text(String), list([JSON]), object([String: JSON])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([JSON].self) {
                self = .list(value)
            } else {
                self = .object(try container.decode([String: JSON].self))
            }
        }

        init(_ text: some StringProtocol) throws {
            do {
                self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
            } catch {
                throw TestFailure("no JSON: \(text)")
            }
        }

        subscript(key: String) -> JSON? {
            if case .object(let members) = self { members[key] } else { nil }
        }
    }

    /// `[...]` and `{...}` of the page: any list, any object.
    static let anyList = JSON.list([.text("...")])
    static let anyObject = JSON.object(["...": .null])

    /// A parameter, as the page explains it.
    struct Parameter: Sendable {
        var name: String
        /// `text`, `number`, `yes/no`, `[text]`.
        var kind: String
        var isOptional: Bool
    }

    var examples: [Example] = []
    /// Of each method that takes some, under all the names of its section.
    var parameters: [String: [Parameter]] = [:]
    /// First words of the lines that explain fields and parameters.
    var explained: Set<String> = []

    init(_ page: String) throws {
        var block: [Substring] = []
        var isInside = false
        var methods: [String] = []
        var before: Substring = ""
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(".Ss ") {
                methods = line.dropFirst(4).split(separator: " (")[0].split(separator: " , ").map(String.init)
            }
            if line.hasPrefix(".Bd -literal") {
                (isInside, block) = (true, [])
            } else if line == ".Ed" {
                isInside = false
                try take(block)
                if before == "Parameters:" { for method in methods { parameters[method] = block.compactMap(Self.parameter) } }
                before = ""
            } else if isInside {
                block.append(line)
            } else {
                before = line
            }
        }
    }

    /// From a line such as `endpoint             text?       where`.
    private static func parameter(_ line: Substring) -> Parameter? {
        let words = line.split(separator: " ")
        guard words.count > 1 else { return nil }
        let isOptional = words[1].hasSuffix("?")
        return Parameter(name: String(words[0]), kind: String(isOptional ? words[1].dropLast() : words[1]), isOptional: isOptional)
    }

    private mutating func take(_ block: [Substring]) throws {
        guard block.first?.hasPrefix("$ ") ?? false else {
            for line in block { if let word = line.split(separator: " ").first { explained.insert(String(word)) } }
            return
        }
        var command = ""
        var replies: [String] = []
        func finish(_ examples: inout [Example]) throws {
            guard !command.isEmpty else { return }
            let texts = replies.map { text in
                text.replacing("[...]", with: #"["..."]"#).replacing("{...}", with: #"{"...":null}"#)
            }
            examples.append(Example(command: command, replies: try texts.map { try JSON($0) }))
        }
        for line in block {
            if line.hasPrefix("$ ") {
                try finish(&examples)
                (command, replies) = (String(line.dropFirst(2)), [])
            } else if line.hasPrefix("{") {
                replies.append(String(line))
            } else if replies.isEmpty {
                command += "\n" + line
            } else {
                // Within a text the page breaks lines where a space stands.
                replies[replies.count - 1] += line
            }
        }
        try finish(&examples)
    }

    // MARK: Shapes

    /// Fields that may be absent.
    private static let optional: Set<String> = [
        "size_vram_bytes", "expires_at", "context_length", "tokens_per_second", "ttft_p50_ms", "ttft_p95_ms", "polled_ago_ms", "vram_bytes", "rate",
        "oldest_s", "parameter_size", "retry_at",
        "head_p50_ms", "head_p95_ms", "answer_p50_ms", "answer_p95_ms", "embeddings_p50_ms", "embeddings_p95_ms", "quantization", "size_bytes",
        "storage",
    ]
    /// Objects whose keys are names of things.
    private static let maps: Set<String> = ["in_flight_by_model", "guarded", "bypasses", "not_kept", "facts", "endpoints"]

    /// Where what came differs from what the page shows: fields, kinds; of errors the code too.
    static func differences(_ shown: JSON, _ came: JSON, _ path: String = "", name: String = "") -> [String] {
        switch (shown, came) {
        case (anyList, .list), (anyObject, .object), (.null, _), (_, .null): return []
        case (.bool, .bool), (.text, .text): return []
        case (.number(let shown), .number(let came)): return path.hasSuffix("error.code") && shown != came ? ["\(path): \(came), not \(shown)"] : []
        case (.list(let shown), .list(let came)):
            guard let row = shown.first else { return [] }
            return came.flatMap { differences(row, $0, path + "[]") }
        case (.object(let shown), .object(let came)):
            if maps.contains(name) {
                guard let value = shown.values.first else { return [] }
                return came.flatMap { differences(value, $0.value, path + ".*") }
            }
            let missing = Set(shown.keys).subtracting(came.keys).subtracting(optional)
            // What a delta has depends on what has changed.
            let unshown = shown["after"] == nil ? Set(came.keys).subtracting(shown.keys).subtracting(optional) : []
            return missing.sorted().map { "\(path).\($0) did not come" } + unshown.sorted().map { "\(path).\($0) is not shown" }
                + shown.flatMap { key, value in came[key].map { differences(value, $0, "\(path).\(key)", name: key) } ?? [] }
        default: return ["\(path) is of another kind: \(came)"]
        }
    }

    /// All keys of what came, but names of things.
    static func fields(_ value: JSON, name: String = "") -> Set<String> {
        switch value {
        case .list(let rows): return rows.reduce(into: []) { $0.formUnion(fields($1)) }
        case .object(let members):
            let isMap = maps.contains(name)
            return members.reduce(into: isMap ? [] : Set(members.keys)) { $0.formUnion(fields($1.value, name: isMap ? "" : $1.key)) }
        default: return []
        }
    }
}
