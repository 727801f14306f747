// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// A name that an endpoint accepts is served, whether the endpoint lists it or not.
@Suite struct UnlistedNameTests {
    private static func chat(_ model: String) -> String { #"{"model":"\#(model)","messages":[{"role":"user","content":"hi"}],"stream":false}"# }

    private static func post(_ daemon: RunningDaemon, _ model: String, _ query: String = "") throws -> RawResponse {
        try RawClient.post(port: daemon.port, "/v1/chat/completions\(query)", chat(model))
    }

    @Test(arguments: [FakeEndpoint.Kind.openAI, .llamaServer])
    func aNameThatIsNotListedGoesToTheOnlyEndpointAsItStands(kind: FakeEndpoint.Kind) throws {
        let endpoint = try FakeEndpoint("only", kind: kind, available: ["listed"])
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(Self.post(daemon, "Hidden:v2").status == 200)
            #expect(endpoint.requests.map(\.text) == [Self.chat("Hidden:v2")])
            // A page of our own invents nothing; a llama-server has its one model under any name.
            let shown = try RawClient.post(port: daemon.port, "/api/show", #"{"model":"hidden"}"#)
            #expect(shown.status == (kind == .openAI ? 404 : 200), "\(shown.text)")
        }
    }

    @Test func whereOneEndpointIsNamedTheNameGoesThere() throws {
        let one = try FakeEndpoint("one", kind: .openAI, available: ["a"])
        let two = try FakeEndpoint("two", kind: .openAI, available: ["b"])
        try RunningDaemon.run([one, two]) { daemon in
            let unclear = try Self.post(daemon, "hidden")
            #expect(unclear.status == 404 && unclear.text.contains("there is: a, b"), "\(unclear.text)")
            try #expect(Self.post(daemon, "hidden", "?endpoint=two").head["x-routerd-endpoint"] == "two")
            #expect(two.requests.map(\.text) == [Self.chat("hidden")] && one.requestCount == 0)
        }
    }

    /// Breaks when one service's models cannot be asked for because there are Ollamas beside it, or when these are asked for what they lack.
    @Test func besideOllamasTheOnlyServiceGetsTheName() throws {
        let ollama = try FakeEndpoint("ollama", available: ["a"], loaded: ["a"])
        let service = try FakeEndpoint("service", kind: .openAI, available: ["b"])
        try RunningDaemon.run([ollama, service], "fallbacks:\n  big: [a]\n") { daemon in
            try #expect(Self.post(daemon, "hidden").head["x-routerd-endpoint"] == "service")
            #expect(ollama.requestCount == 0)
            // What the configuration says is meant comes first.
            try #expect(Self.post(daemon, "big").head["x-routerd-endpoint"] == "ollama")
            #expect(service.requestCount == 1)
        }
    }

    @Test func whatHasNoTagIsTheLatest() throws {
        let service = try FakeEndpoint("ollama-as-a-service", kind: .openAI, available: ["llama3.2:latest"])
        let other = try FakeEndpoint("other", kind: .openAI, available: ["x"])
        try RunningDaemon.run([service, other]) { daemon in
            try #expect(Self.post(daemon, "llama3.2").status == 200)
            #expect(service.requests.map { $0.string("model") } == ["llama3.2:latest"])
        }
    }
}
