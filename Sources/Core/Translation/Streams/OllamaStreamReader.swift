// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads answers of Ollama's `/api/chat` and `/api/generate`.
struct OllamaStreamReader: AnswerEventReader {
    private var calls: ToolCallPieces
    private(set) var hasEnded = false
    private(set) var failure: AnswerError?
    private(set) var thinkingWord: ThinkingWord?

    init(id: String) { calls = ToolCallPieces(idPrefix: "call_\(id)") }

    mutating func read(_ item: UnsafeRawBufferPointer, isError: Bool, into sink: inout some AnswerSink) {
        guard !item.isEmpty, !hasEnded else { return }
        if let range = OllamaLine.text(item) {
            return sink.take(.text(EscapedText(.inPlace(UnsafeRawBufferPointer(rebasing: item[range])))))
        }
        guard let json = try? JSONValue(parsing: item) else {
            return fail(AnswerError(message: "the endpoint sent a line that is no JSON", status: 502), into: &sink)
        }
        read(json, into: &sink)
    }

    mutating func read(whole body: JSONValue, into sink: inout some AnswerSink) {
        read(body, into: &sink)
        end(into: &sink)
    }

    private mutating func read(_ line: JSONValue, into sink: inout some AnswerSink) {
        guard !hasEnded else { return }
        if let error = AnswerError(line) { return fail(error, into: &sink) }
        let message = line["message"].given ?? line
        if let thinking = message["thinking"].given?.string, !thinking.isEmpty {
            thinkingWord = .thinking
            sink.take(.thinking(EscapedText(escaping: thinking), .thinking))
        }
        if let tokens = line["logprobs"].given?.array, !tokens.isEmpty { sink.take(.logprobs(tokens)) }
        if let text = (line["message"].given?["content"] ?? line["response"]).given?.string, !text.isEmpty {
            sink.take(.text(EscapedText(escaping: text)))
        }
        // Each comes whole.
        for call in message["tool_calls"].given?.array ?? [] where call.object != nil { calls.addWhole(call) }
        guard line["done"].given?.bool == true else { return }
        let usage = AnswerUsage(
            prompt: line["prompt_eval_count"]?.integer, completion: line["eval_count"]?.integer,
            promptNanoseconds: line["prompt_eval_duration"]?.integer, completionNanoseconds: line["eval_duration"]?.integer)
        if usage != AnswerUsage() { sink.take(.usage(usage)) }
        hasEnded = true
        let areWhole = calls.areWhole
        let isCut = line["done_reason"].given?.string == "length"
        let count = calls.finish(into: &sink)
        sink.take(.finish(count > 0 && (areWhole || !isCut) ? .calls : isCut ? .length : .stop))
    }

    mutating func end(into sink: inout some AnswerSink) {
        fail(AnswerError(message: "the endpoint's stream ended before it was done", status: 502), into: &sink)
    }

    mutating func fail(_ error: AnswerError, into sink: inout some AnswerSink) {
        guard !hasEnded else { return }
        hasEnded = true
        failure = error
        sink.take(.failed(error))
    }
}

/// A look at one line of Ollama's stream, without a tree.
enum OllamaLine {
    /// Where the text of a line stands that has a text and nothing else; nil for any other line.
    static func text(_ line: UnsafeRawBufferPointer) -> Range<Int>? {
        guard line.first == UInt8(ascii: "{") else { return nil }
        var found: Range<Int>?
        var isMore = false
        do throws(JSONError) {
            var cursor = JSONCursor(line, rules: JSONCursor.Rules(maxDepth: JSONValue.maxDepth))
            try cursor.takeObject { key, cursor throws(JSONError) in
                if cursor.isKey(key, "message") {
                    try cursor.takeObject { key, cursor throws(JSONError) in
                        let value = try cursor.next()
                        if cursor.isKey(key, "content"), value.kind == .string {
                            found = value.range
                        } else if !cursor.isKey(key, "role"), value.kind != .null {
                            isMore = true
                        }
                    }
                    return
                }
                let value = try cursor.next()
                if cursor.isKey(key, "response"), value.kind == .string {
                    found = value.range
                } else if cursor.isKey(key, "done") {
                    if cursor.bool(value) != false { isMore = true }
                } else if value.kind != .null {
                    for name in ["error", "logprobs", "thinking", "tool_calls"] as [StaticString] where cursor.isKey(key, name) { isMore = true }
                }
            }
        } catch {
            return nil
        }
        guard !isMore, let found, found.count > 2 else { return nil }
        return found.lowerBound + 1..<found.upperBound - 1
    }
}
