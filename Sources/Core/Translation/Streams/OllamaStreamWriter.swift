// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Writes answers as `/api/chat` and `/api/generate` give them.
///
/// Counts and durations are what the endpoint told or what was measured here; what is not known is left out.
struct OllamaStreamWriter: AnswerEventWriter {
    enum Route: Sendable {
        case chat, generate
    }

    static let framing = StreamFraming.newlineJSON
    static let tellsTime = true

    var out = JSONWriter()
    var time = AnswerTime.unknown
    private let route: Route
    /// The client wants no thinking, and the endpoint thinks all the same.
    private let hidesThinking: Bool
    private let spent: TokenSum
    /// What each line begins with, up to the time.
    private let begin: [UInt8]
    private var logprobs: [JSONValue] = []
    private var calls: [(id: String, name: String, arguments: [UInt8])] = []
    /// Calls that have been written.
    private var writtenCalls = 0
    private(set) var keptSize = 0
    private var usage = AnswerUsage()
    /// From the first item to the last one that had text.
    private var generation: Int?

    /// - Parameters:
    ///   - model: as the client asked for it.
    ///   - spent: tokens of other requests that were made for this answer: counted as its own.
    init(model: String, route: Route, hidesThinking: Bool = false, spent: TokenSum = TokenSum()) {
        self.route = route
        self.hidesThinking = hidesThinking
        self.spent = spent
        var begin = JSONWriter()
        begin.raw("{\"model\":")
        begin.text(model)
        begin.raw(",\"created_at\":\"")
        self.begin = begin.bytes
    }

    // MARK: Streams

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece), .refusal(let piece):
            guard !piece.isEmpty else { return }
            generation = time.sinceFirstItem
            beginLine()
            piece.bytes.withBytes { text in writeMessage { out in out.raw(text) } }
            endLine()
        case .thinking(let piece, _):
            guard !piece.isEmpty else { return }
            generation = time.sinceFirstItem
            if hidesThinking { return }
            beginLine()
            piece.bytes.withBytes { text in writeMessage(thinking: { out in out.raw(text) }) }
            endLine()
        case .callBegins(let id, let name): calls.append((id, name, []))
        case .arguments(let piece):
            guard let last = calls.indices.last else { return }
            keptSize += piece.bytes.count
            piece.bytes.withBytes { calls[last].arguments.append(contentsOf: $0) }
        case .callEnds: break
        case .logprobs(let tokens): logprobs += tokens
        case .usage(let more): usage.add(more)
        case .finish(let reason):
            dropCutCalls(reason)
            if let wrong = calls.first(where: { CallArguments.object($0.arguments) == nil }) {
                return take(.failed(CallArguments.fault(wrong.name)))
            }
            if !calls.isEmpty {
                beginLine()
                writeMessage()
                endLine()
            }
            beginLine()
            writeMessage()
            writeEnd(reason, usage.including(spent), generation: generation)
            out.byte(UInt8(ascii: "\n"))
        case .failed(let error):
            out.raw("{\"error\":")
            out.text(error.message)
            out.raw("}\n")
        }
    }

    private mutating func beginLine() {
        out.raw(begin)
        out.verbatim(time.now)
        out.raw("\",")
    }

    /// `done` comes last where it is false, as Ollama writes it.
    private mutating func endLine() { out.raw(",\"done\":false}\n") }

    /// `message`, or `response` and its companions, with what has been gathered of calls and probabilities.
    private mutating func writeMessage(text: (inout JSONWriter) -> Void = { _ in }, thinking: ((inout JSONWriter) -> Void)? = nil) {
        route == .chat ? out.raw("\"message\":{\"role\":\"assistant\",\"content\":\"") : out.raw("\"response\":\"")
        text(&out)
        out.byte(UInt8(ascii: "\""))
        if let thinking {
            out.raw(",\"thinking\":\"")
            thinking(&out)
            out.byte(UInt8(ascii: "\""))
        }
        if !calls.isEmpty { writeCalls() }
        if route == .chat { out.byte(UInt8(ascii: "}")) }
        if !logprobs.isEmpty {
            out.raw(",\"logprobs\":")
            out.value(.array(logprobs))
            logprobs = []
        }
    }

    private mutating func writeCalls() {
        let calls = calls.enumerated().map { index, call -> JSONValue in
            let arguments = CallArguments.object(call.arguments) ?? [:]
            return [
                "id": .string(call.id), "function": ["index": .integer(writtenCalls + index), "name": .string(call.name), "arguments": arguments],
            ]
        }
        writtenCalls += calls.count
        out.raw(",\"tool_calls\":")
        out.value(.array(calls))
        self.calls = []
    }

    /// A call whose arguments were cut off is none: clients would make it.
    private mutating func dropCutCalls(_ reason: FinishReason) {
        if reason == .length { calls.removeAll { CallArguments.object($0.arguments) == nil } }
    }

    /// The end of the last line, or of the only one.
    private mutating func writeEnd(_ reason: FinishReason, _ usage: AnswerUsage, generation: Int?) {
        out.raw(",\"done\":true,\"done_reason\":")
        reason == .length ? out.raw("\"length\"") : out.raw("\"stop\"")
        write(",\"total_duration\":", time.total)
        write(",\"prompt_eval_count\":", usage.prompt)
        write(",\"prompt_eval_duration\":", usage.promptNanoseconds)
        write(",\"eval_count\":", usage.completion)
        write(",\"eval_duration\":", usage.completionNanoseconds ?? generation)
        out.byte(UInt8(ascii: "}"))
    }

    private mutating func write(_ key: StaticString, _ value: Int?) {
        guard let value else { return }
        out.raw(key)
        out.number(value)
    }

    // MARK: Whole answers

    func fault(of answer: GatheredAnswer) -> AnswerError? { answer.callFault }

    mutating func write(whole answer: GatheredAnswer) {
        logprobs = answer.logprobs
        for case .call(let id, let name, let arguments) in answer.items { calls.append((id, name, arguments)) }
        dropCutCalls(answer.reason ?? .stop)
        let (text, thinking) = (answer.text, hidesThinking ? [] : answer.thinking)
        beginLine()
        writeMessage(text: { $0.raw(text) }, thinking: thinking.isEmpty ? nil : { $0.raw(thinking) })
        writeEnd(answer.reason ?? .stop, answer.usage.including(spent), generation: nil)
    }
}
