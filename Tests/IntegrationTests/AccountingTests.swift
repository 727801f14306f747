// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Tokens, metrics, the access log, the monitoring routes. What breaks without these: operators and dashboards are blind.
@Suite struct AccountingTests {
    private static let chat = #"{"model":"m","messages":[{"role":"user","content":"hi"}]"#

    private static func json(_ daemon: RunningDaemon, _ path: String) throws -> [String: Any] {
        let answer = try RawClient.get(port: daemon.port, path)
        return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
    }

    /// The fake tells 11 tokens of prompt and 5 of answer.
    @Test func everyKindOfAnswerIsCounted() throws {
        let ollama = try FakeEndpoint("one", available: ["m"], loaded: ["m"])
        let llama = try FakeEndpoint("two", kind: .llamaServer, available: ["org/q-GGUF:F16"])
        defer { ollama.die(); llama.die() }
        try RunningDaemon.run([ollama, llama]) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}").status == 200)
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + #","stream":false}"#).status == 200)
            let streamed = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat + #","stream":true}"#)
            #expect(!streamed.text.contains("usage"), "the question was the router's, so is the answer")
            let asked = try RawClient.post(
                port: daemon.port, "/v1/chat/completions", Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#)
            #expect(asked.text.contains("usage"))
            try #expect(RawClient.post(port: daemon.port, "/v1/completions", #"{"model":"q-GGUF","prompt":"x"}"#).status == 200)
            try #expect(
                RawClient.post(port: daemon.port, "/api/chat", #"{"model":"q-GGUF","messages":[{"role":"user","content":"x"}]}"#).status == 200)
            let counts = try Self.json(daemon, "/api/token_counts")
            let rows = (counts["breakdown"] as? [[String: Any]] ?? []).map {
                "\($0["model"] ?? "") \($0["input_tokens"] ?? "")/\($0["output_tokens"] ?? "") \(($0["endpoint"] as? String) == ollama.url)"
            }
            #expect(rows.sorted() == ["m:latest 44/20 true", "q-GGUF 22/10 false"])
            #expect(counts["total_tokens"] as? Int == 96)
            let stats = try RawClient.post(port: daemon.port, "/api/stats", #"{"model":"m:latest"}"#)
            #expect(stats.text.contains(#""total_tokens":64,"time_series":[{"endpoint":"\#(ollama.url)","timestamp":"#))
            #expect(stats.text.contains(#""endpoint_distribution":{"\#(ollama.url)":64}"#))
            try #expect(RawClient.post(port: daemon.port, "/api/stats", #"{"model":"unheard"}"#).status == 404)
            let folded = try RawClient.post(port: daemon.port, "/api/aggregate_time_series_days", #"{"days":30}"#)
            #expect(folded.text == #"{"status":"ok","days":30,"trim_old":false,"aggregated_groups":0}"#)
        }
    }

    @Test func countsOutliveAKillAndAStop() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        let folder = try TemporaryFolder()
        let database = folder.path + "/tokens.db"
        func start() throws -> RunningDaemon {
            try RunningDaemon(RunningDaemon.entries([endpoint]), environment: ["NOMYO_ROUTER_DB_PATH": database])
        }
        func total(_ daemon: RunningDaemon) throws -> Int? { try Self.json(daemon, "/api/token_counts")["total_tokens"] as? Int }
        let first = try start()
        for _ in 0..<3 { try #expect(RawClient.post(port: first.port, "/api/chat", Self.chat + "}").status == 200) }
        try eventually("written within a second") {
            try ChildProcess.run(
                "/usr/bin/env",
                [
                    "python3", "-c",
                    "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('select sum(total_tokens) from token_counts').fetchone()[0])",
                    database,
                ]
            ).output == "48\n"
        }
        first.process.kill()
        let second = try start()
        try eventually("read again") { try total(second) == 48 }
        try #expect(RawClient.post(port: second.port, "/api/chat", Self.chat + "}").status == 200)
        try #expect(second.stop() == 0)
        let third = try start()
        try eventually("nothing is lost by a normal stop") { try total(third) == 64 }
        try #expect(third.stop() == 0)
    }

    @Test func aBrokenDatabaseIsToldAndServedOn() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        let daemon = try RunningDaemon(RunningDaemon.entries([endpoint]), environment: ["NOMYO_ROUTER_DB_PATH": "/proc/nowhere/tokens.db"])
        try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}").status == 200)
        try #expect(Self.json(daemon, "/api/token_counts")["total_tokens"] as? Int == 16)
        try eventually("told in the log and in the status") {
            try daemon.log.contains("token counts cannot be stored") && daemon.status().storage?.fault.isEmpty == false
        }
        try #expect(daemon.routerctl("status").output.contains("token counts"))
        try #expect(daemon.stop() == 0)
    }

