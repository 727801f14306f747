// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// What an endpoint does with one request, by name, so that tests can list faults and say which one they are about. Its polls are answered well
/// all the while.
public struct ScriptedAnswer: Sendable, CustomStringConvertible {
    public let description: String
    public let script: FakeEndpoint.Script

    public init(_ description: String, _ script: @escaping FakeEndpoint.Script) {
        self.description = description
        self.script = script
    }

    /// As a well-behaved server.
    public static let good = served("good")

    /// As a well-behaved server of this pace.
    public static func served(_ description: String, by server: FakeModelServer = FakeModelServer()) -> ScriptedAnswer {
        ScriptedAnswer(description) { connection, request in server.answer(request, on: connection) }
    }

    /// As a well-behaved server, once the gate opens.
    public static func held(by gate: Gate) -> ScriptedAnswer { ScriptedAnswer("held", FakeModelServer.held(by: gate)) }

    // MARK: A status and words

    /// A whole answer with an error in the dialect of the route.
    ///
    /// - Parameter status: with its reason phrase.
    public static func refusal(_ status: String, _ message: String, headers: [String] = []) -> ScriptedAnswer {
        ScriptedAnswer(([status] + headers).joined(separator: ", ")) { connection, request in
            connection.answer(errorBody(message, for: request), status: status, headers: headers)
        }
    }

    /// As Ollama says that its own line is full.
    public static func busy(retryAfter: String? = nil) -> ScriptedAnswer {
        refusal(
            "503 Service Unavailable", "server busy, please try again. maximum pending requests exceeded",
            headers: retryAfter.map { ["Retry-After: \($0)"] } ?? [])
    }

    /// As services with a rate limit do.
    public static func tooMany(retryAfter: String? = nil) -> ScriptedAnswer {
        refusal("429 Too Many Requests", "rate limit reached", headers: retryAfter.map { ["Retry-After: \($0)"] } ?? [])
    }

