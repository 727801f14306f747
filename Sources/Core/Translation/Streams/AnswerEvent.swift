// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What an answer says, piece by piece, whatever dialect it comes in: what stream readers make, and stream writers take.
///
/// Readers own all tolerance for what servers really send, so that what they give is in order: calls come one after the other, each with
/// an id and a name, and a failure is the last event.
enum AnswerEvent {
    case text(EscapedText)
    case thinking(EscapedText, ThinkingWord)
    /// The model will not answer, and says why.
    case refusal(EscapedText)
    case callBegins(id: String, name: String)
    case arguments(EscapedText)
    case callEnds
    /// Of the text that comes next.
    case logprobs([JSONValue])
    case usage(AnswerUsage)
    case finish(FinishReason)
    case failed(AnswerError)
}

/// Whoever takes events.
protocol AnswerSink {
    mutating func take(_ event: AnswerEvent)
}

/// A piece of text as it stands within a JSON string, escapes and all: what goes from one JSON string into another is not decoded.
///
/// It must not outlive the buffer that the reader was given.
struct EscapedText {
    var bytes: ReadBytes

    init(_ bytes: ReadBytes) { self.bytes = bytes }

    init(escaping text: String) {
        var writer = JSONWriter(capacity: text.utf8.count + 2)
        writer.text(text)
        bytes = .gathered(Array(writer.bytes.dropFirst().dropLast()))
    }

    var isEmpty: Bool { bytes.count == 0 }

    /// Decoded.
    var text: String { Self.decoded(bytes.copy) }

    static func decoded(_ escaped: [UInt8]) -> String {
        let quote = UInt8(ascii: "\"")
        return (try? JSONValue(parsing: [quote] + escaped + [quote]))?.string ?? ""
    }
}

enum FinishReason: Sendable, Equatable {
    case stop, length, calls
    /// The model, or whoever watches over it, will not say it.
    case refusal
}

/// What an answer has cost. Nil is what nobody told.
struct AnswerUsage: Sendable, Equatable {
    var prompt: Int?
    var completion: Int?
    /// Of the prompt, what was not computed anew.
    var cached: Int?
    /// Of the completion, what was thought.
    var reasoning: Int?
    var promptNanoseconds: Int?
    var completionNanoseconds: Int?

    /// Later figures replace earlier ones.
    mutating func add(_ more: AnswerUsage) {
        prompt = more.prompt ?? prompt
        completion = more.completion ?? completion
        cached = more.cached ?? cached
        reasoning = more.reasoning ?? reasoning
        promptNanoseconds = more.promptNanoseconds ?? promptNanoseconds
        completionNanoseconds = more.completionNanoseconds ?? completionNanoseconds
    }

    func adding(_ more: AnswerUsage) -> AnswerUsage {
        var sum = self
        sum.add(more)
        return sum
    }

    /// With what other requests have cost that were made for this answer. Not checked: a sum of nonsense may be nonsense, and must not end
    /// the daemon.
    func including(_ spent: TokenSum) -> AnswerUsage {
        var sum = self
        sum.prompt = prompt.map { $0 &+ spent.input }
        sum.completion = completion.map { $0 &+ spent.output }
        return sum
    }
}

/// Why an endpoint could not answer, in its own words.
struct AnswerError: Error, Sendable, Equatable {
    var message: String
    var status = 500

    /// `{"error": {"message": "..."}}`, `{"error": "..."}`, `{"message": "..."}`, `{"detail": "..."}` and what else servers write.
    static func message(_ json: JSONValue) -> String? {
        let error = json["error"].given
        return words(error?["message"]) ?? words(error) ?? words(json["message"]) ?? words(json["detail"]) ?? words(json["error_description"])
    }

    /// A text; of an object or list, the text within it, else all of it.
    private static func words(_ value: JSONValue?, depth: Int = 0) -> String? {
        switch value.given {
        case .string(let text)?: return text.isEmpty ? nil : text
        case .object(let object)?:
            guard depth < 4 else { return nil }
            for key in ["message", "msg", "detail", "error"] { if let text = words(object[key], depth: depth + 1) { return text } }
            return object.isEmpty ? nil : JSONValue.object(object).text
        case .array(let list)?:
            guard depth < 4 else { return nil }
            let texts = list.prefix(8).compactMap { words($0, depth: depth + 1) }
            return texts.isEmpty ? nil : texts.joined(separator: "; ")
        default: return nil
        }
    }

    /// An error within an answer whose status was good.
    init(message: String, status: Int = 500) {
        self.message = message
        self.status = status
    }

    /// - Parameter json: of an event or body that is an error; nil if it is none.
    init?(_ json: JSONValue) {
        let error = json["error"].given
        let isError = error != nil || json["object"] == "error" || json["type"] == "error" || json["error_code"].given?.integer != nil
        guard isError, error != false, error != [:] else { return nil }
        message = Self.message(json) ?? json["text"].given?.string ?? "the endpoint failed"
        let code = [error?["code"], error?["status"], json["code"], json["status"]].compactMap { $0.given?.integer }.first {
            (400..<600).contains($0)
        }
        let type = error?["type"].given?.string ?? ""
        status = code ?? (type == "overloaded_error" ? 503 : type == "invalid_request_error" ? 400 : type.hasPrefix("rate_limit") ? 429 : 500)
    }

    /// The body of a refusal, as a message; nil where there are no words in it.
    static func message(ofBody body: [UInt8]) -> String? {
        guard let json = try? JSONValue(parsing: body) else {
            let text = String(decoding: body.prefix(500), as: UTF8.self)
            return text.isEmpty || text.hasPrefix("<") ? nil : text
        }
        return message(json)
    }
}