    @Test(.enabled(if: !Checkout.isThreadSanitized, "SKIPPED: the thread sanitizer itself does not survive a limit on files"))
    func aFullDiskIsToldAndServedOn() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        // Room for the tables, and for little more.
        let daemon = try RunningDaemon(RunningDaemon.entries([endpoint]), fileBlocks: 96)
        var sent = 0
        try eventually("the disk is full: \(daemon.log.suffix(300))", within: 40) {
            for _ in 0..<5 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}").status == 200) }
            sent += 5
            return try daemon.status().storage?.fault.isEmpty == false
        }
        try #expect(Self.json(daemon, "/api/token_counts")["total_tokens"] as? Int == 16 * sent, "counting goes on")
        try #expect(daemon.stop() == 0)
    }

    @Test func prometheusReadsTheMetrics() throws {
        let endpoint = try FakeEndpoint("gpu\"1".replacingOccurrences(of: "\"", with: "-"), available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            for _ in 0..<2 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}").status == 200) }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"made-up","messages":[]}"#).status == 404)
            try PythonClient.run("metrics_client.py", ["http://127.0.0.1:\(daemon.port)/metrics"])
            let text = try RawClient.get(port: daemon.port, "/metrics").text
            #expect(text.contains(#"routerd_requests_total{route="/api/chat",model="m:latest",endpoint="gpu-1",status="200"} 2"#), "\(text)")
            #expect(text.contains(#"routerd_tokens_total{endpoint="gpu-1",model="m:latest",type="answer"} 10"#))
            #expect(text.contains(#"routerd_time_to_first_byte_seconds_count{endpoint="gpu-1",model="m:latest"} 2"#))
            #expect(!text.contains("made-up"), "a client cannot make labels")
        }
    }

    @Test func theAccessLogHasALineForEachRequestAndAnswersNameIt() throws {
        let endpoint = try FakeEndpoint("gpu1", available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        let folder = try TemporaryFolder()
        try RunningDaemon.run([endpoint], "access_log: \(folder.path)/access.log\naccess_log_format: json\nnomyo-router-api-key: s3cret\n") {
            daemon in
            let answer = try RawClient.post(
                port: daemon.port, "/api/chat?api_key=s3cret", Self.chat + "}", headers: ["X-Request-Id: mine-1", "traceparent: 00-abc-def-01"])
            #expect(answer.head["x-routerd-request-id"] == "mine-1" && answer.head["x-routerd-endpoint"] == "gpu1")
            #expect(endpoint.requests.first?.head["traceparent"] == "00-abc-def-01")
            try #expect(RawClient.get(port: daemon.port, "/api/nothing-of-this", headers: ["Authorization: Bearer wrong-one"]).status == 403)
            let made = try RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}", headers: ["Authorization: Bearer s3cret"])
            try eventually("three lines") { folder.read("access.log").split(separator: "\n").count == 3 }
            // Each event loop writes its own lines a few times a second.
            let lines = try folder.read("access.log").split(separator: "\n").map {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
            }.sorted { "\($0["time"] ?? "")" < "\($1["time"] ?? "")" }
            #expect(lines.map { $0["status"] as? Int } == [200, 403, 200])
            #expect(lines[0]["id"] as? String == "mine-1" && lines[0]["model"] as? String == "m" && lines[0]["endpoint"] as? String == "gpu1")
            #expect(lines[0]["why"] as? String == "loaded" && lines[0]["answer_tokens"] as? Int == 5 && lines[0]["prompt_tokens"] as? Int == 11)
            #expect(lines[2]["id"] as? String == made.head["x-routerd-request-id"])
            let all = folder.read("access.log") + daemon.log
            #expect(!all.contains("s3cret") && !all.contains("wrong-one"))
        }
    }

    @Test func theLastLinesOfTheLogSurviveAStop() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        let folder = try TemporaryFolder()
        let daemon = try RunningDaemon([endpoint], "access_log: \(folder.path)/access.log\n")
        for _ in 0..<20 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}").status == 200) }
        try #expect(daemon.stop() == 0)
        #expect(folder.read("access.log").split(separator: "\n").count == 20)
    }

    @Test func usageIsStreamedAtEveryChange() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("one", available: ["m"], loaded: ["m"]) { connection, _ in
            gate.pass()
            connection.answer(#"{"done":true,"prompt_eval_count":3,"eval_count":4}"#)
        }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let watcher = try daemon.client()
            try watcher.send("GET /api/usage-stream HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try watcher.readHead(method: "GET")["content-type"] == "text/event-stream")
            try watcher.read(upTo: #""usage_counts":{"\#(endpoint.url)":{}}"#)
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat + #","stream":false}"#))
            try watcher.read(upTo: #"{"m:latest":1}"#)
            gate.open()
            try watcher.read(upTo: #""token_usage_counts":{"\#(endpoint.url)":{"m:latest":7}}"#)
            watcher.close()
        }
    }

    @Test func theOldRoutersPagesHaveItsShapes() throws {
        let one = try FakeEndpoint("one", available: ["a"], loaded: ["a"])
        let two = try FakeEndpoint("two", kind: .llamaServer, available: ["org/b-GGUF:Q4"])
        defer { one.die(); two.die() }
        try RunningDaemon.run([one, two]) { daemon in
            try #expect(
                RawClient.get(port: daemon.port, "/api/config").text
                    == #"{"endpoints":[{"url":"\#(one.url)","status":"ok","version":"0.12.3"}],"llama_server_endpoints":[{"url":"\#(two.url)","status":"ok","version":"latest"}],"require_router_api_key":false}"#
            )
            let details = try RawClient.get(port: daemon.port, "/api/ps_details").text
            #expect(details.contains(#""name":"a:latest""#) && details.contains(#""endpoint":"\#(one.url)""#))
            #expect(
                details.contains(#"{"name":"b-GGUF","id":"b-GGUF","original_name":"org/b-GGUF:Q4","digest":"","details":{"quantization_level":"Q4"}"#)
            )
            try #expect(RawClient.get(port: daemon.port, "/api/cache/stats").text == #"{"enabled":false}"#)
            try #expect(RawClient.post(port: daemon.port, "/api/cache/invalidate", "").text == #"{"enabled":false,"cleared":0}"#)
            let usage = try Self.json(daemon, "/api/usage")
            #expect(Set(usage.keys) == ["usage_counts", "token_usage_counts"])
        }
    }
}
