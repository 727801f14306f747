// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Weights, warnings, the last minutes, the last events, the tokens, the configuration, and who may do what. What breaks without these:
/// an operator acts on what is not so, or a stranger acts.
@Suite struct OperatorFleetTests {
    private static let chat = #"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}"#

    private static func failure(_ body: () throws -> Void) -> RPCError? {
        do {
            try body()
        } catch ControlError.remote(let error) {
            return error
        } catch {
            return nil
        }
        return nil
    }

    /// The share of two equal endpoints, what is set by hand and how it is given back.
    @Test func aWeightHoldsUntilItIsGivenBack() throws {
        let endpoints = try ["a", "b"].map { try FakeEndpoint($0, available: ["m"], loaded: ["m"]) }
        let entries = "endpoints:\n" + endpoints.map { $0.entry(weight: 1) }.joined()
        try RunningDaemon.run(entries, up: 2) { daemon in
            let list = try daemon.control().setWeight("a", to: .number(2))
            #expect(list.endpoints.map(\.weight) == [2] && list.endpoints.map(\.configuredWeight) == [1] && list.warnings.isEmpty)
            for _ in 0..<30 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200) }
            let counts = endpoints.map(\.requestCount)
            #expect((18...22).contains(counts[0]) && counts.reduce(0, +) == 30, "\(counts)")
            for weight in [-1, 1001.0] {
                #expect(Self.failure { _ = try daemon.control().setWeight("a", to: .number(weight)) } != nil, "\(weight)")
            }
            #expect(Self.failure { _ = try daemon.control().setWeight("c", to: .number(1)) }?.code == .notFound)
            // A reload leaves it, and says so; one that changes the configured one, too.
            try daemon.rewriteConfig("endpoints:\n" + endpoints.map { $0.entry(weight: $0.name == "a" ? 3 : 1) }.joined())
            let kept = "endpoint a: weight 2, set by an operator; 3 by the configuration"
            try #expect(daemon.control().reload(dryRun: true).operators == [kept])
            let reload = try daemon.control().reload()
            #expect(reload.applied && reload.operators == [kept])
            try #expect(daemon.endpoint("a").weight == 2 && daemon.endpoint("a").configuredWeight == 3)
            try #expect(daemon.routerctl("config", "diff").output.contains(kept))
            try #expect(daemon.routerctl("endpoints", "a").output.contains("2, set by an operator; 3 by the configuration"))
            try #expect(daemon.routerctl("weight", "a", "default").status == 0)
            try #expect(daemon.endpoint("a").weight == 3 && daemon.endpoint("a").configuredWeight == nil)
            try #expect(daemon.control().reload(dryRun: true).operators == nil)
        }
    }

    @Test func theWeightZeroIsForWhatNobodyElseCanServe() throws {
        let endpoints = try ["a", "b"].map { try FakeEndpoint($0, available: ["m"], loaded: ["m"]) }
        try RunningDaemon.run("endpoints:\n" + endpoints[0].entry(weight: 0) + endpoints[1].entry(weight: 1), up: 2) { daemon in
            for _ in 0..<5 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200) }
            #expect(endpoints.map(\.requestCount) == [0, 5])
            _ = try daemon.control().drain("b")
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            #expect(endpoints.map(\.requestCount) == [1, 5])
        }
    }

    @Test func whoDrainsTheLastOneIsWarned() throws {
        let first = try FakeEndpoint("first", available: ["m", "only"], loaded: ["m"])
        let second = try FakeEndpoint("second", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([first, second]) { daemon in
            let asked = try daemon.control().drain("first", dryRun: true)
            #expect(asked.warnings == ["first is the last endpoint in service with only:latest"])
            try #expect(daemon.endpoint("first").state == "up", "nothing was done")
            let done = try daemon.control().drain("first")
            #expect(done.warnings == ["first was the last endpoint in service with only:latest"] && done.endpoints.first?.state == "draining")
            let other = try daemon.control().maintenance("second", dryRun: true)
            #expect(other.warnings == ["second is the last endpoint in service with m:latest"])
            try #expect(daemon.control().maintenance("first").warnings.isEmpty, "it was out of service already")
            let events = try daemon.control().events().events.filter { $0.message == "changed by an operator" }
            #expect(events.map { $0.facts["method"] } == ["drain", "maintenance"], "a dry run changes nothing")
            #expect(events.allSatisfy { $0.facts["endpoint"] == "first" })
            _ = try daemon.control().resume("first")
        }
    }

    @Test func theLastMinutesAreTold() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            let streamed = Self.chat.replacing("false", with: "true")
            for _ in 0..<5 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
                try #expect(RawClient.post(port: daemon.port, "/api/chat", streamed).status == 200)
            }
            try #expect(RawClient.post(port: daemon.port, "/v1/embeddings", #"{"model":"m","input":"x"}"#).status == 200)
            endpoint.setScript { connection, _ in connection.answer(#"{"error":"no"}"#, status: "400 Bad Request") }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 400)
            let history = try eventualValue("a step with requests") { () -> HistoryInfo? in
                let history = try daemon.control().history()
                let hasTimes = history.fleet.ttftMs.contains { $0 != nil } && history.fleet.answerMs.contains { $0 != nil }
                return history.fleet.requests.contains { $0 > 0 } && hasTimes ? history : nil
            }
            #expect(history.stepS == 2)
            let gpu = try #require(history.endpoints["gpu"])
            #expect(gpu.requests.count == history.fleet.requests.count && history.hitRate.count == gpu.requests.count)
            #expect(gpu.tokens.contains { $0 > 0 })
            let shown = try eventualValue("figures of the endpoint") { () -> EndpointInfo? in
                let info = try daemon.endpoint("gpu")
                return info.ttftP50Ms != nil && info.answerP50Ms != nil && info.embeddingsP50Ms != nil && info.headP50Ms != nil ? info : nil
            }
            #expect(shown.requestsPerSecond > 0 && shown.tokensPerSecond > 0 && shown.ttftP95Ms ?? 0 >= shown.ttftP50Ms ?? .infinity)
            #expect(shown.clientErrorsTotal == 1 && shown.polledAgoMs ?? .max < 10_000)
            #expect(shown.loadedModels.map(\.name) == ["m:latest"] && shown.loadedModels.first?.sizeVramBytes == 3_019_393_189)
            let model = try daemon.control().models("m").models.first
            #expect(model?.requestsTotal == 12 && model?.tokensTotal ?? 0 > 0 && model?.contextLength == 4096)
        }
    }

    @Test func aLostRequestIsCountedWhereItWasLost() throws {
        let bad = try FakeEndpoint("bad", available: ["m"], loaded: ["m"]) { connection, _ in connection.close() }
        let good = try FakeEndpoint("good", available: ["m"], loaded: ["m"])
        try RunningDaemon.run("endpoints:\n" + bad.entry(weight: 9) + good.entry(weight: 1), up: 2) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            try #expect(daemon.endpoint("bad").retriesTotal == 1 && daemon.endpoint("good").retriesTotal == 0)
        }
    }

    @Test func eventsTellWhatHappened() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run("nomyo-router-api-key: s3cret-router\nendpoints:\n" + endpoint.entry(key: "s3cret-endpoint")) { daemon in
            let last = try daemon.control().events().events.last?.sequence ?? 0
            endpoint.die()
            let down = try eventualValue("the fall is told") {
                try daemon.control().events(EventParams(after: last, level: "warning")).events.first { $0.facts["to"] == "down" }
            }
            #expect(down.facts["endpoint"] == "gpu" && down.sequence > last && down.at.hasSuffix("Z"))
            try endpoint.revive()
            try eventually("up") { try daemon.endpoint("gpu").state == "up" }
            try daemon.rewriteConfig("nomyo-router-api-key: s3cret-new\nqueue_limit: 9\nendpoints:\n" + endpoint.entry(key: "s3cret-other"))
            try #expect(daemon.control().reload().applied)
            let all = try daemon.control().events(EventParams(limit: 1000)).events
            #expect(all.contains { $0.message == "reloaded" && $0.facts["changes"]?.contains("queue_limit") == true })
            #expect(all.map(\.sequence) == Array((all.first?.sequence ?? 0)...(all.last?.sequence ?? 0)), "none is missing")
            #expect(!"\(all)".contains("s3cret"), "no key is in it")
            try #expect(daemon.control().events(EventParams(limit: 1)).events.count == 1)
            #expect(Self.failure { _ = try daemon.control().events(EventParams(level: "loud")) }?.code == .invalidParams)
            #expect(Self.failure { _ = try daemon.control().events(EventParams(limit: 0)) }?.code == .invalidParams)
        }
    }

    @Test func tokensAreByName() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        for config in ["", "db_path: \"\"\n"] {
            // The variable that the tests set wins over the file.
            let environment = config.isEmpty ? [:] : ["NOMYO_ROUTER_DB_PATH": ""]
            let daemon = try RunningDaemon(RunningDaemon.entries([endpoint]) + config, environment: environment)
            defer { daemon.process.kill() }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            let tokens = try eventualValue("counted") { () -> TokensInfo? in
                let tokens = try daemon.control().tokens()
                return tokens.rows.isEmpty ? nil : tokens
            }
            #expect(tokens.rows.map(\.endpoint) == ["gpu"] && tokens.rows.map(\.model) == ["m:latest"])
            #expect(tokens.output.count == 60 && tokens.output.reduce(0, +) == tokens.rows[0].outputTokens && tokens.totalOutput > 0)
            try #expect(daemon.control().tokens(TokensParams(by: "endpoint")).rows.map(\.model) == [""])
            #expect(Self.failure { _ = try daemon.control().tokens(TokensParams(by: "x")) }?.code == .invalidParams)
            try daemon.waitUntilIdle()
            try #expect(daemon.stop() == 0)
        }
    }

    @Test func theConfigurationIsShownAndCheckedWithoutASecret() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        let config = "nomyo-router-api-key: s3cret-router\nendpoints:\n" + endpoint.entry(key: "s3cret-endpoint")
        let daemon = try RunningDaemon(config, environment: ["OUR_SECRET": "s3cret-environment"])
        defer { daemon.process.kill() }
        let shown = try daemon.control().config()
        #expect(shown.path == daemon.configPath && !"\(shown)".contains("s3cret"))
        #expect(shown.settings.contains { $0.name == "nomyo-router-api-key" && $0.value == "***" && !$0.isDefault })
        #expect(shown.settings.contains { $0.name == "endpoint gpu" && $0.value.contains(#"api_key: "***""#) })
        #expect(shown.settings.contains { $0.name == "queue_limit" && $0.value == "512" && $0.isDefault && !$0.needsRestart })

        let text = RunningDaemon.preamble + config
        let same = try daemon.control().checkConfig(text, path: "new.yaml")
        #expect(same == ConfigCheckInfo(), "\(same)")
        let changed = try daemon.control().checkConfig(text + "queue_limit: 3\ndb_path: ${OUR_SECRET}\nshutdown_timeout: 3s\n", path: "new.yaml")
        #expect(changed.errors.isEmpty && changed.changes.contains("queue_limit: 512 -> 3") && changed.needsRestart.contains("shutdown_timeout"))
        #expect(!"\(changed)".contains("s3cret"))
        let wrong = try daemon.control().checkConfig("queue_limit: many\nmax_body_bytes: ${OUR_SECRET}\nendpoints: []\n", path: "new.yaml")
        #expect(wrong.errors.count == 2 && wrong.errors[0].hasPrefix("new.yaml:1:14: "), "\(wrong)")
        #expect(!"\(wrong)".contains("s3cret"))
        try #expect(daemon.control().config().settings.contains { $0.name == "queue_limit" && $0.value == "512" }, "nothing is in force")
        try #expect(daemon.stop() == 0)
    }

    /// A member of the reading group sees everything and changes nothing.
    @Test(.enabled(if: geteuid() == 0, "only root can be somebody else"))
    func aReaderMayNotChange() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "control_read_group: \"65534\"\ncontrol_socket_mode: \"0660\"\n") { daemon in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: daemon.folder.path)
            let reading = ["queue", "history", "events", "tokens", "config.show", "endpoints"]
            let calls = reading + ["cancel", "weight", "drain", "model.load", "config.check", "reload"]
            // Whoever may not do it at all is not told what is wrong with its parameters.
            let lines = calls.enumerated().map {
                #"{"jsonrpc":"2.0","id":\#($0),"method":"\#($1)","params":\#(reading.contains($1) ? "{}" : #"{"surplus":1}"#)}"#
            }
            try daemon.folder.write(lines.joined(separator: "\n") + "\n", to: "calls")
            func call(_ uid: Int) throws -> [[String: Any]] {
                let command = "setpriv --reuid \(uid) --regid \(uid) --clear-groups nc -q 1 -U \(daemon.socketPath) < \(daemon.folder.path)/calls"
                return try ChildProcess.run("/bin/sh", ["-c", command], within: 20).output.split(separator: "\n").compactMap {
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
                }
            }
            let replies = try call(65534)
            #expect(replies.count == calls.count)
            for (name, reply) in zip(calls, replies) {
                let code = (reply["error"] as? [String: Any])?["code"] as? Int
                #expect(code == (reading.contains(name) ? nil : -32002), "\(name): \(reply)")
            }
            try #expect(daemon.endpoint("gpu").state == "up")
        }
    }
}
