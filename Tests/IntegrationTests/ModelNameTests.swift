// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Names of models. What breaks without these: a client that names a model as the server itself accepts it, or that has just made it, gets 404.
@Suite struct ModelNameTests {
    private static let long = "listen: 127.0.0.1:0\nthreads: 2\npoll_interval: 5s\npoll_models_interval: 30s\n"

    private static func list(_ entries: String) -> FakeEndpoint.PollScript {
        { connection, request in
            guard request.path == "/v1/models" else { return false }
            connection.answer(#"{"object":"list","data":[\#(entries)]}"#)
            return true
        }
    }

    // MARK: Names that are not in the list

    /// As llama-server and llama-swap tell of other names for a model.
    @Test(arguments: [FakeEndpoint.Kind.openAI, .llamaServer]) func aliasesAreRead(_ kind: FakeEndpoint.Kind) throws {
        let service = try FakeEndpoint("service", kind: kind, available: ["real"])
        service.setPollScript(Self.list(#"{"id":"real","object":"model","aliases":["short","other/name"]}"#))
        let other = try FakeEndpoint("other", kind: kind, available: ["else"])
        try RunningDaemon.run([service, other]) { daemon in
            for (path, name) in [("/v1/chat/completions", "short"), ("/api/chat", "short"), ("/v1/chat/completions", "other/name")] {
                let answer = try RawClient.post(port: daemon.port, path, Chat.body(model: name))
                #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "service", "\(answer.text)")
            }
            #expect(service.requests.map { $0.string("model") } == ["short", "short", "other/name"], "the server knows it by this name, too")
            try #expect(RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body(model: "nobodys")).status == 404)
        }
    }

    /// An Ollama that is listed as an OpenAI-compatible service takes a name without its tag.
    @Test func ollamasTagMayBeLeftOut() throws {
        let ollama = try FakeEndpoint("ollama", kind: .openAI, available: ["llama3.2:latest"])
        let other = try FakeEndpoint("other", kind: .openAI, available: ["else"])
        try RunningDaemon.run([ollama, other]) { daemon in
            for path in ["/v1/chat/completions", "/api/chat"] {
                let answer = try RawClient.post(port: daemon.port, path, Chat.body(model: "llama3.2"))
                #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "ollama", "\(answer.text)")
            }
        }
    }

    /// Services have models that they do not list. Who has one endpoint, or names one, means that one.
    @Test(arguments: [FakeEndpoint.Kind.openAI, .llamaServer]) func aNameThatIsNotListedGoesWhereItCanOnlyBeMeant(_ kind: FakeEndpoint.Kind) throws {
        let service = try FakeEndpoint("service", kind: kind, available: ["listed"])
        let other = try FakeEndpoint("other", kind: kind, available: ["else"])
        try RunningDaemon.run([service]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body(model: "unlisted"))
            #expect(answer.status == 200, "\(answer.text)")
        }
        try RunningDaemon.run([service, other]) { daemon in
            let named = try RawClient.post(port: daemon.port, "/v1/chat/completions?endpoint=service", Chat.body(model: "unlisted"))
            #expect(named.status == 200 && named.head["x-routerd-endpoint"] == "service", "\(named.text)")
            let unnamed = try RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body(model: "unlisted"))
            #expect(unnamed.status == 404, "either could be meant")
        }
        #expect(service.requests.map { $0.string("model") } == ["unlisted", "unlisted"] && other.requestCount == 0)
    }

    /// The server's own word on a name that it does not know is the best there is.
    @Test func theServersOwnRefusalOfAnUnknownNameIsPassedOn() throws {
        let service = try FakeEndpoint("service", kind: .openAI, then: .modelIsGone)
        try RunningDaemon.run([service]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body(model: "unlisted"))
            #expect(answer.status == 404 && answer.text.contains("model_not_found"), "\(answer.text)")
        }
    }

    // MARK: Read your writes

