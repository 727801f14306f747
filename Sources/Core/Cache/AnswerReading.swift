// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Why an answer is not kept.
enum NotKept: String, Error, Sendable, CaseIterable {
    /// An error, or no answer of the route's kind.
    case notAnAnswer = "not_an_answer"
    /// The stream ended before it said so.
    case cut
    /// It stopped at a limit of length, or was filtered.
    case unfinished
    /// It calls tools: for the moment, not for the next one.
    case toolCalls = "tool_calls"
    /// An answer that only loaded the model.
    case load
    case tooLarge = "too_large"
    /// It was asked of another model, or with other content, than the request said.
    case altered
    /// It carries personal data, under a system prompt that is not one user's own.
    case personal
}

/// From the bytes of an answer, streamed or whole, to the one JSON object that a client would get who does not stream. Pure.
enum AnswerReading {
    /// - Parameters:
    ///   - framing: how the answer was divided; nil for one JSON text.
    ///   - bytes: all of it, as the client gets it.
    static func read(_ route: CachedRoute, framing: StreamFraming?, _ bytes: some Sequence<UInt8>) throws(NotKept) -> JSONValue {
        let whole: JSONValue
        switch framing {
        case nil: whole = try parse(Array(bytes))
        case .newlineJSON: whole = try joinLines(route, Array(bytes))
        case .serverSentEvents: whole = try joinEvents(route, Array(bytes))
        }
        try check(route, whole)
        return whole
    }

    private static func parse(_ bytes: some Sequence<UInt8>) throws(NotKept) -> JSONValue {
        do { return try JSONValue(parsing: bytes) } catch { throw .notAnAnswer }
    }

    // MARK: What is kept

    /// Only answers that are complete and that mean the same to the next one who asks.
    private static func check(_ route: CachedRoute, _ answer: JSONValue) throws(NotKept) {
        guard answer["error"].given == nil else { throw .notAnAnswer }
        if route.isOllama {
            guard answer["done"]?.bool == true else { throw .cut }
            let message = route == .ollamaChat ? answer["message"] : answer
            guard message?[route == .ollamaChat ? "content" : "response"]?.string != nil else { throw .notAnAnswer }
            if !(message?["tool_calls"].given?.array ?? []).isEmpty { throw .toolCalls }
            return try check(reason: answer["done_reason"].given?.string ?? "stop")
        }
        guard let choices = answer["choices"]?.array, !choices.isEmpty else { throw .notAnAnswer }
        for choice in choices {
            if route == .chat {
                guard let message = choice["message"]?.object else { throw .notAnAnswer }
                if !(message["tool_calls"].given?.array ?? []).isEmpty || message["function_call"].given != nil { throw .toolCalls }
                guard message["content"]?.string != nil else { throw .notAnAnswer }
            } else if choice["text"]?.string == nil {
                throw .notAnAnswer
            }
            guard let reason = choice["finish_reason"].given?.string else { throw .cut }
            try check(reason: reason)
        }
    }

    private static func check(reason: String) throws(NotKept) {
        switch reason {
        case "stop": return
        case "load", "unload": throw .load
        case "tool_calls", "function_call": throw .toolCalls
        default: throw .unfinished
        }
    }

    // MARK: Ollama's lines

    private static func joinLines(_ route: CachedRoute, _ bytes: [UInt8]) throws(NotKept) -> JSONValue {
        var last: JSONValue?
        var joined = JSONObject()
        for line in lines(bytes) {
            let item = try parse(line)
            if item["error"].given != nil { throw .notAnAnswer }
            guard let part = (route == .ollamaChat ? item["message"] : item)?.object else { throw .notAnAnswer }
            append(part, ["content", "thinking", "response"], to: &joined)
            if !(part["tool_calls"].given?.array ?? []).isEmpty { throw .toolCalls }
            last = item
            if item["done"]?.bool == true { break }
        }
        guard var whole = last, whole["done"]?.bool == true else { throw .cut }
        if route == .ollamaChat {
            var message = whole["message"]?.object ?? JSONObject()
            for member in joined.members { message[member.key] = member.value }
            whole["message"] = .object(message)
        } else {
            for member in joined.members { whole[member.key] = member.value }
        }
        return whole
    }

    /// Empty lines are none.
    private static func lines(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.withUnsafeBytes { bytes in
            var reader = LineReader(limit: bytes.count)
            var rest = bytes
            var found: [[UInt8]] = []
            func add(_ line: LineReader.Line) {
                if case .whole(let line) = line, line.count > 0 { found.append(line.copy) }
            }
            while let line = reader.next(&rest) { add(line) }
            if let line = reader.unfinished { add(line) }
            return found
        }
    }

    /// Adds the texts of `part` to those gathered so far.
    private static func append(_ part: JSONObject, _ names: [String], to joined: inout JSONObject) {
        for name in names {
            guard let text = part[name]?.string else { continue }
            joined[name] = .string((joined[name]?.string ?? "") + text)
        }
    }

    // MARK: OpenAI's events

    private static func joinEvents(_ route: CachedRoute, _ bytes: [UInt8]) throws(NotKept) -> JSONValue {
        var whole = JSONObject()
        var choices: [Int: JSONObject] = [:]
        var isDone = false
        for data in events(bytes) {
            if data.starts(with: "[DONE]".utf8) {
                isDone = true
                break
            }
            guard let item = try parse(data).object, item["error"].given == nil else { throw .notAnAnswer }
            for member in item.members where member.key != "choices" && !member.value.isNull { whole[member.key] = member.value }
            for choice in item["choices"]?.array ?? [] {
                guard let choice = choice.object, let index = choice["index"]?.integer ?? Optional(0) else { throw .notAnAnswer }
                try add(choice, to: &choices[index, default: JSONObject()], route)
            }
        }
        guard isDone, !choices.isEmpty else { throw .cut }
        whole["object"] = .string(route == .chat ? "chat.completion" : "text_completion")
        whole["choices"] = .array(
            choices.sorted { $0.key < $1.key }.map { index, gathered in
                var choice: JSONValue = ["index": .integer(index)]
                for member in gathered.members { choice[member.key] = member.value }
                return choice
            })
        return .object(whole)
    }

    /// The data of each event that has some.
    private static func events(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.withUnsafeBytes { bytes in
            var reader = EventReader(limit: bytes.count)
            var rest = bytes
            var found: [[UInt8]] = []
            func add(_ item: EventReader.Item) {
                if case .event(let event) = item, event.data.count > 0 { found.append(event.data.copy) }
            }
            while let item = reader.next(&rest) { add(item) }
            if let item = reader.unfinished { add(item) }
            return found
        }
    }

    private static var emptyMessage: JSONObject {
        var message = JSONObject()
        message["role"] = "assistant"
        message["content"] = ""
        return message
    }

    private static func add(_ choice: JSONObject, to gathered: inout JSONObject, _ route: CachedRoute) throws(NotKept) {
        for member in choice.members where member.key != "index" && !member.value.isNull {
            switch member.key {
            case "delta":
                var message = gathered["message"]?.object ?? Self.emptyMessage
                for part in member.value.object?.members ?? [] where !part.value.isNull {
                    if part.key == "tool_calls" || part.key == "function_call" {
                        throw .toolCalls
                    } else if part.key != "role", let text = part.value.string {
                        message[part.key] = .string((message[part.key]?.string ?? "") + text)
                    } else {
                        message[part.key] = part.value
                    }
                }
                gathered["message"] = .object(message)
            case "text": gathered["text"] = .string((gathered["text"]?.string ?? "") + (member.value.string ?? ""))
            default: gathered[member.key] = member.value
            }
        }
    }
}