    /// As llama-server says that it has just been started.
    public static let loading = ScriptedAnswer("503, loading") { connection, _ in
        connection.answer(#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, status: "503 Service Unavailable")
    }

    public static let broken = refusal("500 Internal Server Error", "llama runner process has terminated: CUDA error")

    /// As Ollama says that somebody has removed the model.
    public static let modelIsGone = ScriptedAnswer("404, the model is gone") { connection, request in
        let model = request.string("model") ?? ""
        if request.path.hasPrefix("/api") {
            connection.answer(#"{"error":"model '\#(model)' not found"}"#, status: "404 Not Found")
        } else {
            connection.answer(
                #"{"error":{"message":"The model `\#(model)` does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
                status: "404 Not Found")
        }
    }

    /// As a server says that it has no such route.
    public static let routeIsUnknown = ScriptedAnswer("404, no such route") { connection, _ in
        connection.answer("404 page not found", status: "404 Not Found", contentType: "text/plain")
    }

    // MARK: No answer, or half of one

    public static let close = ScriptedAnswer("closed") { connection, _ in connection.close() }
    public static let reset = ScriptedAnswer("reset") { connection, _ in connection.reset() }
    /// Silent until the peer has had enough.
    public static let hang = ScriptedAnswer("hung") { connection, _ in connection.waitForPeerToLeave(within: 60) }
    public static let garbage = ScriptedAnswer("garbage for a head") { connection, _ in
        connection.send("SSH-2.0-OpenSSH_9.6\r\n\r\n")
        connection.close()
    }

    /// The head of a good answer, then `last`.
    public static func headThen(_ last: ScriptedAnswer) -> ScriptedAnswer {
        ScriptedAnswer("a head, then \(last)") { connection, request in
            if request.streams { connection.startStream(request.streamType) } else { connection.send(countedHead(1000)) }
            last.script(connection, request)
        }
    }

    /// One token, then `last`.
    public static func tokenThen(_ last: ScriptedAnswer) -> ScriptedAnswer {
        ScriptedAnswer("a token, then \(last)") { connection, request in
            if request.streams {
                connection.startStream(request.streamType)
                connection.sendChunk(request.item("token"))
            } else {
                connection.send(countedHead(1000) + #"{"model":""#)
            }
            last.script(connection, request)
        }
    }

    public static let emptyBody = ScriptedAnswer("200 with an empty body") { connection, request in
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: \(request.streams ? request.streamType : "application/json")\r\nContent-Length: 0\r\n\r\n")
    }

    /// A good status, and an error for a body: as Ollama and vLLM do when the head is out before the model fails.
    public static let errorInside = ScriptedAnswer("200 with an error for a body") { connection, request in
        let error = errorBody("the model runner has unexpectedly stopped", for: request)
        guard request.streams else { return connection.answer(error) ? () : () }
        connection.startStream(request.streamType)
        connection.sendChunk(request.path.hasPrefix("/api") ? error + "\n" : "data: \(error)\n\n")
        connection.sendLastChunk()
    }

    // MARK: Good answers that are unusual

    /// The head of a stream at once and its tokens when the gate opens, as servers do that begin their answer before they work on it.
    public static func lateToken(_ gate: Gate) -> ScriptedAnswer {
        ScriptedAnswer("a head, and tokens later") { connection, request in
            connection.startStream(request.streamType)
            guard gate.pass() else { return connection.close() }
            connection.sendChunk(request.item("late") + request.lastItem)
            connection.sendLastChunk()
        }
    }

    /// As `lateToken`, after so many seconds.
    public static func lateToken(after seconds: Double) -> ScriptedAnswer {
        ScriptedAnswer("a head, and tokens after \(seconds) s") { connection, request in
            connection.startStream(request.streamType)
            guard connection.pause(seconds) else { return }
            connection.sendChunk(request.item("late") + request.lastItem)
            connection.sendLastChunk()
        }
    }

    /// A head whose lines end with a line feed alone.
    public static let bareLineFeeds = ScriptedAnswer("a head with bare line feeds") { connection, request in
        guard request.streams else {
            let body = request.wholeBody
            connection.send("HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: \(body.utf8.count)\n\n\(body)")
            return
        }
        connection.send("HTTP/1.1 200 OK\nContent-Type: \(request.streamType)\nTransfer-Encoding: chunked\n\n")
        connection.sendChunk(request.item("whole") + request.lastItem)
        connection.sendLastChunk()
    }

    // MARK: Parts

    static func errorBody(_ message: String, for request: ReceivedRequest) -> String {
        request.path.hasPrefix("/api")
            ? #"{"error":"\#(message)"}"# : #"{"error":{"message":"\#(message)","type":"server_error","param":null,"code":null}}"#
    }

    private static func countedHead(_ length: Int) -> String {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
    }
}

extension ReceivedRequest {
    private var isNative: Bool { path.hasPrefix("/api") }

    /// Whether the client wants its answer token by token: what Ollama takes for granted, and others do not.
    public var streams: Bool { json["stream"] as? Bool ?? isNative }

    public var streamType: String { isNative ? "application/x-ndjson" : "text/event-stream" }

    /// One token as the chat route that was asked has it.
    public func item(_ word: String) -> String {
        let model = string("model") ?? ""
        return isNative
            ? #"{"model":"\#(model)","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"\#(word)"},"done":false}"# + "\n"
            : #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"\#(model)","choices":[{"index":0,"delta":{"content":"\#(word)"}}]}"#
                + "\n\n"
    }

    /// The end of a stream.
    public var lastItem: String {
        let model = string("model") ?? ""
        return isNative
            ? #"{"model":"\#(model)","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","#
                + #""prompt_eval_count":3,"eval_count":1}"# + "\n"
            : #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"\#(model)","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#
                + "\n\ndata: [DONE]\n\n"
    }

    /// A whole answer of a chat route.
    public var wholeBody: String {
        let model = string("model") ?? ""
        return isNative
            ? #"{"model":"\#(model)","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"whole"},"done":true,"#
                + #""done_reason":"stop","prompt_eval_count":3,"eval_count":7}"#
            : #"{"id":"c","object":"chat.completion","created":1,"model":"\#(model)","choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"#
                + #""finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10}}"#
    }
}

extension FakeEndpoint {
    /// An Ollama with one model in memory that answers by script.
    ///
    /// - Parameters:
    ///   - loaded: whether its model `m` is in memory; a request goes first to where it is.
    ///   - first: for its first requests, one each.
    ///   - then: for all others.
    public convenience init(
        _ name: String, kind: Kind = .ollama, loaded: Bool = true, first: [ScriptedAnswer] = [], then: ScriptedAnswer
    ) throws {
        let left = NIOLockedValueBox(first[...])
        try self.init(name, kind: kind, available: ["m"], loaded: loaded ? ["m"] : []) { connection, request in
            let answer = left.withLockedValue { $0.popFirst() } ?? then
            answer.script(connection, request)
        }
    }

    /// From now on.
    public func setAnswer(_ answer: ScriptedAnswer) { setScript(answer.script) }
}
