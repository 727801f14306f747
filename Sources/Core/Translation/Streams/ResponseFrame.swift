// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The response object around the items of an answer, which repeats much of the request.
struct ResponseFrame: Sendable {
    let id: String
    let created: Int
    /// As the client asked for it.
    let model: String
    /// What the answer repeats of the request, as JSON: before the output, and behind it.
    private let before: [UInt8]
    private let behind: [UInt8]

    /// - Parameter request: as the client sent it.
    init(id: String, created: Int, model: String, request: JSONValue) {
        self.id = id
        self.created = created
        self.model = model
        func repeated(_ key: String, _ otherwise: JSONValue) -> JSONValue { request[key].given ?? otherwise }
        let before: JSONValue = ["id": .string("resp_\(id)"), "object": "response", "created_at": .integer(created)]
        let behind: JSONValue = [
            "instructions": repeated("instructions", .null), "metadata": repeated("metadata", [:]),
            "max_output_tokens": repeated("max_output_tokens", .null), "parallel_tool_calls": repeated("parallel_tool_calls", true),
            "previous_response_id": JSONValue.null, "reasoning": repeated("reasoning", .null), "store": false,
            "temperature": repeated("temperature", .null), "text": repeated("text", ["format": ["type": "text"]]),
            "tool_choice": repeated("tool_choice", "auto"), "tools": repeated("tools", []), "top_p": repeated("top_p", .null),
            "truncation": "disabled",
        ]
        self.before = Array(before.bytes.dropLast())
        self.behind = Array(behind.bytes.dropFirst().dropLast())
    }

    func write(
        _ usage: AnswerUsage?, status: String, output: [[UInt8]], error: JSONValue = .null, reason: FinishReason? = nil, into out: inout JSONWriter
    ) {
        out.raw(before)
        out.raw(",\"status\":")
        out.text(status)
        out.raw(",\"error\":")
        out.value(error)
        out.raw(",\"incomplete_details\":")
        switch reason {
        case nil: out.raw("null")
        case .refusal?: out.raw("{\"reason\":\"content_filter\"}")
        default: out.raw("{\"reason\":\"max_output_tokens\"}")
        }
        out.raw(",\"model\":")
        out.text(model)
        out.raw(",\"output\":[")
        for item in output {
            out.separate()
            out.raw(item)
        }
        out.raw("],")
        out.raw(behind)
        out.raw(",\"usage\":")
        out.value(usage.map(Self.object) ?? .null)
        out.byte(UInt8(ascii: "}"))
    }

    private static func object(_ usage: AnswerUsage) -> JSONValue {
        let (input, output) = (usage.prompt ?? 0, usage.completion ?? 0)
        return [
            "input_tokens": .integer(input), "input_tokens_details": ["cached_tokens": .integer(usage.cached ?? 0)],
            "output_tokens": .integer(output), "output_tokens_details": ["reasoning_tokens": .integer(usage.reasoning ?? 0)],
            "total_tokens": .integer(input &+ output),
        ]
    }
}

/// The items of a response. Texts come escaped.
enum ResponseItem {
    enum Stage: String {
        case begun = "in_progress"
        case whole = "completed"
        /// Nothing more comes, though there should.
        case cut = "incomplete"
    }

    /// Of a call that has ended: no object was left half said.
    static func stage(ofCall arguments: [UInt8]) -> Stage { CallArguments.object(arguments) == nil ? .cut : .whole }

    static func reasoning(_ id: String, _ text: [UInt8], _ stage: Stage) -> JSONValue {
        let content: JSONValue = stage != .begun ? [["type": "reasoning_text", "text": .string(EscapedText.decoded(text))]] : []
        return ["id": .string(id), "type": "reasoning", "summary": [], "content": content, "status": .string(stage.rawValue)]
    }

    static func message(_ id: String, _ part: JSONValue?, _ stage: Stage) -> JSONValue {
        [
            "id": .string(id), "type": "message", "role": "assistant", "status": .string(stage.rawValue),
            "content": .array(part.map { [$0] } ?? []),
        ]
    }

    static func textPart(_ text: [UInt8], _ logprobs: [JSONValue]) -> JSONValue {
        ["type": "output_text", "text": .string(EscapedText.decoded(text)), "annotations": [], "logprobs": .array(logprobs)]
    }

    static func refusalPart(_ text: [UInt8]) -> JSONValue { ["type": "refusal", "refusal": .string(EscapedText.decoded(text))] }

    /// - Parameter arguments: all of them; none of a call that has only begun.
    static func call(_ id: String, _ callID: String, _ form: ToolForms.Form, arguments: [UInt8], _ stage: Stage) -> JSONValue {
        let text = EscapedText.decoded(arguments)
        if form.takesText {
            return [
                "id": .string(id), "type": "custom_tool_call", "status": .string(stage.rawValue), "call_id": .string(callID),
                "name": .string(form.name), "namespace": form.namespace.map(JSONValue.string),
                "input": .string(stage == .begun ? "" : ToolForms.text(of: text)),
            ]
        }
        return [
            "id": .string(id), "type": "function_call", "status": .string(stage.rawValue), "call_id": .string(callID), "name": .string(form.name),
            "namespace": form.namespace.map(JSONValue.string), "arguments": .string(text),
        ]
    }
}
