// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A service with chat completions and nothing else, behind which a scripted model does its task.
public final class ScriptedChatEndpoint: Sendable {
    public let endpoint: FakeEndpoint
    private let refusals = NIOLockedValueBox<[String]>([])

    /// Why it refused requests, each with the request's body.
    public var refused: [String] { refusals.withLockedValue { $0 } }

    /// What only newer services know.
    private static let newer = ["stream_options", "prompt_cache_key"]

    /// - Parameter manners: how it answers; a careless one also misspells the type of a stream, and refuses what only newer ones know.
    public init(
        strict: StrictChat = StrictChat(), model: ScriptedModel = ScriptedModel(), manners: ModelReply.ChatManners = .exact
    ) throws {
        let refusals = refusals
        endpoint = try FakeEndpoint("chat", kind: .openAI, available: ["m", "gpt-5.5", "gpt-6-sol"]) { connection, request in
            guard request.path == "/v1/chat/completions", request.method == "POST" else {
                connection.answer(Self.error("Not found: \(request.path)", "not_found_error"), status: "404 Not Found")
                return
            }
            let body = request.json
            let unknown = Self.newer.filter { body[$0] != nil }
            if manners == .careless, !unknown.isEmpty {
                let list = unknown.map { "{'type': 'extra_forbidden', 'loc': ['body', '\($0)']}" }.joined(separator: ", ")
                connection.answer(Self.error("[\(list)]", "invalid_request_error"), status: "422 Unprocessable Entity")
                return
            }
            if let reason = strict.refusal(of: body) {
                refusals.withLockedValue { $0.append("\(reason)\n\(request.text)") }
                connection.answer(Self.error(reason, "invalid_request_error"), status: "400 Bad Request")
                return
            }
            let reply = model.reply(to: ModelConversation(chat: body))
            let tellsUsage = (body["stream_options"] as? [String: Any])?["include_usage"] as? Bool == true
            connection.answer(
                reply.chat(
                    model: request.string("model") ?? "", streams: body["stream"] as? Bool == true, manners: manners, tellsUsage: tellsUsage,
                    usage: WireUsage(prompt: request.body.count / 4, completion: 7)),
                streamType: manners == .exact ? "text/event-stream" : "Text/Event-Stream; charset=utf-8")
        }
    }

    private static func error(_ message: String, _ type: String) -> String {
        WireJSON.text(["error": ["message": message, "type": type, "param": NSNull(), "code": NSNull()]])
    }
}

extension FakeConnection {
    /// Events come in a chunk each.
    public func answer(_ answer: WireAnswer, streamType: String = "text/event-stream") {
        switch answer {
        case .whole(let body): self.answer(body)
        case .events(let events):
            startStream(streamType)
            for event in events { sendChunk(event) }
            sendLastChunk()
        }
    }
}
