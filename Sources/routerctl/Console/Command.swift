// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// One thing that the operator can have the daemon do: one call.
public enum Command: Equatable, Sendable {
    case drain(String)
    case maintenance(String)
    case resume(String)
    case weight(String, WeightChoice)
    case cancel(String)
    /// `load`, `unload`, `pull`, `delete`, `copy` or `show`.
    case model(String, ModelActionParams)
    case invalidate(CacheInvalidateParams)
    case reload

    /// What the daemon is asked for, in as few words as a message has room for.
    var summary: String {
        words.joined(separator: " ")
    }

    /// The command of `routerctl` and its arguments.
    private var words: [String] {
        switch self {
        case .drain(let name): return ["drain", name]
        case .maintenance(let name): return ["maintenance", name]
        case .resume(let name): return ["resume", name]
        case .weight(let name, let weight): return ["weight", name, weight.words]
        case .cancel(let id): return ["cancel", id]
        case .model(let action, let params):
            return [action, params.model] + [params.destination].compactMap { $0 } + (params.endpoint.map { ["--endpoint", $0] } ?? [])
        case .invalidate(let params):
            var words = ["cache", "invalidate"]
            if let model = params.model { words += ["--model", model] }
            if let namespace = params.namespace { words += ["--namespace", namespace] }
            return words.count == 2 ? words + ["--all"] : words
        case .reload: return ["reload"]
        }
    }

    /// The command line that does the same. What one command can do for several names is one command.
    public static func line(_ commands: [Command]) -> String {
        var lines: [[String]] = []
        for command in commands {
            let words = command.words
            switch command {
            case .drain, .maintenance, .resume, .cancel:
                if let last = lines.last, last.first == words.first {
                    lines[lines.count - 1].append(contentsOf: words.dropFirst())
                    continue
                }
            default: break
            }
            lines.append(words)
        }
        return lines.map { (["routerctl"] + $0.map(quoted)).joined(separator: " ") }.joined(separator: "; ")
    }

    /// As a shell wants it. Names come from model servers, and the line is there to be copied.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "-_.:/@%+,=".utf8.contains(byte)
            }
        }
        return isPlain && !word.isEmpty ? word : "'\(word.replacing("'", with: "'\\''"))'"
    }
}

extension WeightChoice {
    /// As the command takes it.
    var words: String {
        switch self {
        case .number(let number): Quantity.plain(number)
        case .configured: "default"
        }
    }
}

/// What the daemon said to a command.
public enum Answer: Equatable, Sendable {
    case endpoint(EndpointInfo)
    case cancelled(RequestInfo)
    case model(ModelActionInfo)
    case invalidated(CacheInvalidated)
    case reload(ReloadInfo)
}

/// Why the daemon did not do it, in words.
public struct AnswerFailure: Error, Equatable, Sendable {
    public var message: String

    public init(_ message: String) { self.message = message }
}

/// A command and what came of it.
public struct CommandAnswer: Sendable {
    public var command: Command
    public var result: Result<Answer, AnswerFailure>

    public init(_ command: Command, _ result: Result<Answer, AnswerFailure>) {
        self.command = command
        self.result = result
    }
}
