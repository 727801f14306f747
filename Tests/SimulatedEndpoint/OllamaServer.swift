// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// One simulated Ollama: a thread accepts, and each connection has a thread.
final class OllamaServer: Sendable {
    struct Settings: Sendable {
        var version: String
        /// Tokens of an answer where the request does not say how many.
        var tokens: Int
        var log: Bool
    }

    let settings: Settings
    let models: [StoredModel]
    let live: LiveServer

    init(settings: Settings, models: [StoredModel], live: LiveServer) {
        self.settings = settings
        self.models = models
        self.live = live
    }

    /// Serves until the process ends.
    func run(on listener: TCPSocket) {
        var number = 0
        while listener.isOpen {
            guard let accepted = try? listener.accept() else { continue }
            number += 1
            let connection = FakeConnection(socket: accepted, number: number)
            Thread.detachNewThread { self.serve(connection) }
        }
    }

    /// A line on standard output, at once: somebody waits for it in a file or a pipe.
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    private func serve(_ connection: FakeConnection) {
        var reader = RequestReader(connection.socket)
        while connection.isOpen, let request = reader.next() {
            answer(request, connection)
            let isPoll = request.method == "GET" && ["/api/version", "/api/tags", "/api/ps"].contains(request.path)
            if settings.log, !isPoll { Self.say("\(request.method) \(request.path) \(request.string("model") ?? "")") }
            // An HTTP/1.0 client is not kept, nor is one that says so.
            if request.head["connection"]?.lowercased() == "close" || request.head.firstLine.hasSuffix("HTTP/1.0") { break }
        }
        connection.close()
    }

    // MARK: Routes

    private typealias Handler = @Sendable (OllamaServer, ReceivedRequest, FakeConnection) throws -> Void

    private static let routes: [String: (methods: [String], handler: Handler)] = [
        "/": (["GET", "HEAD"], { _, _, connection in connection.answer("Ollama is running", contentType: "text/plain; charset=utf-8") }),
        "/api/version": (
            ["GET", "HEAD"], { server, _, connection in connection.answer(#"{"version":\#(GoJSON.quote(server.settings.version))}"#) }
        ),
        "/api/tags": (["GET", "HEAD"], { server, _, connection in connection.answer(server.tags()) }),
        "/api/ps": (["GET"], { server, _, connection in connection.answer(server.ps()) }),
        "/api/show": (["POST"], { try $0.show($1, $2) }),
        "/api/generate": (["POST"], { try $0.generate($1, $2, chat: false) }),
        "/api/chat": (["POST"], { try $0.generate($1, $2, chat: true) }),
        "/api/embed": (["POST"], { try $0.embed($1, $2) }),
        "/api/embeddings": (["POST"], { try $0.embeddings($1, $2) }),
        "/v1/models": (["GET"], { server, _, connection in connection.answer(server.openAIModels()) }),
        "/v1/chat/completions": (["POST"], { try $0.complete($1, $2, chat: true) }),
        "/v1/completions": (["POST"], { try $0.complete($1, $2, chat: false) }),
        "/v1/embeddings": (["POST"], { try $0.openAIEmbeddings($1, $2) }),
        "/v1/responses": (["POST"], { try $0.respond($1, $2) }),
        "/v1/messages": (["POST"], { try $0.message($1, $2) }),
    ]

    /// The first versions that have a route, where not all have it.
    private static let since: [String: [Int]] = ["/v1/responses": [0, 13, 3], "/v1/messages": [0, 14, 0]]

    private func has(_ path: String) -> Bool {
        guard let first = Self.since[path] else { return true }
        return !settings.version.split(separator: ".").map({ Int($0) ?? 0 }).lexicographicallyPrecedes(first)
    }

    private func answer(_ request: ReceivedRequest, _ connection: FakeConnection) {
        let isModel = request.path.hasPrefix("/v1/models/") && request.path.split(separator: "/").count == 3
        let route: (methods: [String], handler: Handler)? =
            isModel ? (["GET"], { $0.openAIModel($1, $2) }) : has(request.path) ? Self.routes[request.path] : nil
        guard let route else {
            connection.answer("404 page not found", status: "404 Not Found", contentType: "text/plain")
            return
        }
        guard route.methods.contains(request.method) else {
            connection.answer(
                "405 method not allowed", status: "405 Method Not Allowed", contentType: "text/plain",
                headers: ["Allow: \(route.methods.joined(separator: ", "))"])
            return
        }
        if request.method == "HEAD" {
            connection.send("HTTP/1.1 200 OK\r\nContent-Type: \(request.path == "/" ? "text/plain" : "application/json"); charset=utf-8\r\n\r\n")
            return
        }
        do {
            try route.handler(self, request, connection)
        } catch let error as OllamaError {
            fail(error, request, connection)
        } catch {
            fail(OllamaError(500, "\(error)"), request, connection)
        }
    }

    private func fail(_ error: OllamaError, _ request: ReceivedRequest, _ connection: FakeConnection) {
        let phrase = [400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"][error.status] ?? "Internal Server Error"
        let message = GoJSON.quote(error.message)
        let type = [400: "invalid_request_error", 404: "not_found_error"][error.status] ?? "api_error"
        let body =
            switch request.path {
            case "/v1/messages": #"{"type":"error","error":{"type":"\#(error.status == 503 ? "overloaded_error" : type)","message":\#(message)}}"#
            case let path where path.hasPrefix("/v1/"): #"{"error":{"message":\#(message),"type":"\#(type)","param":null,"code":null}}"#
            default: #"{"error":\#(message)}"#
            }
        connection.answer(body, status: "\(error.status) \(phrase)")
    }

    // MARK: Models

    /// - Parameter notFound: the text of the 404, which differs from route to route.
    func model(_ name: String, notFound: (String) -> String = { "model '\($0)' not found" }) throws -> StoredModel {
        guard let model = models.first(where: { $0.name == StoredModel.normalized(name) }) else { throw OllamaError(404, notFound(name)) }
        return model
    }
}