    /// Ollama's routes that change which models there are, on endpoints that do so.
    private static func manage(_ endpoints: [FakeEndpoint]) {
        for endpoint in endpoints {
            let name = endpoint.name
            endpoint.setScript { [weak endpoint] connection, request in
                guard let endpoint else { return }
                let model = request.string("model") ?? ""
                switch request.path {
                case "/api/pull", "/api/create":
                    if request.json["stream"] as? Bool == false {
                        endpoint.add(model)
                        connection.answer(#"{"status":"success"}"#)
                        return
                    }
                    connection.startStream()
                    connection.sendChunk(#"{"status":"working on \#(name)"}"# + "\n")
                    endpoint.add(model)
                    connection.sendChunk(#"{"status":"success"}"# + "\n")
                    connection.sendLastChunk()
                case "/api/copy":
                    endpoint.add(request.string("destination") ?? "")
                    connection.answer("", contentType: "text/plain")
                case "/api/delete":
                    endpoint.remove(model)
                    connection.answer("", contentType: "text/plain")
                default: FakeModelServer().answer(request, on: connection)
                }
            }
        }
    }

    struct Change: Sendable, CustomStringConvertible {
        let path: String
        let streams: Bool
        var description: String { "\(path), \(streams ? "streamed" : "whole")" }

        func body(_ model: String) -> String {
            switch path {
            case "/api/copy": #"{"source":"m","destination":"\#(model)"}"#
            case "/api/create": #"{"model":"\#(model)","from":"m","stream":\#(streams)}"#
            default: #"{"model":"\#(model)","stream":\#(streams)}"#
            }
        }
    }

    static let changes = [
        Change(path: "/api/pull", streams: true), Change(path: "/api/pull", streams: false), Change(path: "/api/create", streams: true),
        Change(path: "/api/create", streams: false), Change(path: "/api/copy", streams: false),
    ]

    /// Who has read that it is done may use it.
    @Test(arguments: changes, [1, 2]) func aModelIsThereAsSoonAsItsMakingIsTold(_ change: Change, _ endpoints: Int) throws {
        let endpoints = try (0..<endpoints).map { try FakeEndpoint("e\($0)", available: ["m"], loaded: ["m"]) }
        Self.manage(endpoints)
        try RunningDaemon.run(endpoints, preamble: Self.long) { daemon in
            for number in 0..<4 {
                let model = "new\(number)"
                let client = try daemon.client()
                try client.send(RawClient.request("POST", change.path, body: change.body(model)))
                try #expect(client.readHead().status == 200)
                // Not to the end of the answer: a client may act on the line.
                if change.streams { try client.read(upTo: "\"success\"") } else { _ = try client.readRest() }
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body(model: model))
                #expect(answer.status == 200, "\(answer.text)")
                try #expect(RawClient.get(port: daemon.port, "/api/tags").text.contains(model))
                if change.streams { _ = try client.readRest() }
            }
        }
    }

    @Test func aModelIsGoneAsSoonAsItsDeletionIsTold() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m", "x0", "x1", "x2", "x3"], loaded: ["m"])
        Self.manage([endpoint])
        try RunningDaemon.run([endpoint], preamble: Self.long) { daemon in
            for number in 0..<4 {
                let request = RawClient.request("DELETE", "/api/delete", body: #"{"model":"x\#(number)"}"#)
                try #expect(RawClient.exchange(port: daemon.port, request, method: "DELETE").status == 200)
                try #expect(!RawClient.get(port: daemon.port, "/api/tags").text.contains("x\(number)"), "it is still listed")
            }
        }
    }

    @Test func operatorsReadTheirWritesToo() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        Self.manage([endpoint])
        try RunningDaemon.run([endpoint], preamble: Self.long) { daemon in
            for number in 0..<3 {
                let copied = try daemon.routerctl("copy", "m", "y\(number)", "--yes")
                #expect(copied.status == 0, "\(copied)")
                let loaded = try daemon.routerctl("load", "y\(number)")
                #expect(loaded.status == 0, "\(loaded)")
            }
        }
    }
}
