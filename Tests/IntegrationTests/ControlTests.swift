// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The operator's side, through the real `routerctl` and through `nc`.
@Suite struct ControlTests {
    private static let chat = #"{"model":"m","messages":[],"stream":false}"#

    private static func held(by gate: Gate) -> FakeEndpoint.Script {
        { connection, request in
            guard gate.pass() else { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
    }

    private static func object(_ text: String) throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else { throw TestFailure("no object: \(text)") }
        return object
    }

    /// A protocol of lines needs no client of ours.
    @Test func ncIsEnough() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            try daemon.folder.write(
                """
                {"jsonrpc":"2.0","id":1,"method":"hello"}
                {"jsonrpc":"2.0","id":"two","method":"endpoints","params":{"endpoint":"gpu"}}
                not json
                {"jsonrpc":"2.0","id":3,"method":"nonsense"}
                {"jsonrpc":"2.0","id":4,"method":"drain"}
                {"jsonrpc":"2.0","id":5,"method":"drain","params":{"endpoint":"nowhere"}}
                {"jsonrpc":"2.0","id":6,"method":"models"}

                """, to: "calls")
            let result = try ChildProcess.run("/bin/sh", ["-c", "nc -q 1 -U \(daemon.socketPath) < \(daemon.folder.path)/calls"], within: 20)
            let replies = try result.output.split(separator: "\n").map { try Self.object(String($0)) }
            try #require(replies.count == 7, "\(result)")
            func code(_ index: Int) -> Int? { (replies[index]["error"] as? [String: Any])?["code"] as? Int }
            let hello = replies[0]["result"] as? [String: Any]
            #expect(replies[0]["id"] as? Int == 1 && hello?["version"] as? String == ProductVersion.current)
            #expect(replies[1]["id"] as? String == "two")
            #expect([2, 3, 4, 5].map(code) == [-32700, -32601, -32602, -32003])
            #expect(replies[2]["id"] is NSNull)
            #expect(replies[6]["result"] != nil)
        }
    }

    /// A peer that sends a line without an end must not fill the memory.
    @Test func anEndlessLineIsCutOff() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])]) { daemon in
            let before = try daemon.residentBytes()
            let result = try ChildProcess.run(
                "/bin/sh", ["-c", "head -c 50000000 /dev/zero | tr '\\\\0' x | nc -q 1 -U \(daemon.socketPath)"], within: 30)
            #expect(result.output.isEmpty || result.output.contains("error"))
            try #expect(daemon.hasGrown(from: before, byLessThan: 40_000_000), "the line is not kept")
            try #expect(daemon.status().endpoints.count == 1)
        }
    }

    @Test func statusHasTheDocumentedShape() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m", "n"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            for arguments in [["--json", "status"], ["status", "--json"]] {
                let result = try ChildProcess.run(Checkout.binary("routerctl"), ["--socket", daemon.socketPath] + arguments)
                let status = try Self.object(result.output)
                #expect(result.status == 0)
                #expect(status["schema"] as? Int == 1)
                #expect(status["version"] as? String == ProductVersion.current)
                #expect(status["uptime_s"] as? Double ?? -1 >= 0)
                for key in ["queue", "requests", "cache"] { #expect(status[key] is [String: Any], "\(key)") }
                let row = (status["endpoints"] as? [[String: Any]])?.first ?? [:]
                for key in [
                    "name", "url", "kind", "state", "reason", "since", "version", "in_flight", "limit", "waiting", "weight", "loaded", "available",
                ] {
                    #expect(row[key] != nil, "\(key)")
                }
                #expect(row["in_flight"] as? Int == 0)
                #expect(row["loaded"] as? [String] == ["m:latest"])
                #expect(row["available"] as? [String] == ["m:latest", "n:latest"])
            }
            // Options after the command as well.
            let after = try ChildProcess.run(Checkout.binary("routerctl"), ["endpoints", "--json", "--socket", daemon.socketPath])
            #expect(after.status == 0 && after.output.contains("\"gpu\""))
        }
    }

    @Test func drainWaitsUntilNothingIsInFlight() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"], script: Self.held(by: gate))
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            try eventually("under way") { endpoint.active == 1 }
            let late = try daemon.routerctl("drain", "gpu", "--yes", "--wait", "--timeout", "300ms")
            #expect(late.status == 4, "\(late)")
            try #expect(daemon.endpoint("gpu").state == "draining")
            let folder = daemon.folder.path
            let waiting = try ChildProcess(
                Checkout.binary("routerctl"), ["--socket", daemon.socketPath, "drain", "gpu", "--wait", "--timeout", "60s"], output: folder + "/out",
                errors: folder + "/err")
            // Nothing new goes there, and there is no other.
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 503)
            #expect(waiting.exitStatus == nil)
            gate.open()
            try #expect(client.readResponse().status == 200)
            try #expect(waiting.waitForExit() == 0)
            try #expect(daemon.routerctl("resume", "gpu").status == 0)
            try eventually("up") { try daemon.endpoint("gpu").state == "up" }
            gate.open()
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
        }
    }

    @Test func maintenanceIsNotPolledAndDrainIs() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(daemon.routerctl("drain", "gpu", "--yes").status == 0)
            let draining = endpoint.pollCount
            try eventually("polled on") { endpoint.pollCount > draining + 2 }
            try #expect(daemon.routerctl("maintenance", "gpu", "--yes").status == 0)
            try #expect(daemon.endpoint("gpu").state == "maintenance")
            // A poll that was under way may still end; then there is silence, which only time can show.
            var before = endpoint.pollCount
            try eventually("silence for five intervals") {
                usleep(1_000_000)
                defer { before = endpoint.pollCount }
                return endpoint.pollCount == before
            }
            try #expect(daemon.routerctl("resume", "gpu").status == 0)
            try eventually("up again") { try daemon.endpoint("gpu").state == "up" }
        }
    }

    @Test func anEndpointIsNamedByNameAddressOrPart() throws {
        let endpoints = try ["gpu-one", "gpu-two", "cpu"].map { try FakeEndpoint($0, available: ["m"]) }
        try RunningDaemon.run(endpoints) { daemon in
            for selector in ["cpu", endpoints[2].url, "\(endpoints[2].port)", "cp"] {
                let result = try daemon.routerctl("endpoint", selector)
                #expect(result.status == 0 && result.output.contains("cpu"), "\(selector): \(result)")
            }
            let ambiguous = try daemon.routerctl("drain", "gpu")
            #expect(ambiguous.status == 1)
            #expect(ambiguous.errors.contains("gpu-one") && ambiguous.errors.contains("gpu-two"))
            let unknown = try daemon.routerctl("drain", "tpu")
            #expect(unknown.status == 6)
            #expect(unknown.errors.contains("cpu"))
            try #expect(daemon.status().endpoints.allSatisfy { $0.state == "up" })
        }
    }

    @Test func exitStatusesAreAsDocumented() throws {
        let folder = try TemporaryFolder()
        func status(_ arguments: String...) throws -> Int32 { try ChildProcess.run(Checkout.binary("routerctl"), arguments).status }
        try #expect(status("--socket", folder.path + "/none", "status") == 3)
        try #expect(status("nonsense") == 2)
        try #expect(status("drain") == 2)
        try #expect(status("--version") == 0)
        let nobody = try ChildProcess.run(Checkout.binary("routerctl"), ["--socket", folder.path + "/none", "status"])
        #expect(nobody.errors.contains(folder.path + "/none") && nobody.output.isEmpty)
    }

    @Test func aSubscriptionPushesSnapshots() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.control()
            let interval = try client.subscribe(intervalMs: 100).intervalMs
            #expect(interval == 100)
            let first = try client.nextSnapshot(timeoutMs: 5000)
            let second = try client.nextSnapshot(timeoutMs: 5000)
            #expect(second.sequence == first.sequence + 1)
            #expect(first.status.endpoints.map(\.name) == ["gpu"])
        }
    }

    /// Several requests are seen as they are: who, what, where, how long.
    @Test func requestsAreShownWhileTheyRun() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"], script: Self.held(by: gate))
        try RunningDaemon.run([endpoint], limit: 1) { daemon in
            let clients = try (0..<2).map { _ in try daemon.client() }
            for client in clients { try client.send(RawClient.request("POST", "/api/chat", body: Self.chat)) }
            let rows = try eventualValue("both") {
                let rows = try daemon.control().requests().requests
                return Set(rows.map(\.phase)) == [.processing, .waiting] ? rows : nil
            }
            #expect(rows.allSatisfy { $0.model == "m" && $0.client.hasPrefix("127.0.0.1:") })
            #expect(rows.first { $0.phase == .processing }?.endpoint == "gpu")
            let shown = try daemon.routerctl("requests")
            #expect(shown.output.contains("waiting") && shown.output.contains("gpu"))
            gate.open(2)
            for client in clients { try #expect(client.readResponse().status == 200) }
        }
    }
}
