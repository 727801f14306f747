// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The routes that the router answers itself: one fleet as one server, and no dead endpoint that holds it up.
@Suite struct MergedRoutesTests {
    private static func names(_ answer: RawResponse, _ list: String, _ key: String) throws -> [String] {
        guard let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any], let rows = object[list] as? [[String: Any]]
        else {
            throw TestFailure("no '\(list)' in \(answer.text)")
        }
        return rows.compactMap { $0[key] as? String }
    }

    @Test func listsAreMergedOverTheFleetWithoutDoubles() throws {
        let first = try FakeEndpoint("first", available: ["a", "b"], loaded: ["a"], server: FakeModelServer(version: "0.12.3"))
        let second = try FakeEndpoint("second", available: ["b", "c"], loaded: ["a", "c"], server: FakeModelServer(version: "0.9.11"))
        let llama = try FakeEndpoint("llama", kind: .llamaServer, available: ["gguf-model"])
        try RunningDaemon.run([first, second, llama]) { daemon in
            let tags = try RawClient.get(port: daemon.port, "/api/tags")
            #expect(tags.status == 200 && tags.head["content-type"] == "application/json; charset=utf-8")
            let tagNames = try Self.names(tags, "models", "name")
            #expect(tagNames.filter { $0 == "b:latest" }.count == 1)
            #expect(Set(tagNames).isSuperset(of: ["a:latest", "b:latest", "c:latest"]))
            let loaded = try Self.names(RawClient.get(port: daemon.port, "/api/ps"), "models", "name")
            #expect(Set(loaded).isSuperset(of: ["a:latest", "c:latest"]))
            let ids = try Self.names(RawClient.get(port: daemon.port, "/v1/models"), "data", "id")
            #expect(Set(ids).isSuperset(of: ["gguf-model"]) && ids.count == Set(ids).count && ids.count == 4, "\(ids)")
            // The lowest: a client must not be promised what one of them cannot do.
            try #expect(RawClient.get(port: daemon.port, "/api/version").text == #"{"version":"0.9.11"}"#)
            // Rows pass as the endpoint wrote them, odd numbers and all.
            #expect(tags.text.contains(#""modified_at":"2026-01-01T00:00:00.123456789+02:00","size":2019393189"#))
        }
    }

    @Test func aSingleModelCanBeAskedFor() throws {
        let endpoint = try FakeEndpoint(available: ["a"])
        try RunningDaemon.run([endpoint]) { daemon in
            let known = try RawClient.get(port: daemon.port, "/v1/models/a")
            let unknown = try RawClient.get(port: daemon.port, "/v1/models/b")
            #expect(known.status == 200 && known.text.contains(#""object":"model""#))
            #expect(unknown.status == 404 && unknown.text.hasPrefix(#"{"error":{"#))
        }
    }

    /// A list is what is known, at once: it asks nobody.
    @Test func aHungOrDeadEndpointDelaysNobody() throws {
        let good = try FakeEndpoint("good", available: ["a"], loaded: ["a"])
        let hung = try FakeEndpoint("hung", available: ["b"])
        let dead = try FakeEndpoint("dead", available: ["c"])
        try RunningDaemon.run([good, hung, dead], "poll_timeout: 60s\n") { daemon in
            hung.setPollsHang(true)
            dead.die()
            try eventually("dead is down") { try daemon.endpoint("dead").state == "down" }
            for path in ["/api/tags", "/api/ps", "/v1/models", "/api/version", "/"] {
                let started = ContinuousClock.now
                try #expect(RawClient.get(port: daemon.port, path).status == 200)
                #expect(ContinuousClock.now - started < .seconds(5), "\(path) waited for an endpoint")
            }
            let names = try Self.names(RawClient.get(port: daemon.port, "/api/tags"), "models", "name")
            #expect(names.contains("a:latest") && !names.contains("c:latest"))
        }
    }

    @Test func theRouterSaysWhetherItIsThereAndReady() throws {
        let endpoint = try FakeEndpoint(available: ["a"])
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(RawClient.get(port: daemon.port, "/").text == "Ollama is running")
            for path in ["/livez", "/readyz", "/health"] { try #expect(RawClient.get(port: daemon.port, path).status == 200) }
            try #expect(RawClient.get(port: daemon.port, "/health").text.contains(#""status":"ok""#))
            endpoint.die()
            try eventually("down") { try daemon.status().endpoints[0].state == "down" }
            try #expect(RawClient.get(port: daemon.port, "/livez").status == 200, "it lives")
            try #expect(RawClient.get(port: daemon.port, "/readyz").status == 503)
            try #expect(RawClient.get(port: daemon.port, "/health").status == 503)
        }
    }

    @Test func whatIsNoRouteIsToldInItsDialect() throws {
        let endpoint = try FakeEndpoint("one", available: ["a"])
        let second = try FakeEndpoint("two", available: ["a"])
        try RunningDaemon.run([endpoint, second]) { daemon in
            let native = try RawClient.get(port: daemon.port, "/api/nonsense")
            let openAI = try RawClient.get(port: daemon.port, "/v1/nonsense")
            let other = try RawClient.get(port: daemon.port, "/nonsense")
            #expect(native.status == 404 && openAI.status == 404 && other.status == 404)
            #expect(native.text.hasPrefix(#"{"error":""#))
            #expect(openAI.text.hasPrefix(#"{"error":{"message":"#))
            let wrong = try RawClient.get(port: daemon.port, "/api/chat")
            #expect(wrong.status == 405 && wrong.head["allow"] == "POST")
            #expect(endpoint.requestCount == 0)
            let unclear = try RawClient.post(port: daemon.port, "/v1/nonsense", "{}")
            #expect(unclear.status == 400 && unclear.text.contains("one, two; add ?endpoint=NAME"))
        }
    }

    /// A route that this version has never heard of works as soon as it is clear where it belongs.
    @Test func unknownRoutesPassWhereOneEndpointIsMeant() throws {
        let script: FakeEndpoint.Script = { connection, request in connection.answer(#"{"path":"\#(request.target)"}"#) }
        let one = try FakeEndpoint("one", available: ["a"], script: script)
        let two = try FakeEndpoint("two", available: ["b"], script: script)
        try RunningDaemon.run([one, two]) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/v1/systemone", #"{"model":"b"}"#).text == #"{"path":"/v1/systemone"}"#)
            #expect(two.requestCount == 1 && one.requestCount == 0, "the model's name tells")
            try #expect(RawClient.get(port: daemon.port, "/new?x=1&endpoint=one&y=2").text == #"{"path":"/new?x=1&y=2"}"#)
            #expect(one.requestCount == 1, "the operator's name tells, and goes no further")
            try #expect(RawClient.get(port: daemon.port, "/new?endpoint=three").status == 404)
            let ask = #"{"model":"b","messages":[]}"#
            try #expect(RawClient.post(port: daemon.port, "/api/chat?endpoint=two", ask).text == #"{"path":"/api/chat"}"#)
            let elsewhere = try RawClient.post(port: daemon.port, "/api/chat?endpoint=one", ask)
            #expect(elsewhere.status == 404 && elsewhere.text.contains("not found on endpoint one"))
            try #expect(RawClient.post(port: daemon.port, "/api/chat?endpoint=three", ask).status == 404)
            let deleted = try RawClient.exchange(port: daemon.port, RawClient.request("DELETE", "/v1/models/b", body: ""), method: "DELETE")
            #expect(deleted.text == #"{"path":"/v1/models/b"}"# && two.requestCount == 3, "the path tells")
            try #expect(RawClient.post(port: daemon.port, "/api/me", "").status == 200)
            #expect(one.requestCount == 2, "an account is the first endpoint's")
        }
    }

    @Test func otherNamesOfARouteAreSentByItsOwn() throws {
        let script: FakeEndpoint.Script = { connection, request in connection.answer(#"{"path":"\#(request.target)"}"#) }
        let endpoint = try FakeEndpoint(kind: .llamaServer, available: ["a"], script: script)
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint], "nomyo-router-api-key: k\n") { daemon in
            for (asked, sent) in [
                ("/rerank?api_key=k&x=1", "/v1/rerank?x=1"), ("/v1/reranking?api_key=k", "/v1/rerank"),
                ("/chat/completions?api_key=k", "/v1/chat/completions"),
                ("/embeddings?api_key=k", "/v1/embeddings"), ("/tokenize?api_key=k", "/tokenize"),
                ("/v1/messages/count_tokens?api_key=k", "/v1/messages/count_tokens"),
            ] {
                try #expect(RawClient.post(port: daemon.port, asked, #"{"model":"a"}"#).text == #"{"path":"\#(sent)"}"#)
            }
            // Anthropic's clients send their key by a field of its own.
            let answer = try RawClient.post(port: daemon.port, "/v1/messages", #"{"model":"a"}"#, headers: ["X-Api-Key: k"])
            #expect(answer.status == 200 && endpoint.requests.last?.head["x-api-key"] == nil)
            let refused = try RawClient.post(port: daemon.port, "/v1/messages", #"{"model":"a"}"#, headers: ["X-Api-Key: other"])
            #expect(refused.status == 403 && refused.text.hasPrefix(#"{"type":"error","error":{"type":"permission_error""#))
        }
    }

    @Test func browsersOfConfiguredOriginsMayAsk() throws {
        let endpoint = try FakeEndpoint(available: ["a"], loaded: ["a"])
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint], "cors_origins: [\"https://app.example\"]\nnomyo-router-api-key: k\n") { daemon in
            func ask(_ origin: String) throws -> RawResponse {
                try RawClient.exchange(
                    port: daemon.port,
                    RawClient.request("OPTIONS", "/api/chat", headers: ["Origin: \(origin)", "Access-Control-Request-Method: POST"]),
                    method: "OPTIONS")
            }
            let allowed = try ask("https://app.example")
            #expect(allowed.status == 204 && allowed.head["access-control-allow-origin"] == "https://app.example")
            #expect(allowed.head["access-control-allow-headers"]?.contains("Authorization") == true)
            try #expect(ask("https://evil.example").head["access-control-allow-origin"] == nil)
            let answer = try RawClient.post(
                port: daemon.port, "/api/chat?api_key=k", #"{"model":"a","messages":[]}"#, headers: ["Origin: https://app.example"])
            #expect(answer.head["access-control-allow-origin"] == "https://app.example" && answer.head["vary"] == "Origin")
        }
    }
}
