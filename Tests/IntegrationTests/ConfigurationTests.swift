// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Applications that ask for one model with different contexts. What breaks without these: each request makes its endpoint load the model
/// again, for seconds to minutes.
@Suite struct ConfigurationTests {
    private static func body(_ context: Int?, _ prompt: String) -> String {
        let options = context.map { #","options":{"num_ctx":\#($0)}"# } ?? ""
        return #"{"model":"llama3.2:3b","stream":false,"messages":[{"role":"user","content":"\#(prompt)"}]\#(options)}"#
    }

    /// Runs the body with the daemon before as many simulated endpoints as there are names.
    private static func fleet(_ names: [String], _ more: String = "", _ body: (RunningDaemon, [SimulatedEndpointProcess]) throws -> Void) throws {
        let pace = ["--token-time", "2ms", "--load-time", "400ms", "--tokens", "6", "--log"]
        let endpoints = try names.map { _ in try SimulatedEndpointProcess(["--models", "llama3.2:3b"], pace: pace) }
        let entries = zip(names, endpoints).map { "  - {url: \"\($1.url)\", name: \($0)}\n" }.joined()
        try RunningDaemon.run("endpoints:\n\(entries)\(more)", up: names.count) { try body($0, endpoints) }
    }

    private static func loads(_ endpoint: SimulatedEndpointProcess) -> Int {
        endpoint.log.split(separator: "\n").count { $0.hasPrefix("loaded ") }
    }

    @Test func twoClientsWithTwoContextsHaveAnEndpointEach() throws {
        try Self.fleet(["one", "two"]) { daemon, endpoints in
            let clients = [8192, 32768].map { context in
                Client {
                    try (0..<20).allSatisfy { try RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "turn \($0)")).status == 200 }
                }
            }
            for client in clients { try #expect(client.wait(), "each request is answered") }
            let logs = endpoints.map(\.log).joined()
            #expect(endpoints.map(Self.loads) == [1, 1], "\(logs)")
            #expect(logs.contains("num_ctx 8192") && logs.contains("num_ctx 32768"))
        }
    }

    /// One after the other, and so that each finds both endpoints idle.
    @Test func contextsInTurnsCauseTwoLoads() throws {
        try Self.fleet(["one", "two"]) { daemon, endpoints in
            for turn in 0..<40 {
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.body(turn % 2 == 0 ? 8192 : 32768, "turn \(turn)"))
                #expect(answer.status == 200)
            }
            #expect(endpoints.map(Self.loads) == [1, 1], "\(endpoints.map(\.log))")
        }
    }

    @Test func whatIsSharedIsLoadedOnce() throws {
        try Self.fleet(["one"], "context: share\n") { daemon, endpoints in
            for turn in 0..<10 {
                let context = [32768, 8192, nil][turn % 3]
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "turn \(turn)"))
                let note = answer.head["x-routerd-note"]
                let expected = context == 32768 ? nil : "num_ctx 32768 instead of \(context.map { "\($0)" } ?? "the server's own")"
                #expect(answer.status == 200 && note?.hasPrefix(expected ?? "?") ?? (expected == nil), "\(note ?? "")")
            }
            #expect(Self.loads(endpoints[0]) == 1, "\(endpoints[0].log)")
        }
    }

    /// The context is put where it belongs, and all else stays as it is; with `as_asked`, all of it.
    @Test(arguments: ["", "context: as_asked\n", "context: share\n"])
    func whatGoesOnIsWhatCame(_ more: String) throws {
        let bodies: [(path: String, body: String, shared: String)] = [
            ("/api/chat", #"{"model":"m","messages":[],"options":{"num_ctx":32768}}"#, #"{"model":"m","messages":[],"options":{"num_ctx":32768}}"#),
            (
                "/api/chat", #" {"model" : "m","messages":[], "options":{ "num_ctx": 8192 ,"seed":1} } "#,
                #" {"model" : "m","messages":[], "options":{ "num_ctx": 32768 ,"seed":1} } "#
            ),
            ("/api/generate", #"{"model":"m","prompt":"x"}"#, #"{"options":{"num_ctx":32768},"model":"m","prompt":"x"}"#),
            ("/api/embed", #"{"input":"x","options":{},"model":"m"}"#, #"{"input":"x","options":{"num_ctx":32768},"model":"m"}"#),
            (
                "/v1/chat/completions", #"{"model":"m","messages":[],"options":{"num_ctx":1}}"#,
                #"{"model":"m","messages":[],"options":{"num_ctx":1}}"#
            ),
        ]
        let endpoint = try FakeEndpoint("gpu", available: ["m"])
        try RunningDaemon.run([endpoint], preamble: RunningDaemon.preamble + more) { daemon in
            for (path, body, shared) in bodies {
                let before = endpoint.requestCount
                let answer = try RawClient.post(port: daemon.port, path, body)
                #expect(answer.status < 500 && endpoint.requestCount == before + 1)
                let got = String(decoding: endpoint.requests.last { $0.path == path }?.body ?? [], as: UTF8.self)
                #expect(got == (more.contains("share") ? shared : body))
            }
        }
    }

    @Test func aLoadForOtherOptionsIsToldAmongTheEvents() throws {
        try Self.fleet(["one"]) { daemon, endpoints in
            for context in [nil, 8192, 8192, nil] {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "hi")).status == 200)
            }
            #expect(Self.loads(endpoints[0]) == 3)
            let began = try daemon.control().events().events.filter { $0.message == "model load began" }
            #expect(began.map { $0.facts["cause"] ?? "" } == ["", "configuration", "configuration"])
            #expect(began.map { $0.facts["options"] ?? "" } == ["", "num_ctx 8192", "the server's own"])
        }
    }
}

/// What one client does, on a thread of its own.
private final class Client: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var result: Result<Bool, any Error> = .success(false)

    init(_ work: @escaping @Sendable () throws -> Bool) {
        Thread.detachNewThread {
            self.result = Result { try work() }
            self.done.signal()
        }
    }

    func wait() throws -> Bool {
        guard done.wait(timeout: .now() + 60) == .success else { throw TestFailure("a client did not come to its end") }
        return try result.get()
    }
}
