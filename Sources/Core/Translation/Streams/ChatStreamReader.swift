// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads answers of `/v1/chat/completions` and `/v1/completions`, as OpenAI writes them and as the many others do.
struct ChatStreamReader: AnswerEventReader {
    private var calls: ToolCallPieces
    private var reason: FinishReason?
    private var hasSaidAnything = false
    /// What came while a call was being given out that is not whole: it is told after the calls.
    private var late: [Late] = []
    private var lateSize = 0
    private(set) var hasEnded = false
    private(set) var failure: AnswerError?
    private(set) var thinkingWord: ThinkingWord?

    private enum Late: Sendable {
        case text([UInt8])
        case thinking([UInt8], ThinkingWord)
    }

    var keptSize: Int { calls.keptSize + lateSize }

    /// - Parameter id: unique to the request, for the ids of calls that come without one.
    init(id: String) { calls = ToolCallPieces(idPrefix: "call_\(id)") }

    // MARK: Streams

    mutating func read(_ item: UnsafeRawBufferPointer, isError: Bool, into sink: inout some AnswerSink) {
        guard !item.isEmpty, !hasEnded else { return }
        // Nearly every item is a piece of text and nothing else.
        if !isError {
            switch ChatDelta.glance(item) {
            case .text(let range): return say(EscapedText(.inPlace(UnsafeRawBufferPointer(rebasing: item[range]))), into: &sink)
            case .thinking(let range, let word):
                return think(EscapedText(.inPlace(UnsafeRawBufferPointer(rebasing: item[range]))), word, into: &sink)
            case .nothing: return
            case .more: break
            }
        }
        if item.equals("[DONE]") { return done(into: &sink) }
        guard let json = try? JSONValue(parsing: item) else {
            let text = isError ? String(decoding: item.prefix(500), as: UTF8.self) : "the endpoint sent an event that is no JSON"
            return fail(AnswerError(message: text, status: isError ? 500 : 502), into: &sink)
        }
        if isError || json["error"].given != nil || json["choices"] == nil {
            if let error = AnswerError(json) { return fail(error, into: &sink) }
            if isError { return fail(AnswerError(message: AnswerError.message(json) ?? "the endpoint failed"), into: &sink) }
        }
        readUsage(json, into: &sink)
        // Several choices would be several answers, which nobody has asked for.
        guard let choice = json["choices"]?.array?.first, !fails(choice, into: &sink) else { return }
        read(choice["delta"].given ?? choice["message"].given ?? choice, of: choice, isWhole: false, into: &sink)
    }

    /// The stream says that it is complete.
    private mutating func done(into sink: inout some AnswerSink) {
        guard reason != nil || hasSaidAnything || !calls.isEmpty else {
            return fail(AnswerError(message: "the endpoint's stream ended with nothing in it", status: 502), into: &sink)
        }
        finish(into: &sink)
    }

    mutating func end(into sink: inout some AnswerSink) {
        if hasEnded { return }
        // Some servers end without `[DONE]`.
        if reason != nil { return finish(into: &sink) }
        fail(AnswerError(message: "the endpoint's stream ended without a finish reason", status: 502), into: &sink)
    }

    private mutating func finish(into sink: inout some AnswerSink) {
        hasEnded = true
        let areWhole = calls.areWhole
        let count = calls.finish(into: &sink)
        for piece in late {
            switch piece {
            case .text(let text): sink.take(.text(EscapedText(.gathered(text))))
            case .thinking(let text, let word): sink.take(.thinking(EscapedText(.gathered(text)), word))
            }
        }
        late = []
        var reason = reason ?? .stop
        // Whatever the reason says: a model that has called tools waits for their results.
        if count > 0, areWhole || reason == .stop { reason = .calls }
        if count == 0, reason == .calls { reason = .stop }
        sink.take(.finish(reason))
    }

