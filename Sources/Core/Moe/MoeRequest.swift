// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A request to `moe-<model>`, in the words of chat completions, which every kind of endpoint speaks. Pure.
struct MoeRequest: Sendable {
    let operation: Operation
    /// Of the client, but for the model's name.
    let body: JSONValue
    let model: String
    /// The last thing that the user said.
    let question: String

    init(_ operation: Operation, _ body: JSONValue, asked: String) throws(TranslationError) {
        self.operation = operation
        model = String(asked.dropFirst(MoePrompts.models.count))
        guard !model.isEmpty else { throw .malformed("model", "moe- needs the name of a model") }
        var body = body
        body["model"] = .string(model)
        self.body = body
        let chat = try Self.chat(operation, body, model: model)
        let users = (chat["messages"]?.array ?? []).filter { $0["role"] == "user" }
        question = Self.text(users.last?["content"] ?? "")
        guard !question.isEmpty else { throw .malformed("messages", "there is no question of a user") }
    }

    /// The request as chat completions, with the client's own settings.
    private static func chat(_ operation: Operation, _ body: JSONValue, model: String) throws(TranslationError) -> JSONValue {
        guard operation != .chat else { return body }
        let words = EndpointWords(.openAI)
        let call =
            operation == .ollamaGenerate
            ? try OllamaToChat.generate(body, model: model, words: words) : try OllamaToChat.chat(body, model: model, words: words)
        guard case .request(let request) = call else { throw .malformed("messages", "a mixture of answers takes a question") }
        guard request.path == "/v1/chat/completions" else {
            throw .unsupported("raw", "a mixture of answers takes a question, and no raw prompt")
        }
        return request.body
    }

    private static func text(_ content: JSONValue) -> String {
        content.string ?? (content.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n")
    }

    /// One of the answers: the whole conversation, at a temperature that makes them differ.
    func answer(model: String) throws(TranslationError) -> JSONValue {
        var request = try Self.chat(operation, body, model: model)
        request["model"] = .string(model)
        request["temperature"] = 1
        request["stream"] = false
        request["stream_options"] = nil
        request["n"] = nil
        return request
    }

    func critique(_ answer: String, model: String) -> JSONValue {
        let prompt = MoePrompts.critique(question: question, answer: answer)
        return ["model": .string(model), "messages": [["role": "user", "content": .string(prompt)]], "stream": false]
    }

    /// The request for the final answer: as the client made it, with another last message.
    func choice(_ candidates: [(answer: String, critique: String)]) -> JSONValue {
        let prompt = JSONValue.string(MoePrompts.choice(question: question, candidates: candidates))
        var request = body
        guard operation != .ollamaGenerate else {
            request["prompt"] = prompt
            return request
        }
        var messages = body["messages"]?.array ?? []
        if let last = messages.lastIndex(where: { $0["role"] == "user" }) {
            // Images stay: the choice may need them.
            if let parts = messages[last]["content"]?.array {
                messages[last]["content"] = .array([["type": "text", "text": prompt]] + parts.filter { $0["type"] != "text" })
            } else {
                messages[last]["content"] = prompt
            }
        }
        request["messages"] = .array(messages)
        return request
    }

    /// The final request for an endpoint, and the way back: counts are the sums of all that was made.
    func final(_ choice: JSONValue, model: String, words: EndpointWords, spent: TokenSum) throws(TranslationError) -> TranslatedCall {
        var call: TranslatedCall
        switch operation {
        case .ollamaGenerate: call = try OllamaToChat.generate(choice, model: model, words: words)
        case .ollamaChat: call = try OllamaToChat.chat(choice, model: model, words: words)
        default:
            var request = choice
            request["model"] = .string(model)
            let asksUsage = choice["stream_options"]?["include_usage"]?.bool ?? false
            if choice["stream"].given?.bool == true { request["stream_options"] = ["include_usage": true] }
            call = .request(
                TranslatedRequest(path: "/v1/chat/completions", body: request, answer: SummedChat(spent: spent, tellsUsage: asksUsage)))
        }
        if case .request(var request) = call {
            if var answer = request.answer as? ChatToOllama {
                answer.spent = spent
                request.answer = answer
            }
            call = .request(request)
        }
        return call
    }
}

/// Chat completions as they came, but for the counts.
struct SummedChat: AnswerTranslation {
    let spent: TokenSum
    /// The client has asked for the counts of its stream.
    let tellsUsage: Bool
    let streamType = "text/event-stream"

    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String {
        if item["usage"].given != nil, item["choices"]?.array?.isEmpty ?? true, !tellsUsage { return "" }
        return "data: \(summed(item).text)\n\n"
    }

    mutating func end(_ time: AnswerTime) -> String { "data: [DONE]\n\n" }

    mutating func fail(_ message: String, status: Int) -> String {
        let error: JSONValue = ["error": ["message": .string(message), "type": "api_error", "param": JSONValue.null, "code": .integer(status)]]
        return "data: \(error.text)\n\n"
    }

    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue { summed(answer) }

    private func summed(_ answer: JSONValue) -> JSONValue {
        guard let usage = answer["usage"].given else { return answer }
        var result = answer
        let prompt = (usage["prompt_tokens"]?.integer ?? 0) + spent.input
        let completion = (usage["completion_tokens"]?.integer ?? 0) + spent.output
        result["usage"]?["prompt_tokens"] = .integer(prompt)
        result["usage"]?["completion_tokens"] = .integer(completion)
        result["usage"]?["total_tokens"] = .integer(prompt + completion)
        return result
    }
}
