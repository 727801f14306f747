// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// From a request in one dialect to the same in another: the one place that knows which pairs there are.
enum RequestTranslation {
    /// - Parameters:
    ///   - model: as the endpoint spells it.
    ///   - id: unique to the request, for the ids that an answer must have.
    ///   - unixSeconds: now.
    static func make(
        _ operation: Operation, _ body: JSONValue, model: String, words: EndpointWords, id: String, unixSeconds: Int
    ) throws(TranslationError) -> TranslatedCall {
        switch operation {
        case .ollamaChat: return try OllamaToChat.chat(body, model: model, words: words)
        case .ollamaGenerate: return try OllamaToChat.generate(body, model: model, words: words)
        case .ollamaEmbed: return try OllamaEmbeddings.embed(body, model: model)
        case .ollamaEmbeddings: return try OllamaEmbeddings.embeddings(body, model: model)
        case .messages: return try AnthropicMessages.request(body, model: model, words: words, id: id)
        case .responses: return try OpenAIResponses.request(body, model: model, id: id, unixSeconds: unixSeconds)
        default: throw .unsupported("model", "\(operation.rawValue) has no translation")
        }
    }
}
