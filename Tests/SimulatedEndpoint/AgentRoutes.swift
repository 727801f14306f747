// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation
import TestSupport

/// `/v1/messages` and `/v1/responses`, as Ollama speaks them, and the model that does a coding agent's task.
extension OllamaServer {
    /// What the model does for an agent; nil for any other conversation.
    func scripted(_ conversation: ModelConversation) -> ModelReply? {
        conversation.hasTask ? ScriptedModel().reply(to: conversation) : nil
    }

    /// Takes the time that such an answer takes, and sends it.
    func play(
        _ reply: ModelReply, _ model: StoredModel, _ prompt: Prompt, streams: Bool, streamType: String = "text/event-stream",
        on connection: FakeConnection, _ write: (WireUsage) -> WireAnswer
    ) throws {
        let tokens = reply.tokens ?? reply.text.split(separator: " ").map(String.init) + reply.calls.map(\.name)
        let question = question(model, prompt, tokens, keepAlive: nil)
        let answer = write(WireUsage(prompt: prompt.words.count, completion: tokens.count))
        guard case .events(let events) = answer else {
            if try live.serve(question, for: connection) != nil { connection.answer(answer) }
            return
        }
        var stream = TokenStream(connection, streamType)
        var sent = 0
        // Events come in step with the tokens.
        let served = try live.serve(
            question, for: connection,
            progress: { count in
                sent = events.count * count / (tokens.count + 1)
                return stream.send(upTo: sent) { events[$0] }
            })
        if served != nil { stream.end(Array(events[sent...])) }
    }

    /// A scripted answer, or words that repeat the question.
    private func reply(_ conversation: ModelConversation, _ model: StoredModel, _ prompt: Prompt, limit: Int?) -> ModelReply {
        if let reply = scripted(conversation) { return reply }
        let tokens = words(model, prompt, count: min(limit ?? settings.tokens, settings.tokens))
        return ModelReply(tokens: tokens, isCut: tokens.count < settings.tokens)
    }

    private func textModel(_ body: RequestBody) throws -> StoredModel {
        let name = body.model()
        if name.isEmpty { throw OllamaError(400, "model is required") }
        let model = try model(name)
        if model.embeds { throw OllamaError(400, "\"\(name)\" does not support chat") }
        return model
    }

    // MARK: Anthropic's

    func message(_ request: ReceivedRequest, _ connection: FakeConnection) throws {
        let body = try RequestBody(request.body)
        let model = try textModel(body)
        let limit = (body["max_tokens"] as? NSNumber)?.intValue ?? 0
        guard limit > 0 else { throw OllamaError(400, "max_tokens is required and must be positive") }
        if (body.array("messages") ?? []).isEmpty { throw OllamaError(400, "messages is required") }
        let streams = try body.bool("stream") ?? false
        let conversation = ModelConversation(messages: request.json)
        let prompt = prompt(conversation.turns.map(\.text))
        let reply = reply(conversation, model, prompt, limit: limit)
        try play(reply, model, prompt, streams: streams, on: connection) { reply.messages(model: body.model(), streams: streams, usage: $0) }
    }

    // MARK: OpenAI's newer ones

    func respond(_ request: ReceivedRequest, _ connection: FakeConnection) throws {
        let body = try RequestBody(request.body)
        let model = try textModel(body)
        if body.string("previous_response_id") != nil { throw OllamaError(400, "previous_response_id is not supported") }
        try Self.checkItems(body)
        let streams = try body.bool("stream") ?? false
        let conversation = ModelConversation(responses: request.json)
        let prompt = prompt(conversation.turns.map(\.text))
        let reply = reply(conversation, model, prompt, limit: (body["max_output_tokens"] as? NSNumber)?.intValue)
        try play(reply, model, prompt, streams: streams, on: connection) { reply.responses(model: body.model(), streams: streams, usage: $0) }
    }

    /// Kinds of items and of their parts that Ollama reads; any other is an error there.
    private static func checkItems(_ body: RequestBody) throws {
        let parts: Set = ["input_text", "output_text", "input_image", "input_file"]
        for (index, item) in ((body["input"] as? [[String: Any]]) ?? []).enumerated() {
            let type = item["type"] as? String ?? (item["role"] == nil ? "" : "message")
            switch type {
            case "message", "function_call_output":
                for part in (item[type == "message" ? "content" : "output"] as? [[String: Any]]) ?? [] {
                    let kind = part["type"] as? String ?? ""
                    if !parts.contains(kind) { throw OllamaError(400, "input[\(index)]: unknown content type: \(kind)") }
                }
            case "function_call", "reasoning": break
            case "": throw OllamaError(400, "input[\(index)]: input item missing required 'type' field")
            default: throw OllamaError(400, "input[\(index)]: unknown input item type: \"\(type)\"")
            }
        }
        let effort = body.object("reasoning")?["effort"] as? String ?? "none"
        if !["none", "low", "medium", "high", "max"].contains(effort) { throw OllamaError(400, "invalid reasoning value: \"\(effort)\"") }
    }
}
