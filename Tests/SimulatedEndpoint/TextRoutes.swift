// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation
import TestSupport

/// `/api/generate`, `/api/chat` and their OpenAI forms: text that comes token by token.
extension OllamaServer {
    /// Tokens of prompt and answer that a model can have; no answer is longer.
    static let contextLength = 8192
    /// What the models were trained with; a request that asks for more gets that.
    static let trainedContext = 131_072

    /// A prompt, whatever form it came in: a word is a token.
    struct Prompt {
        /// What the answer repeats.
        var last: String
        /// Of the whole.
        var words: [Int]
    }

    private func prompt(_ body: RequestBody, chat: Bool) -> Prompt {
        let texts = chat ? (body.array("messages") ?? []).map { text(of: $0) } : [body.string("system") ?? "", body.string("prompt") ?? ""]
        return Prompt(last: texts.last ?? "", words: texts.flatMap { ConversationIndex.hashes($0) })
    }

    private func text(of message: Any?) -> String {
        switch (message as? [String: Any])?["content"] {
        case let text as String: text
        case let parts as [[String: Any]]: parts.compactMap { $0["text"] as? String }.joined(separator: " ")
        default: ""
        }
    }

    func prompt(_ turns: [String]) -> Prompt { Prompt(last: turns.last ?? "", words: turns.flatMap { ConversationIndex.hashes($0) }) }

    /// What the simulated model says: deterministic, and it repeats the question, so that a reader sees whose answer it is.
    func words(_ model: StoredModel, _ prompt: Prompt, count: Int) -> [String] {
        var all =
            ["I", "am", model.name + ",", "simulated.", "You", "asked:"]
            + prompt.last.split(whereSeparator: \.isWhitespace).prefix(12).map(String.init)
        let filler = ["Nobody", "thought", "about", "this", "answer,", "but", "its", "tokens", "come", "one", "by", "one."]
        while all.count < count { all.append(filler[all.count % filler.count]) }
        return (0..<max(0, count)).map { ($0 == 0 ? "" : " ") + all[$0] }
    }

    func question(_ model: StoredModel, _ prompt: Prompt, _ tokens: [String], keepAlive: Double?, context: Int? = nil) -> LiveServer.Question {
        LiveServer.Question(
            model: model, prompt: prompt.words, answer: ConversationIndex.hashes(tokens.joined()), keepAlive: keepAlive, context: context)
    }

    // MARK: Ollama's own