    mutating func fail(_ error: AnswerError, into sink: inout some AnswerSink) {
        guard !hasEnded else { return }
        hasEnded = true
        failure = error
        sink.take(.failed(error))
    }

    // MARK: Whole answers

    mutating func read(whole body: JSONValue, into sink: inout some AnswerSink) {
        guard !hasEnded else { return }
        if body["choices"].given?.array?.isEmpty ?? true, let error = AnswerError(body) { return fail(error, into: &sink) }
        guard let choice = body["choices"]?.array?.first else {
            return fail(AnswerError(message: "the endpoint's answer has no choices", status: 502), into: &sink)
        }
        if let error = body["error"].given, error != [:], let error = AnswerError(body) { return fail(error, into: &sink) }
        guard !fails(choice, into: &sink) else { return }
        read(choice["message"].given ?? choice["delta"].given ?? choice, of: choice, isWhole: true, into: &sink)
        readUsage(body, into: &sink)
        if !hasEnded { finish(into: &sink) }
    }

    // MARK: Parts

    private mutating func read(_ message: JSONValue, of choice: JSONValue, isWhole: Bool, into sink: inout some AnswerSink) {
        if let thinking = ChatAnswerWords.thinking(message) { think(EscapedText(escaping: thinking.text), thinking.word, into: &sink) }
        if let tokens = choice["logprobs"].given?["content"].given?.array, !tokens.isEmpty { sink.take(.logprobs(tokens)) }
        for part in ChatAnswerWords.content(message["content"].given ?? choice["text"].given) {
            switch part {
            case .text(let text): say(EscapedText(escaping: text), into: &sink)
            case .thinking(let text): think(EscapedText(escaping: text), .reasoningContent, into: &sink)
            }
        }
        if let refusal = message["refusal"].given?.string, !refusal.isEmpty {
            hasSaidAnything = true
            sink.take(.refusal(EscapedText(escaping: refusal)))
            if reason == nil, isWhole { reason = .refusal }
        }
        let list = message["tool_calls"].given?.array ?? []
        if isWhole { for call in list where call.object != nil { calls.addWhole(call) } } else { calls.add(list, into: &sink) }
        // Its older form: one call, without an id.
        if let call = message["function_call"].given, call.object != nil { isWhole ? calls.addWhole(call) : calls.add(call, into: &sink) }
        if let text = choice["finish_reason"].given?.string, let reason = ChatAnswerWords.reason(text) { self.reason = reason }
    }

    private mutating func say(_ text: EscapedText, into sink: inout some AnswerSink) {
        hasSaidAnything = true
        if calls.isEmpty || calls.makesWay(into: &sink) { return sink.take(.text(text)) }
        lateSize += text.bytes.count
        late.append(.text(text.bytes.copy))
    }

    private mutating func think(_ text: EscapedText, _ word: ThinkingWord, into sink: inout some AnswerSink) {
        hasSaidAnything = true
        thinkingWord = word
        if calls.isEmpty || calls.makesWay(into: &sink) { return sink.take(.thinking(text, word)) }
        lateSize += text.bytes.count
        late.append(.thinking(text.bytes.copy, word))
    }

    /// An error that only the choice tells of.
    private mutating func fails(_ choice: JSONValue, into sink: inout some AnswerSink) -> Bool {
        let reason = choice["finish_reason"].given?.string ?? ""
        let told = choice["error"].given
        let error = told == [:] || told == false ? Optional.none : told
        guard error != nil || ChatAnswerWords.isError(reason) else { return false }
        let words = "the endpoint failed in the middle of its answer (finish_reason \(reason))"
        fail(error.flatMap { AnswerError(["error": $0]) } ?? AnswerError(message: words, status: 502), into: &sink)
        return true
    }

    private func readUsage(_ json: JSONValue, into sink: inout some AnswerSink) {
        let usage = ChatAnswerWords.usage(json)
        if usage != AnswerUsage() { sink.take(.usage(usage)) }
    }
}
