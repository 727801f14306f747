// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// `/api/generate`, `/api/chat` and their OpenAI forms: text that comes token by token.
extension OllamaServer {
    /// What the simulated model says: deterministic, and it repeats the question, so that a reader sees whose answer it is.
    private func words(_ model: SimulatedModel, _ prompt: String, limit: Int?) -> (tokens: [String], isCut: Bool) {
        var all =
            ["I", "am", model.name + ",", "simulated.", "You", "asked:"] + prompt.split(whereSeparator: \.isWhitespace).prefix(12).map(String.init)
        let filler = ["Nobody", "thought", "about", "this", "answer,", "but", "its", "tokens", "come", "one", "by", "one."]
        while all.count < settings.tokens { all.append(filler[all.count % filler.count]) }
        let count = min(limit ?? settings.tokens, settings.tokens)
        return ((0..<count).map { ($0 == 0 ? "" : " ") + all[$0] }, count < settings.tokens)
    }

    private func text(of message: Any?) -> String {
        switch (message as? [String: Any])?["content"] {
        case let text as String: text
        case let parts as [[String: Any]]: parts.compactMap { $0["text"] as? String }.joined(separator: " ")
        default: ""
        }
    }

    // MARK: Ollama's own

    func generate(_ request: ReceivedRequest, _ connection: FakeConnection, chat: Bool) throws {
        let body = try RequestBody(request.body)
        let name = body.model()
        if chat, name.isEmpty { throw OllamaError(400, "model is required") }
        let model = try model(name)
        let keepAlive = try body.keepAlive()
        let streams = try body.bool("stream") ?? true
        let prompt = chat ? text(of: body.array("messages")?.last) : body.string("prompt") ?? ""
        let isEmpty = chat ? (body.array("messages") ?? []).isEmpty : prompt.isEmpty
        let head = { #"{"model":\#(GoJSON.quote(name)),"created_at":"\#(Timestamp.now())","# }
        func part(_ text: String) -> String {
            chat ? #""message":{"role":"assistant","content":\#(GoJSON.quote(text))}"# : #""response":\#(GoJSON.quote(text))"#
        }
        // Nothing to answer: a load or an unload, one object in either case.
        if isEmpty {
            if keepAlive == 0 {
                memory.unload(model)
                connection.answer(head() + part("") + #","done":true,"done_reason":"unload"}"#)
            } else {
                try using(model, connection, keepAlive: keepAlive) { _ in
                    connection.answer(head() + part("") + #","done":true,"done_reason":"load"}"#)
                }
            }
            return
        }
        if model.embeds { throw OllamaError(400, "\"\(name)\" does not support \(chat ? "chat" : "generate")") }
        let limit = (body.object("options")?["num_predict"] as? NSNumber)?.intValue
        try using(model, connection, keepAlive: keepAlive) { waited in
            let (tokens, isCut) = words(model, prompt, limit: limit.flatMap { $0 < 0 ? nil : $0 })
            let promptTokens = prompt.split(whereSeparator: \.isWhitespace).count + 8
            let spent = settings.tokenTime * Double(tokens.count)
            let context = chat ? "" : #","context":[1,2,3]"#
            let figures =
                #","done":true,"done_reason":"\#(isCut ? "length" : "stop")"\#(context),"total_duration":\#(nanoseconds(waited + spent)),"#
                + #""load_duration":\#(nanoseconds(waited)),"prompt_eval_count":\#(promptTokens),"prompt_eval_duration":\#(nanoseconds(settings.tokenTime)),"#
                + #""eval_count":\#(tokens.count),"eval_duration":\#(nanoseconds(spent))}"#
            guard streams else {
                guard connection.pause(spent) else { return }
                connection.answer(head() + part(tokens.joined()) + figures)
                return
            }
            guard connection.pause(settings.tokenTime), connection.startStream() else { return }
            for token in tokens {
                guard connection.sendChunk(head() + part(token) + #","done":false}"# + "\n"), connection.pause(settings.tokenTime) else { return }
            }
            connection.sendChunk(head() + part("") + figures + "\n")
            connection.sendLastChunk()
        }
    }

    // MARK: OpenAI's

    func complete(_ request: ReceivedRequest, _ connection: FakeConnection, chat: Bool) throws {
        let body = try RequestBody(request.body)
        let name = body.model()
        if chat, (body.array("messages") ?? []).isEmpty { throw OllamaError(400, "[] is too short - 'messages'") }
        if chat, name.isEmpty { throw OllamaError(400, "model is required") }
        let model = try model(name)
        if model.embeds { throw OllamaError(400, "\"\(name)\" does not support \(chat ? "chat" : "generate")") }
        let prompt = chat ? text(of: body.array("messages")?.last) : body.string("prompt") ?? ""
        let streams = try body.bool("stream") ?? false
        let limit = ((body["max_tokens"] ?? body["max_completion_tokens"]) as? NSNumber)?.intValue
        let wantsUsage = (body.object("stream_options")?["include_usage"] as? Bool) == true
        let number = Int.random(in: 1...999)
        let created = Int(Date().timeIntervalSince1970)
        let kind = chat ? "chat.completion" : "text_completion"
        func object(_ kind: String, _ choices: String, _ extra: String = "") -> String {
            #"{"id":"\#(chat ? "chatcmpl" : "cmpl")-\#(number)","object":"\#(kind)","created":\#(created),"model":\#(GoJSON.quote(name)),"#
                + #""system_fingerprint":"fp_ollama","choices":[\#(choices)]\#(extra)}"#
        }
        try using(model, connection, keepAlive: nil) { _ in
            let (tokens, isCut) = words(model, prompt, limit: limit)
            let reason = isCut ? "length" : "stop"
            let promptTokens = prompt.split(whereSeparator: \.isWhitespace).count + 8
            let usage =
                #","usage":{"prompt_tokens":\#(promptTokens),"completion_tokens":\#(tokens.count),"total_tokens":\#(promptTokens + tokens.count)}"#
            guard streams else {
                guard connection.pause(settings.tokenTime * Double(tokens.count)) else { return }
                let text = GoJSON.quote(tokens.joined())
                let content = chat ? #""message":{"role":"assistant","content":\#(text)}"# : #""text":\#(text)"#
                connection.answer(object(kind, #"{"index":0,\#(content),"finish_reason":"\#(reason)"}"#, usage))
                return
            }
            let chunk = chat ? kind + ".chunk" : kind
            func send(_ object: String) -> Bool { connection.sendChunk("data: \(object)\n\n") }
            guard connection.pause(settings.tokenTime), connection.startStream("text/event-stream") else { return }
            for token in tokens {
                let text = GoJSON.quote(token)
                let content = chat ? #""delta":{"role":"assistant","content":\#(text)}"# : #""text":\#(text)"#
                guard send(object(chunk, #"{"index":0,\#(content),"finish_reason":null}"#)), connection.pause(settings.tokenTime) else { return }
            }
            let end = chat ? #""delta":{"role":"assistant","content":""}"# : #""text":"""#
            guard send(object(chunk, #"{"index":0,\#(end),"finish_reason":"\#(reason)"}"#)) else { return }
            if wantsUsage { guard send(object(chunk, "", usage)) else { return } }
            guard send("[DONE]") else { return }
            connection.sendLastChunk()
        }
    }
}