    func generate(_ request: ReceivedRequest, _ connection: FakeConnection, chat: Bool) throws {
        let body = try RequestBody(request.body)
        let name = body.model()
        if chat, name.isEmpty { throw OllamaError(400, "model is required") }
        let model = try model(name)
        let keepAlive = try body.keepAlive()
        let streams = try body.bool("stream") ?? true
        let isEmpty = chat ? (body.array("messages") ?? []).isEmpty : (body.string("prompt") ?? "").isEmpty
        let head = { #"{"model":\#(GoJSON.quote(name)),"created_at":"\#(Timestamp.now())","# }
        func part(_ text: String) -> String {
            chat ? #""message":{"role":"assistant","content":\#(GoJSON.quote(text))}"# : #""response":\#(GoJSON.quote(text))"#
        }
        // Nothing to answer: a load or an unload, one object in either case.
        if isEmpty {
            if keepAlive == 0 {
                live.unload(model)
                connection.answer(head() + part("") + #","done":true,"done_reason":"unload"}"#)
            } else if try live.load(model, keepAlive: keepAlive, context: body.context, for: connection) {
                connection.answer(head() + part("") + #","done":true,"done_reason":"load"}"#)
            }
            return
        }
        if model.embeds { throw OllamaError(400, "\"\(name)\" does not support \(chat ? "chat" : "generate")") }
        let prompt = prompt(body, chat: chat)
        if chat, let reply = scripted(ModelConversation(chat: request.json)) {
            try play(reply, model, prompt, streams: streams, streamType: "application/x-ndjson", on: connection) {
                reply.ollama(model: name, streams: streams, now: Timestamp.now(), usage: $0)
            }
            return
        }
        // The model never ends by itself before it has said as much as it is asked for.
        let limit = (body.object("options")?["num_predict"] as? NSNumber)?.intValue ?? -1
        let tokens = words(model, prompt, count: limit < 0 ? settings.tokens : min(limit, Self.contextLength))
        let context = chat ? "" : #","context":[1,2,3]"#
        func figures(_ spent: WorkFigures) -> String {
            #","done":true,"done_reason":"\#(limit < 0 ? "stop" : "length")"\#(context),"#
                + #""total_duration":\#(nanoseconds(spent.load + spent.prefill + spent.decode)),"load_duration":\#(nanoseconds(spent.load)),"#
                + #""prompt_eval_count":\#(prompt.words.count),"prompt_eval_duration":\#(nanoseconds(spent.prefill)),"#
                + #""eval_count":\#(tokens.count),"eval_duration":\#(nanoseconds(spent.decode))}"#
        }
        let question = question(model, prompt, tokens, keepAlive: keepAlive, context: body.context)
        guard streams else {
            guard let spent = try live.serve(question, for: connection) else { return }
            connection.answer(head() + part(tokens.joined()) + figures(spent))
            return
        }
        var stream = TokenStream(connection, "application/x-ndjson")
        guard
            let spent = try live.serve(
                question, for: connection,
                progress: { count in stream.send(upTo: count) { head() + part(tokens[$0]) + #","done":false}"# + "\n" } })
        else { return }
        stream.end([head() + part("") + figures(spent) + "\n"])
    }

    // MARK: OpenAI's

    func complete(_ request: ReceivedRequest, _ connection: FakeConnection, chat: Bool) throws {
        let body = try RequestBody(request.body)
        let name = body.model()
        if chat, (body.array("messages") ?? []).isEmpty { throw OllamaError(400, "[] is too short - 'messages'") }
        if chat, name.isEmpty { throw OllamaError(400, "model is required") }
        let model = try model(name)
        if model.embeds { throw OllamaError(400, "\"\(name)\" does not support \(chat ? "chat" : "generate")") }
        let prompt = prompt(body, chat: chat)
        let streams = try body.bool("stream") ?? false
        if chat, let reply = scripted(ModelConversation(chat: request.json)) {
            let tellsUsage = (body.object("stream_options")?["include_usage"] as? Bool) == true
            try play(reply, model, prompt, streams: streams, on: connection) {
                reply.chat(model: name, streams: streams, thinkingField: "reasoning", tellsUsage: tellsUsage, usage: $0)
            }
            return
        }
        // Clients set this to what they can bear rather than to what they want.
        let limit = ((body["max_tokens"] ?? body["max_completion_tokens"]) as? NSNumber)?.intValue
        let wantsUsage = (body.object("stream_options")?["include_usage"] as? Bool) == true
        let number = Int.random(in: 1...999)
        let created = Int(Date().timeIntervalSince1970)
        let kind = chat ? "chat.completion" : "text_completion"
        func object(_ kind: String, _ choices: String, _ extra: String = "") -> String {
            #"{"id":"\#(chat ? "chatcmpl" : "cmpl")-\#(number)","object":"\#(kind)","created":\#(created),"model":\#(GoJSON.quote(name)),"#
                + #""system_fingerprint":"fp_ollama","choices":[\#(choices)]\#(extra)}"#
        }
        let tokens = words(model, prompt, count: min(limit ?? settings.tokens, settings.tokens))
        let reason = tokens.count < settings.tokens ? "length" : "stop"
        let usage =
            #","usage":{"prompt_tokens":\#(prompt.words.count),"completion_tokens":\#(tokens.count),"#
            + #""total_tokens":\#(prompt.words.count + tokens.count)}"#
        let question = question(model, prompt, tokens, keepAlive: nil)
        guard streams else {
            guard try live.serve(question, for: connection) != nil else { return }
            let text = GoJSON.quote(tokens.joined())
            let content = chat ? #""message":{"role":"assistant","content":\#(text)}"# : #""text":\#(text)"#
            connection.answer(object(kind, #"{"index":0,\#(content),"finish_reason":"\#(reason)"}"#, usage))
            return
        }
        let chunk = chat ? kind + ".chunk" : kind
        func event(_ object: String) -> String { "data: \(object)\n\n" }
        var stream = TokenStream(connection, "text/event-stream")
        let served = try live.serve(
            question, for: connection,
            progress: { count in
                stream.send(upTo: count) { index in
                    let text = GoJSON.quote(tokens[index])
                    let content = chat ? #""delta":{"role":"assistant","content":\#(text)}"# : #""text":\#(text)"#
                    return event(object(chunk, #"{"index":0,\#(content),"finish_reason":null}"#))
                }
            })
        guard served != nil else { return }
        let end = chat ? #""delta":{"role":"assistant","content":""}"# : #""text":"""#
        stream.end(
            [event(object(chunk, #"{"index":0,\#(end),"finish_reason":"\#(reason)"}"#))] + (wantsUsage ? [event(object(chunk, "", usage))] : [])
                + [event("[DONE]")])
    }
}

/// An answer that is sent a token at a time, each in a chunk of its own.
struct TokenStream {
    private let connection: FakeConnection
    private let contentType: String
    private var sent = 0
    private var hasBegun = false

    init(_ connection: FakeConnection, _ contentType: String) {
        self.connection = connection
        self.contentType = contentType
    }

    /// - Returns: false if the client is gone.
    mutating func send(upTo count: Int, _ token: (Int) -> String) -> Bool {
        guard begin() else { return false }
        defer { sent = count }
        return connection.send((sent..<count).flatMap { FakeConnection.chunk(Array(token($0).utf8)) })
    }

    mutating func end(_ lines: [String]) {
        guard begin() else { return }
        connection.send(lines.flatMap { FakeConnection.chunk(Array($0.utf8)) })
        connection.sendLastChunk()
    }

    private mutating func begin() -> Bool {
        if hasBegun { return true }
        hasBegun = true
        return connection.startStream(contentType)
    }
}
