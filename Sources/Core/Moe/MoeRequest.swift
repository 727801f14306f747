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
        let translation = RequestTranslation(model: model, words: EndpointWords(.openAI), id: "", unixSeconds: 0)
        guard case .request(let request) = try translation.make(operation, body) else {
            throw .malformed("messages", "a mixture of answers takes a question")
        }
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
    func final(_ choice: JSONValue, _ translation: RequestTranslation) throws(TranslationError) -> TranslatedCall {
        operation == .chat ? try translation.summed(choice) : try translation.make(operation, choice)
    }
}
