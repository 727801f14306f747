// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

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

    /// For a client that streams: the text in pieces, and the end.
    func stream(tellsUsage: Bool) -> String {
        switch route {
        case .ollamaChat, .ollamaGenerate: lines()
        case .chat, .completions: events(tellsUsage: tellsUsage)
        }
    }

    // MARK: Pieces

    /// Clients may show what comes as it comes, or count on more than one piece; a long text makes not more than this.
    private static let mostPieces = 128
    private static let shortestPiece = 8

    /// The text, cut behind spaces.
    private static func pieces(_ text: String) -> [Substring] {
        let length = max(shortestPiece, text.utf8.count / mostPieces)
        var pieces: [Substring] = []
        var rest = Substring(text)
        while rest.utf8.count > length {
            let earliest = rest.utf8.index(rest.startIndex, offsetBy: length - 1)
            guard let space = rest[earliest...].firstIndex(of: " ") else { break }
            let end = rest.index(after: space)
            pieces.append(rest[..<end])
            rest = rest[end...]
        }
        if !rest.isEmpty || pieces.isEmpty { pieces.append(rest) }
        return pieces
    }

    // MARK: Ollama

    private func lines() -> String {
        let isChat = route == .ollamaChat
        let frame: JSONValue = ["model": answer["model"] ?? "", "created_at": answer["created_at"] ?? ""]
        let role = answer["message"]?["role"] ?? "assistant"
        let name = isChat ? "content" : "response"
        var text = ""
        func send(_ thinking: Substring?, _ content: Substring) {
            var item = frame
            var part = isChat ? ["role": role] as JSONValue : item
            part[name] = .string(String(content))
            if let thinking { part["thinking"] = .string(String(thinking)) }
            if isChat { item["message"] = part } else { item = part }
            item["done"] = false
            text += item.text + "\n"
        }
        let source = (isChat ? answer["message"] : answer) ?? [:]
        if let thinking = source["thinking"]?.string, !thinking.isEmpty { for piece in Self.pieces(thinking) { send(piece, "") } }
        for piece in Self.pieces(source[name]?.string ?? "") { send(nil, piece) }
        var last = answer.object ?? JSONObject()
        if isChat {
            last["message"] = ["role": role, "content": ""]
        } else {
            last["response"] = ""
            last["thinking"] = nil
        }
        return text + JSONValue.object(last).text + "\n"
    }

    // MARK: OpenAI

    /// Texts of a message that grow as they come.
    private static let growing = ["reasoning_content", "reasoning", "thinking", "content"]

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
        func send(_ index: JSONValue, _ name: String, _ value: JSONValue) {
            var choice: JSONValue = ["index": index]
            choice[name] = value
            choice["finish_reason"] = .null
            send([choice])
        }
        for choice in choices {
            let index = choice["index"] ?? 0
            guard route == .chat else {
                for piece in Self.pieces(choice["text"]?.string ?? "") { send(index, "text", .string(String(piece))) }
                continue
            }
            var message = choice["message"]?.object ?? JSONObject()
            let texts = Self.growing.compactMap { name in message[name]?.string.map { (name, $0) } }
            for (name, _) in texts where name != "content" { message[name] = nil }
            // Who speaks, and what does not grow, comes first.
            message["content"] = ""
            send(index, "delta", .object(message))
            for (name, whole) in texts where !whole.isEmpty {
                for piece in Self.pieces(whole) {
                    var delta = JSONObject()
                    delta[name] = .string(String(piece))
                    send(index, "delta", .object(delta))
                }
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
