// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Writes answers as Anthropic's `/v1/messages` gives them: one block after the other, each begun and ended.
struct MessagesStreamWriter: AnswerEventWriter {
    static let framing = StreamFraming.serverSentEvents
    static let tellsTime = false

    private enum Block: Equatable {
        case text, thinking, tool
    }

    var out = JSONWriter()
    var time = AnswerTime.unknown
    private let id: String
    private let model: String
    private var hasStarted = false
    private var open: Block?
    private var index = 0
    private var usage = AnswerUsage()

    /// - Parameters:
    ///   - id: of the message.
    ///   - model: as the client asked for it.
    init(id: String, model: String) {
        self.id = id
        self.model = model
    }

    // MARK: Streams

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece), .refusal(let piece):
            guard !piece.isEmpty else { return }
            enter(.text)
            delta("{\"type\":\"text_delta\",\"text\":", piece)
        case .thinking(let piece, _):
            guard !piece.isEmpty else { return }
            enter(.thinking)
            delta("{\"type\":\"thinking_delta\",\"thinking\":", piece)
        case .callBegins(let id, let name):
            start()
            close()
            begin(.tool, ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]])
        case .arguments(let piece): if open == .tool { delta("{\"type\":\"input_json_delta\",\"partial_json\":", piece) }
        case .callEnds: close()
        case .logprobs: break
        case .usage(let more): usage.add(more)
        case .finish(let reason):
            start()
            close()
            let delta: JSONValue = ["stop_reason": .string(Self.word(reason)), "stop_sequence": JSONValue.null]
            out.event("message_delta", ["type": "message_delta", "delta": delta, "usage": Self.usage(usage)])
            out.event("message_stop", ["type": "message_stop"])
        case .failed(let error):
            out.event("error", ["type": "error", "error": ["type": .string(Self.errorType(error.status)), "message": .string(error.message)]])
        }
    }

    private mutating func enter(_ block: Block) {
        if open == block { return }
        start()
        close()
        begin(block, block == .text ? ["type": "text", "text": ""] : ["type": "thinking", "thinking": "", "signature": ""])
    }

    /// The frame of the message. What the prompt cost is known only at the end.
    private mutating func start() {
        if hasStarted { return }
        hasStarted = true
        let message: JSONValue = [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model), "content": [],
            "stop_reason": JSONValue.null, "stop_sequence": JSONValue.null, "usage": ["input_tokens": 0, "output_tokens": 0],
        ]
        out.event("message_start", ["type": "message_start", "message": message])
    }

    private mutating func begin(_ block: Block, _ content: JSONValue) {
        open = block
        out.event("content_block_start", ["type": "content_block_start", "index": .integer(index), "content_block": content])
    }

    private mutating func delta(_ begin: StaticString, _ piece: EscapedText) {
        out.raw("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":")
        out.number(index)
        out.raw(",\"delta\":")
        out.raw(begin)
        out.escaped(piece)
        out.raw("}}\n\n")
    }

    private mutating func close() {
        guard open != nil else { return }
        open = nil
        out.event("content_block_stop", ["type": "content_block_stop", "index": .integer(index)])
        index += 1
    }

    // MARK: Whole answers

    mutating func write(whole answer: GatheredAnswer) {
        out.raw("{\"id\":")
        out.text(id)
        out.raw(",\"type\":\"message\",\"role\":\"assistant\",\"model\":")
        out.text(model)
        out.raw(",\"content\":[")
        for item in answer.items where !answer.isCutCall(item) {
            out.separate()
            write(item)
        }
        out.raw("],\"stop_reason\":")
        out.text(Self.word(answer.reason ?? .stop))
        out.raw(",\"stop_sequence\":null,\"usage\":")
        out.value(Self.usage(answer.usage))
        out.byte(UInt8(ascii: "}"))
    }

    private mutating func write(_ item: GatheredAnswer.Item) {
        switch item {
        case .text(let text), .refusal(let text):
            out.raw("{\"type\":\"text\",\"text\":")
            out.escaped(text)
        case .thinking(let text):
            out.raw("{\"type\":\"thinking\",\"thinking\":")
            out.escaped(text)
            out.raw(",\"signature\":\"\"")
        case .call(let id, let name, let arguments):
            out.raw("{\"type\":\"tool_use\",\"id\":")
            out.text(id)
            out.raw(",\"name\":")
            out.text(name)
            out.raw(",\"input\":")
            out.value(CallArguments.object(arguments) ?? [:])
        }
        out.byte(UInt8(ascii: "}"))
    }

    func fault(of answer: GatheredAnswer) -> AnswerError? { answer.callFault }

    // MARK: Words

    private static func word(_ reason: FinishReason) -> String {
        switch reason {
        case .stop: "end_turn"
        case .length: "max_tokens"
        case .calls: "tool_use"
        case .refusal: "refusal"
        }
    }

    private static func errorType(_ status: Int) -> String {
        switch status {
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 400..<500: "invalid_request_error"
        default: "api_error"
        }
    }

    /// Clients demand both numbers; an endpoint that counts nothing has used nothing that is known.
    private static func usage(_ usage: AnswerUsage) -> JSONValue {
        let cached = max(0, usage.cached ?? 0)
        let (fresh, overflowed) = (usage.prompt ?? 0).subtractingReportingOverflow(cached)
        return [
            "input_tokens": .integer(overflowed ? 0 : max(0, fresh)), "output_tokens": .integer(usage.completion ?? 0),
            "cache_read_input_tokens": cached > 0 ? .integer(cached) : nil,
        ]
    }
}
