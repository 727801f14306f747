// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A request as an endpoint of another dialect gets it.
struct TranslatedRequest {
    /// With the usual `/v1`; the endpoint's address puts its own in its place.
    var path: String
    var body: JSONValue
    var answer: AnswerTranslation
    /// What the endpoint may not want to hear of it.
    var said = SaidFields()
    /// Fields that are left out, for the note to the client.
    var dropped: [String] = []
}

/// What becomes of a request that an endpoint cannot take as it is.
enum TranslatedCall {
    case request(TranslatedRequest)
    /// The router knows the answer itself: a load where nothing has to be loaded.
    case immediate(JSONValue)
}

/// From a request in one dialect to the same in another: the one place that knows which readers and writers there are.
struct RequestTranslation {
    /// As the endpoint spells it.
    var model: String
    var words: EndpointWords
    /// Unique to the request, for the ids that an answer must have.
    var id: String
    /// Now.
    var unixSeconds: Int
    /// Tokens of other requests that were made for this answer: counted as its own.
    var spent = TokenSum()

    func make(_ operation: Operation, _ body: JSONValue) throws(TranslationError) -> TranslatedCall {
        switch operation {
        case .ollamaChat: return try ollama(try OllamaReader.chat(body), operation, .chat)
        case .ollamaGenerate: return try ollama(try OllamaReader.generate(body), operation, .generate)
        case .ollamaEmbed: return try OllamaEmbeddings.embed(body, model: model)
        case .ollamaEmbeddings: return try OllamaEmbeddings.embeddings(body, model: model)
        case .messages:
            let read = try MessagesReader.read(body)
            return try conversation(read, operation, MessagesStreamWriter(id: "msg_\(id)", model: read.model ?? model))
        case .responses:
            let read = try ResponsesReader.read(body)
            let frame = ResponseFrame(id: id, created: unixSeconds, model: read.model ?? model, request: body)
            return try conversation(read, operation, ResponsesStreamWriter(frame, forms: read.toolForms))
        case .chat, .completions:
            let read = try operation == .chat ? ChatReader.read(body) : CompletionsReader.read(body)
            return try conversation(read, operation, chatWriter(read, operation == .chat ? .chat : .completions))
        default: throw .unsupported("model", "\(operation.rawValue) has no translation")
        }
    }

    /// Chat completions that are passed on as they are, but for the counts.
    func summed(_ body: JSONValue) throws(TranslationError) -> TranslatedCall {
        let read = try ChatReader.read(body)
        var request = body
        request["model"] = .string(model)
        if read.conversation.wants.stream { request["stream_options"] = ["include_usage": true] }
        let answer = answer(chatWriter(read, .chat), to: read, speaksOllama: false)
        return .request(TranslatedRequest(path: "/v1/chat/completions", body: request, answer: answer))
    }

    private func chatWriter(_ read: ReadRequest, _ route: ChatStreamWriter.Route) -> ChatStreamWriter {
        ChatStreamWriter(
            id: id, created: unixSeconds, model: read.model ?? model, route: route, tellsUsage: read.conversation.wants.usage, spent: spent)
    }

    private func ollama(
        _ reading: OllamaReader.Reading, _ operation: Operation, _ route: OllamaStreamWriter.Route
    ) throws(TranslationError) -> TranslatedCall {
        switch reading {
        case .load(let asked, let isUnload):
            let answer = LoadAnswer(model: asked ?? model, route: route, reason: isUnload ? "unload" : "load")
            guard words.loadsByRoute else { return .immediate(answer.object(now: nil)) }
            let path = isUnload ? "/models/unload" : "/models/load"
            return .request(TranslatedRequest(path: path, body: ["model": .string(model)], answer: .body(answer)))
        case .request(let read):
            // Where the endpoint cannot be told not to think, what it thinks is kept from the client.
            let hidesThinking = read.conversation.thinking.isWanted == false && !words.templateArguments
            return try conversation(
                read, operation, OllamaStreamWriter(model: read.model ?? model, route: route, hidesThinking: hidesThinking, spent: spent))
        }
    }

    private func conversation(
        _ read: ReadRequest, _ operation: Operation, _ writer: some AnswerEventWriter
    ) throws(TranslationError) -> TranslatedCall {
        let speaksOllama = words.kind == .ollama
        let written =
            try speaksOllama
            ? OllamaWriter.write(read.conversation, model: model, words: words) : ChatWriter.write(read.conversation, model: model, words: words)
        return .request(
            TranslatedRequest(
                path: written.path, body: written.body, answer: answer(writer, to: read, speaksOllama: speaksOllama), said: written.said,
                dropped: read.dropped + written.dropped + FieldNote.names(written.unsaid, in: operation)))
    }

    private func answer(_ writer: some AnswerEventWriter, to read: ReadRequest, speaksOllama: Bool) -> AnswerTranslation {
        let wantsStream = read.conversation.wants.stream
        if speaksOllama {
            return .conversation(ConversationTranslation(OllamaStreamReader(id: id), .newlineJSON, writer, wantsStream: wantsStream))
        }
        return .conversation(ConversationTranslation(ChatStreamReader(id: id), .serverSentEvents, writer, wantsStream: wantsStream))
    }
}

/// The answer to a request that only loads a model or drops it.
struct LoadAnswer: BodyTranslation {
    let model: String
    let route: OllamaStreamWriter.Route
    let reason: String

    func object(now: String?) -> JSONValue {
        var object: JSONValue = ["model": .string(model), "created_at": now.map(JSONValue.string)]
        if route == .chat { object["message"] = ["role": "assistant", "content": ""] } else { object["response"] = "" }
        object["done"] = true
        object["done_reason"] = .string(reason)
        return object
    }

    func translate(_ answer: JSONValue, _ time: AnswerTime) -> JSONValue { object(now: time.now) }
}
