// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Writes answers as `/v1/chat/completions` and `/v1/completions` give them.
struct ChatStreamWriter: AnswerEventWriter {
    enum Route: Sendable {
        case chat, completions
    }

    static let framing = StreamFraming.serverSentEvents
    static let tellsTime = false

    var out = JSONWriter()
    var time = AnswerTime.unknown
    private let route: Route
    /// The client has asked for the counts of its stream.
    private let tellsUsage: Bool
    private let spent: TokenSum
    private let id: String
    private let created: Int
    private let model: String
    /// What each item of a stream begins with, up to the delta.
    private let begin: [UInt8]
    private var hasStarted = false
    private var calls = 0
    private var logprobs: [JSONValue] = []
    private var usage: AnswerUsage?

    /// - Parameters:
    ///   - model: as the client asked for it.
    ///   - spent: tokens of other requests that were made for this answer: counted as its own.
    init(id: String, created: Int, model: String, route: Route, tellsUsage: Bool, spent: TokenSum = TokenSum()) {
        self.route = route
        self.tellsUsage = tellsUsage
        self.spent = spent
        self.id = "\(route == .chat ? "chatcmpl" : "cmpl")-\(id)"
        self.created = created
        self.model = model
        var begin = JSONWriter()
        begin.raw("data: {\"id\":")
        begin.text(self.id)
        begin.raw(",\"object\":")
        begin.text(route == .chat ? "chat.completion.chunk" : "text_completion")
        begin.raw(",\"created\":")
        begin.number(created)
        begin.raw(",\"model\":")
        begin.text(model)
        self.begin = begin.bytes
    }

    // MARK: Streams

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece): if !piece.isEmpty { route == .chat ? write("\"content\":", piece) : writeText(piece) }
        case .thinking(let piece, _): if !piece.isEmpty, route == .chat { write("\"reasoning_content\":", piece) }
        case .refusal(let piece): if !piece.isEmpty { route == .chat ? write("\"refusal\":", piece) : writeText(piece) }
        case .callBegins(let id, let name):
            calls += 1
            let call: JSONValue = [
                "index": .integer(calls - 1), "id": .string(id), "type": "function", "function": ["name": .string(name), "arguments": ""],
            ]
            writeDelta { $0.value(["tool_calls": [call]]) }
        case .arguments(let piece):
            let index = calls - 1
            writeDelta { out in
                out.raw("{\"tool_calls\":[{\"index\":")
                out.number(index)
                out.raw(",\"function\":{\"arguments\":")
                out.escaped(piece)
                out.raw("}}]}")
            }
        case .callEnds: break
        case .logprobs(let tokens): logprobs += tokens
        case .usage(let more): usage = (usage ?? AnswerUsage()).adding(more)
        case .finish(let reason): finish(reason)
        case .failed(let error):
            let body: JSONValue = ["message": .string(error.message), "type": "api_error", "param": JSONValue.null, "code": .integer(error.status)]
            out.raw("data: ")
            out.value(["error": body])
            out.raw("\n\n")
        }
    }

    private mutating func write(_ key: StaticString, _ piece: EscapedText) {
        writeDelta { out in
            out.byte(UInt8(ascii: "{"))
            out.raw(key)
            out.escaped(piece)
            out.byte(UInt8(ascii: "}"))
        }
    }

    private mutating func writeDelta(_ delta: (inout JSONWriter) -> Void) {
        start()
        out.raw(begin)
        out.raw(",\"choices\":[{\"index\":0,\"delta\":")
        delta(&out)
        writeLogprobs()
        out.raw(",\"finish_reason\":null}]}\n\n")
    }

    private mutating func writeText(_ piece: EscapedText) {
        out.raw(begin)
        out.raw(",\"choices\":[{\"index\":0,\"text\":")
        out.escaped(piece)
        writeLogprobs()
        out.raw(",\"finish_reason\":null}]}\n\n")
    }

    private mutating func writeLogprobs() {
        guard !logprobs.isEmpty else { return }
        out.raw(",\"logprobs\":")
        out.value(["content": .array(logprobs)])
        logprobs = []
    }

    private mutating func start() {
        if hasStarted { return }
        hasStarted = true
        guard route == .chat else { return }
        out.raw(begin)
        out.raw(",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n")
    }

    private mutating func finish(_ reason: FinishReason) {
        start()
        out.raw(begin)
        route == .chat ? out.raw(",\"choices\":[{\"index\":0,\"delta\":{}") : out.raw(",\"choices\":[{\"index\":0,\"text\":\"\"")
        out.raw(",\"finish_reason\":")
        out.text(Self.word(reason))
        out.raw("}]}\n\n")
        if tellsUsage, let usage {
            out.raw(begin)
            out.raw(",\"choices\":[],\"usage\":")
            out.value(object(usage))
            out.raw("}\n\n")
        }
        out.raw("data: [DONE]\n\n")
    }

    // MARK: Whole answers

    mutating func write(whole answer: GatheredAnswer) {
        var choice: JSONValue = ["index": 0]
        if route == .chat { choice["message"] = message(answer) } else { choice["text"] = .string(EscapedText.decoded(answer.text)) }
        if !answer.logprobs.isEmpty { choice["logprobs"] = ["content": .array(answer.logprobs)] }
        choice["finish_reason"] = .string(Self.word(answer.reason ?? .stop))
        out.value([
            "id": .string(id), "object": .string(route == .chat ? "chat.completion" : "text_completion"), "created": .integer(created),
            "model": .string(model), "choices": [choice], "usage": answer.usage == AnswerUsage() ? nil : object(answer.usage),
        ])
    }

    private func message(_ answer: GatheredAnswer) -> JSONValue {
        var (text, refusal): ([UInt8], [UInt8]) = ([], [])
        var calls: [JSONValue] = []
        for item in answer.items {
            switch item {
            case .text(let piece): text += piece
            case .refusal(let piece): refusal += piece
            case .thinking: break
            case .call(let id, let name, let arguments):
                let written = arguments.isEmpty ? "{}" : EscapedText.decoded(arguments)
                calls.append([
                    "id": .string(id), "type": "function", "function": ["name": .string(name), "arguments": .string(written)],
                ])
            }
        }
        let thinking = EscapedText.decoded(answer.thinking)
        return [
            "role": "assistant", "content": text.isEmpty && !calls.isEmpty ? .null : .string(EscapedText.decoded(text)),
            "refusal": refusal.isEmpty ? nil : .string(EscapedText.decoded(refusal)),
            "reasoning_content": thinking.isEmpty ? nil : .string(thinking), "tool_calls": calls.isEmpty ? nil : .array(calls),
        ]
    }

    // MARK: Words

    private static func word(_ reason: FinishReason) -> String {
        switch reason {
        case .stop: "stop"
        case .length: "length"
        case .calls: "tool_calls"
        case .refusal: "content_filter"
        }
    }

    private func object(_ usage: AnswerUsage) -> JSONValue {
        let told = usage.including(spent)
        let (prompt, completion) = (told.prompt ?? 0, told.completion ?? 0)
        return [
            "prompt_tokens": .integer(prompt), "completion_tokens": .integer(completion), "total_tokens": .integer(prompt &+ completion),
            "prompt_tokens_details": told.cached.map { ["cached_tokens": .integer($0)] },
            "completion_tokens_details": told.reasoning.map { ["reasoning_tokens": .integer($0)] },
        ]
    }
}
