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

    /// The larger context has to be loaded once, and then does for both.
    @Test func twoClientsShareOneEndpointAfterOneReload() throws {
        try Self.fleet(["one"], "context: {\"llama3.2:3b\": share}\n") { daemon, endpoints in
            let clients = [8192, 32768].map { context in
                Client {
                    try (0..<12).allSatisfy { try RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "turn \($0)")).status == 200 }
                }
            }
            for client in clients { try #expect(client.wait(), "each request is answered") }
            #expect(Self.loads(endpoints[0]) <= 2, "\(endpoints[0].log)")
            try #expect(daemon.control().events().events.allSatisfy { $0.level != "warning" || !$0.message.contains("reloaded") })
        }
    }

    /// It asks for no load, though its options are not those that the model is there with.
    @Test(arguments: [("/api/generate", ""), ("/api/chat", #","messages":[]"#)])
    func anUnloadGoesWhereTheModelIsAndCountsAsNoLoad(_ path: String, _ more: String) throws {
        try Self.fleet(["one", "two"]) { daemon, endpoints in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.body(8192, "hi")).status == 200)
            let holder = Self.loads(endpoints[0]) == 1 ? "one" : "two"
            let answer = try RawClient.post(port: daemon.port, path, #"{"model":"llama3.2:3b","keep_alive":0\#(more)}"#)
            #expect(answer.status == 200 && answer.text.contains("unload") && answer.head["x-routerd-endpoint"] == holder, "\(answer.text)")
            #expect(endpoints.map(Self.loads).reduce(0, +) == 1)
            let control = try daemon.control()
            #expect(try control.events().events.count { $0.message == "model load began" } == 1)
            try eventually("it has left memory") { try control.endpoints(holder).endpoints.first?.loadedModels.isEmpty ?? false }
        }
    }

    /// What an operator is told is a guess until answers have come, and then with how many.
    @Test func whatIsMeasuredIsToldApartFromGuesses() throws {
        try Self.fleet(["one"]) { daemon, _ in
            let control = try daemon.control()
            let before = try #require(try control.explain("llama3.2:3b", numCtx: 8192).options.first { $0.endpoint == "one" })
            #expect(before.estimates?.loads == 0 && before.words.contains("(a guess) to load"), "\(before.words)")
            for turn in 0..<4 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.body(8192, "turn \(turn)")).status == 200) }
            let after = try #require(try control.explain("llama3.2:3b", numCtx: 8192).options.first { $0.endpoint == "one" })
            #expect(after.estimates?.loads == 1 && (0.2..<2).contains(after.estimates?.loadS ?? 0), "\(after)")
            try eventually("the endpoint tells it, too") {
                let told = try control.endpoints("one").endpoints.first?.loadedModels.first?.estimates
                return told?.loads == 1 && told?.isSizeMeasured == true
            }
        }
    }

    /// The context is put where it belongs, and all else stays as it is; with `as_asked`, all of it.
    @Test(arguments: ["", "context: as_asked\n", "context: share\n", "context_minimum: {m: 32768}\n"])
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
            // Its server refuses it, and the client shall hear of that.
            ("/api/generate", #"{"model":"m","options":{"num_ctx":"8192"}}"#, #"{"model":"m","options":{"num_ctx":"8192"}}"#),
        ]
        let endpoint = try FakeEndpoint("gpu", available: ["m"])
        try RunningDaemon.run([endpoint], preamble: RunningDaemon.preamble + more) { daemon in
            for (path, body, shared) in bodies {
                let before = endpoint.requestCount
                let answer = try RawClient.post(port: daemon.port, path, body)
                #expect(answer.status < 500 && endpoint.requestCount == before + 1)
                let got = String(decoding: endpoint.requests.last { $0.path == path }?.body ?? [], as: UTF8.self)
                #expect(got == (more.contains("share") || more.contains("minimum") ? shared : body))
            }
        }
    }

    /// Its bodies carry what is configured, and one load does for all of them.
    @Test func noRequestAsksForLessThanIsConfigured() throws {
        try Self.fleet(["one"], "context_minimum: {\"llama3.2:3b\": 16384}\n") { daemon, endpoints in
            for context in [8192, nil, 16384] {
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "hi"))
                let note = context == 16384 ? nil : "num_ctx 16384 instead of \(context.map { "\($0)" } ?? "the server's own"), "
                #expect(answer.status == 200 && answer.head["x-routerd-note"] == note.map { $0 + "the least that is configured for the model" })
            }
            #expect(Self.loads(endpoints[0]) == 1 && endpoints[0].log.contains("with num_ctx 16384"), "\(endpoints[0].log)")
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.body(32768, "hi"))
            #expect(answer.status == 200 && answer.head["x-routerd-note"] == nil && endpoints[0].log.contains("with num_ctx 32768"))
        }
    }

    /// What an operator loads, and what is pinned, has the context that requests ask for: the next request finds it as it wants it.
    @Test func whatIsLoadedForNoRequestHasTheUsualContext() throws {
        try Self.fleet(["one"], "context_minimum: {\"llama3.2:3b\": 16384}\n") { daemon, endpoints in
            let control = try daemon.control()
            _ = try control.model("load", ModelActionParams(model: "llama3.2:3b"))
            try eventually("it is loaded: \(endpoints[0].log)") { endpoints[0].log.contains("with num_ctx 16384") }
            for _ in 0..<3 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.body(32768, "hi")).status == 200) }
            // It is there as most ask for it, and stays so.
            _ = try control.model("load", ModelActionParams(model: "llama3.2:3b"))
            #expect(Self.loads(endpoints[0]) == 2)
            _ = try control.model("unload", ModelActionParams(model: "llama3.2:3b"))
            _ = try control.model("load", ModelActionParams(model: "llama3.2:3b"))
            try eventually("it is loaded again: \(endpoints[0].log)") { Self.loads(endpoints[0]) == 3 }
            #expect(endpoints[0].log.split(separator: "\n").last { $0.hasPrefix("loaded") }?.contains("num_ctx 32768") ?? false)
        }
        try Self.fleet(["one"], "pin: [\"llama3.2:3b\"]\ncontext_minimum: {\"llama3.2:3b\": 16384}\n") { _, endpoints in
            try eventually("the pinned one is loaded: \(endpoints[0].log)") { endpoints[0].log.contains("with num_ctx 16384") }
        }
    }

    /// Servers that have the context that they were started with.
    @Test func aRequestForMoreContextGoesToTheServerThatHasIt() throws {
        let servers = try [8192, 32768].map { context in
            let server = try FakeEndpoint("s\(context)", kind: .llamaServer, available: ["m"])
            server.setPollScript { connection, request in
                guard request.path == "/props" else { return false }
                connection.answer(#"{"total_slots":2,"default_generation_settings":{"n_ctx":\#(context)}}"#)
                return true
            }
            return server
        }
        try RunningDaemon.run(servers) { daemon in
            for _ in 0..<6 {
                let body = #"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}],"options":{"num_ctx":16384}}"#
                let answer = try RawClient.post(port: daemon.port, "/api/chat", body)
                #expect(answer.head["x-routerd-endpoint"] == "s32768", "\(answer.text)")
            }
        }
    }

    /// Two clients that cannot agree, on one endpoint: the operator is told who they are, and what would help.
    @Test func whoMakesAnEndpointLoadAgainAndAgainIsTold() throws {
        try Self.fleet(["gpu-1"]) { daemon, endpoints in
            for turn in 0..<8 {
                let context = turn % 2 == 0 ? 8192 : 32768
                let agent = turn % 2 == 0 ? ["User-Agent: continue/1.2 (linux)"] : []
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "turn \(turn)"), headers: agent)
                #expect(answer.status == 200)
            }
            #expect(Self.loads(endpoints[0]) == 8)
            let warnings = try daemon.control().events().events.filter { $0.level == "warning" && $0.message.contains(" reloaded ") }
            #expect(
                warnings.map(\.message) == [
                    "gpu-1 reloaded llama3.2:3b 5 times in 10 minutes: num_ctx 32768 (127.0.0.1) and 8192 (127.0.0.1, continue): "
                        + "`context: share` would avoid 4"
                ])
            let asked: [LoadsInfo.Asked] = [
                .init(options: "num_ctx 32768", address: "127.0.0.1", agent: "", reloads: 4),
                .init(options: "num_ctx 8192", address: "127.0.0.1", agent: "continue", reloads: 3),
            ]
            func found(_ configuration: String?, _ loads: LoadsInfo?) -> Bool {
                configuration == "num_ctx 32768" && loads == LoadsInfo(first: 1, configuration: 7, asked: asked)
            }
            let control = try daemon.control()
            try eventually("the endpoint's reloads are told") {
                guard let model = try control.endpoints("gpu-1").endpoints.first?.loadedModels.first else { return false }
                return found(model.configuration, model.loads)
            }
            let place = try control.models("llama3.2").models.first?.places.first
            #expect(found(place?.configuration, place?.loads))
            let metrics = try RawClient.get(port: daemon.port, "/metrics").text
            #expect(metrics.contains(#"routerd_model_loads_total{endpoint="gpu-1",model="llama3.2:3b",cause="configuration"} 7"#))
            #expect(metrics.contains(#"routerd_model_configuration{endpoint="gpu-1",model="llama3.2:3b",options="num_ctx 32768"} 1"#))
        }
    }

    @Test func whereARequestForAContextWouldGoIsExplained() throws {
        try Self.fleet(["one", "two"]) { daemon, _ in
            for context in [8192, 32768] {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.body(context, "hi")).status == 200)
            }
            let control = try daemon.control()
            for context in [8192, 32768] {
                let info = try control.explain("llama3.2:3b", numCtx: context)
                let chosen = info.options.first { $0.isChosen }
                #expect(chosen?.configuration == "num_ctx \(context)" && chosen?.why == "loaded", "\(info)")
                let other = info.options.first { !$0.isChosen && !$0.endpoint.isEmpty }
                #expect(other?.words.contains("to load again with other options") ?? false, "\(info)")
            }
            #expect(throws: ControlError.self, "no such option on this route") {
                try control.explain("llama3.2:3b", route: "/v1/chat/completions", numCtx: 8192)
            }
            #expect(throws: ControlError.self) { try control.explain("llama3.2:3b", numCtx: 0) }
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
