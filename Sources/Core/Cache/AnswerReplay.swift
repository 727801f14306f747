// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// From a kept answer to what the client at hand gets: in the route's dialect, whole or as a stream. Pure.
struct AnswerReplay: Sendable {
    /// What makes the answer this client's own.
    struct Identity: Sendable {
        /// For ids such as `chatcmpl-<id>`.
        var id: String
        /// RFC 3339, for Ollama's `created_at`.
        var time: String
        /// For OpenAI's `created`.
        var unixSeconds: Int
    }

    let route: CachedRoute
    private var answer: JSONValue

    /// - Parameters:
    ///   - answer: as `AnswerReading` made it.
    ///   - askedBefore: the model as it was named when the answer was made. An endpoint that repeats that name gets told the new one.
    init(_ request: CacheRequest, answer: JSONValue, askedBefore: String, _ identity: Identity) {
        route = request.route
        self.answer = answer
        if answer["model"]?.string == askedBefore { self.answer["model"] = .string(request.askedModel) }
        if route.isOllama {
            self.answer["created_at"] = .string(identity.time)
        } else {
            self.answer["id"] = .string((route == .chat ? "chatcmpl-" : "cmpl-") + identity.id)
            self.answer["created"] = .integer(identity.unixSeconds)
        }
    }

    /// For a client that does not stream.
    var whole: String { answer.text }

    var streamType: String { route.isOllama ? "application/x-ndjson" : "text/event-stream" }

    /// For a client that streams: all of the text in one item, and the end.
    func stream(tellsUsage: Bool) -> String {
        switch route {
        case .ollamaChat, .ollamaGenerate: lines()
        case .chat, .completions: events(tellsUsage: tellsUsage)
        }
    }

    private func lines() -> String {
        var first: JSONValue = ["model": answer["model"] ?? "", "created_at": answer["created_at"] ?? ""]
        var last = answer
        if route == .ollamaChat {
            first["message"] = answer["message"]
            last["message"] = ["role": answer["message"]?["role"] ?? "assistant", "content": ""]
        } else {
            first["response"] = answer["response"]
            first["thinking"] = answer["thinking"]
            last["response"] = ""
            if case .object(var object) = last {
                object["thinking"] = nil
                last = .object(object)
            }
        }
        first["done"] = false
        return first.text + "\n" + last.text + "\n"
    }

    private func events(tellsUsage: Bool) -> String {
        var frame = answer.object ?? JSONObject()
        let choices = frame.remove("choices")?.array ?? []
        let usage = frame.remove("usage")
        if route == .chat { frame["object"] = "chat.completion.chunk" }
        var text = ""
        func send(_ choices: [JSONValue], usage: JSONValue? = nil) {
            var item = JSONValue.object(frame)
            item["choices"] = .array(choices)
            item["usage"] = usage
            text += "data: \(item.text)\n\n"
        }
        for choice in choices {
            let index = choice["index"] ?? 0
            if route == .chat {
                send([["index": index, "delta": choice["message"] ?? [:], "finish_reason": .null]])
            } else {
                send([["index": index, "text": choice["text"] ?? "", "finish_reason": .null]])
            }
        }
        for choice in choices {
            var last = choice.object ?? JSONObject()
            if route == .chat {
                last["message"] = nil
                last["delta"] = [:]
            } else {
                last["text"] = ""
            }
            send([.object(last)])
        }
        if tellsUsage, let usage { send([], usage: usage) }
        return text + "data: [DONE]\n\n"
    }
}
