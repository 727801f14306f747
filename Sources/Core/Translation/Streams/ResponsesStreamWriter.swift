// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Writes answers as OpenAI's `/v1/responses` gives them: items that are added, filled and done, each event with its number.
struct ResponsesStreamWriter: AnswerEventWriter {
    static let framing = StreamFraming.serverSentEvents
    static let tellsTime = false

    private enum Open {
        case reasoning, message, refusal
        case call(id: String, ToolForms.Form)
    }

    var out = JSONWriter()
    var time = AnswerTime.unknown
    private let frame: ResponseFrame
    private let forms: ToolForms
    private var sequence = 0
    private var hasStarted = false
    /// Items that are whole, as JSON.
    private var output: [[UInt8]] = []
    private var open: Open?
    /// Of the open item, escaped.
    private var text: [UInt8] = []
    private var logprobs: [JSONValue] = []
    /// Of the next piece.
    private var nextLogprobs: [JSONValue] = []
    private var usage = AnswerUsage()
    /// The last event holds the whole answer.
    private(set) var keptSize = 0

    init(_ frame: ResponseFrame, forms: ToolForms = ToolForms()) {
        self.frame = frame
        self.forms = forms
    }

    // MARK: Streams

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece): if !piece.isEmpty { message(piece) }
        case .thinking(let piece, _): if !piece.isEmpty { reasoning(piece) }
        case .refusal(let piece): if !piece.isEmpty { refusal(piece) }
        case .callBegins(let id, let name):
            enter(.call(id: id, forms[name]))
        case .arguments(let piece): arguments(piece)
        case .callEnds: close()
        case .logprobs(let tokens): nextLogprobs += tokens
        case .usage(let more): usage.add(more)
        case .finish(let reason): finish(reason)
        case .failed(let error):
            start()
            let code = error.status == 429 ? "rate_limit_exceeded" : "server_error"
            let failure: JSONValue = ["code": .string(code), "message": .string(error.message)]
            end("response.failed", status: "failed", error: failure)
        }
    }

    private mutating func begin(_ name: StaticString) {
        out.raw("event: ")
        out.raw(name)
        out.raw("\ndata: {\"type\":\"")
        out.raw(name)
        out.raw("\",\"sequence_number\":")
        out.number(sequence)
        sequence += 1
    }

    private mutating func event(_ name: StaticString, _ fields: JSONValue) {
        begin(name)
        for member in fields.object?.members ?? [] {
            out.separate()
            out.text(member.key)
            out.byte(UInt8(ascii: ":"))
            out.value(member.value)
        }
        out.raw("}\n\n")
    }

    /// An event about the open item.
    private mutating func itemEvent(_ name: StaticString, _ prefix: String, hasParts: Bool = true) {
        begin(name)
        out.raw(",\"item_id\":")
        out.text(itemID(prefix))
        out.raw(",\"output_index\":")
        out.number(output.count)
        if hasParts { out.raw(",\"content_index\":0") }
    }

    private mutating func endEvent() { out.raw("}\n\n") }

    private func itemID(_ prefix: String) -> String { "\(prefix)_\(frame.id)_\(output.count)" }

    private mutating func start() {
        if hasStarted { return }
        hasStarted = true
        for name in ["response.created", "response.in_progress"] as [StaticString] { end(name, status: "in_progress") }
    }

    /// An event that holds the whole response.
    private mutating func end(_ name: StaticString, status: String, error: JSONValue = .null, reason: FinishReason? = nil) {
        begin(name)
        out.raw(",\"response\":")
        frame.write(usage == AnswerUsage() ? nil : usage, status: status, output: output, error: error, reason: reason, into: &out)
        endEvent()
    }

    private mutating func finish(_ reason: FinishReason) {
        start()
        close(reason == .length ? .cut : .whole)
        switch reason {
        case .stop, .calls: end("response.completed", status: "completed")
        case .length, .refusal: end("response.incomplete", status: "incomplete", reason: reason)
        }
    }

    // MARK: Items

    private mutating func enter(_ item: Open) {
        start()
        // Before anything is said of the new one: its id counts those that are whole.
        close()
        open = item
        let added: JSONValue
        switch item {
        case .reasoning: added = ResponseItem.reasoning(itemID("rs"), [], .begun)
        case .message, .refusal: added = ResponseItem.message(itemID("msg"), nil, .begun)
        // A tool of plain text is told of when its text is known.
        case .call(_, let form) where form.takesText: return
        case .call(let id, let form): added = ResponseItem.call(itemID("fc"), id, form, arguments: [], .begun)
        }
        event("response.output_item.added", ["output_index": .integer(output.count), "item": added])
    }

    private mutating func reasoning(_ piece: EscapedText) {
        if case .reasoning? = open {} else { enter(.reasoning) }
        append(piece)
        itemEvent("response.reasoning_text.delta", "rs")
        out.raw(",\"delta\":")
        out.escaped(piece)
        endEvent()
    }

    private mutating func message(_ piece: EscapedText) {
        if case .message? = open {
        } else {
            enter(.message)
            itemEvent("response.content_part.added", "msg")
            out.raw(",\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],\"logprobs\":[]}")
            endEvent()
        }
        append(piece)
        itemEvent("response.output_text.delta", "msg")
        out.raw(",\"delta\":")
        out.escaped(piece)
        out.raw(",\"logprobs\":")
        out.value(.array(nextLogprobs))
        logprobs += nextLogprobs
        nextLogprobs = []
        endEvent()
    }

    private mutating func refusal(_ piece: EscapedText) {
        if case .refusal? = open {
        } else {
            enter(.refusal)
            itemEvent("response.content_part.added", "msg")
            out.raw(",\"part\":{\"type\":\"refusal\",\"refusal\":\"\"}")
            endEvent()
        }
        append(piece)
        itemEvent("response.refusal.delta", "msg")
        out.raw(",\"delta\":")
        out.escaped(piece)
        endEvent()
    }

    private mutating func arguments(_ piece: EscapedText) {
        guard case .call(_, let form)? = open else { return }
        append(piece)
        if form.takesText { return }
        itemEvent("response.function_call_arguments.delta", "fc", hasParts: false)
        out.raw(",\"delta\":")
        out.escaped(piece)
        endEvent()
    }

    private mutating func append(_ piece: EscapedText) {
        keptSize += piece.bytes.count
        piece.bytes.withBytes { text.append(contentsOf: $0) }
    }

    /// Nothing more comes of the item at hand.
    private mutating func close(_ stage: ResponseItem.Stage = .whole) {
        guard let item = open else { return }
        let done: JSONValue
        switch item {
        case .reasoning:
            done = ResponseItem.reasoning(itemID("rs"), text, stage)
            itemEvent("response.reasoning_text.done", "rs")
            out.raw(",\"text\":")
            out.escaped(text)
            endEvent()
        case .message:
            let part = ResponseItem.textPart(text, logprobs)
            done = ResponseItem.message(itemID("msg"), part, stage)
            itemEvent("response.output_text.done", "msg")
            out.raw(",\"text\":")
            out.escaped(text)
            out.raw(",\"logprobs\":")
            out.value(.array(logprobs))
            endEvent()
            closePart(part)
        case .refusal:
            let part = ResponseItem.refusalPart(text)
            done = ResponseItem.message(itemID("msg"), part, stage)
            itemEvent("response.refusal.done", "msg")
            out.raw(",\"refusal\":")
            out.escaped(text)
            endEvent()
            closePart(part)
        case .call(let id, let form): done = closeCall(id, form)
        }
        event("response.output_item.done", ["output_index": .integer(output.count), "item": done])
        let bytes = done.bytes
        keptSize += bytes.count
        output.append(bytes)
        open = nil
        (text, logprobs) = ([], [])
    }

    private mutating func closePart(_ part: JSONValue) {
        itemEvent("response.content_part.done", "msg")
        out.raw(",\"part\":")
        out.value(part)
        endEvent()
    }

    private mutating func closeCall(_ id: String, _ form: ToolForms.Form) -> JSONValue {
        // Whoever adds up the pieces shall have an object, too.
        if text.isEmpty, !form.takesText { arguments(EscapedText(escaping: "{}")) }
        let prefix = form.takesText ? "ctc" : "fc"
        let done = ResponseItem.call(itemID(prefix), id, form, arguments: text, ResponseItem.stage(ofCall: text))
        guard form.takesText else {
            itemEvent("response.function_call_arguments.done", prefix, hasParts: false)
            out.raw(",\"name\":")
            out.text(form.name)
            out.raw(",\"arguments\":")
            out.escaped(text)
            endEvent()
            return done
        }
        let input = done["input"] ?? ""
        event(
            "response.output_item.added",
            ["output_index": .integer(output.count), "item": ResponseItem.call(itemID(prefix), id, form, arguments: [], .begun)])
        for (name, key) in [("response.custom_tool_call_input.delta", "delta"), ("response.custom_tool_call_input.done", "input")]
            as [(StaticString, String)]
        {
            var fields: JSONValue = ["item_id": .string(itemID(prefix)), "output_index": .integer(output.count)]
            fields[key] = input
            event(name, fields)
        }
        return done
    }

    // MARK: Whole answers

    mutating func write(whole answer: GatheredAnswer) {
        usage = answer.usage
        for (index, item) in answer.items.enumerated() {
            let done: JSONValue
            let stage: ResponseItem.Stage = answer.reason == .length && index == answer.items.count - 1 ? .cut : .whole
            switch item {
            case .thinking(let text): done = ResponseItem.reasoning(itemID("rs"), text, stage)
            case .text(let text): done = ResponseItem.message(itemID("msg"), ResponseItem.textPart(text, answer.logprobs), stage)
            case .refusal(let text): done = ResponseItem.message(itemID("msg"), ResponseItem.refusalPart(text), stage)
            case .call(let id, let name, let arguments):
                let form = forms[name]
                let text = arguments.isEmpty && !form.takesText ? Array("{}".utf8) : arguments
                done = ResponseItem.call(itemID(form.takesText ? "ctc" : "fc"), id, form, arguments: text, ResponseItem.stage(ofCall: text))
            }
            output.append(done.bytes)
        }
        let reason = answer.reason ?? .stop
        let isIncomplete = reason == .length || reason == .refusal
        frame.write(
            usage == AnswerUsage() ? nil : usage, status: isIncomplete ? "incomplete" : "completed", output: output,
            reason: isIncomplete ? reason : nil, into: &out)
    }
}
