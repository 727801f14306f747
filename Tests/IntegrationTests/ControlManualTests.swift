// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// routerd-control(7) is what others program against. Each of its examples is run as it is printed, against a real daemon, and what
/// comes back must have the fields that the page shows.
@Suite struct ControlManualTests {
    private static let model = "llama3.2:3b"

    private static func script(_ gate: Gate) -> FakeEndpoint.Script {
        { connection, request in
            switch request.path {
            case "/api/chat":
                guard gate.pass(within: 60) else { return connection.close() }
                FakeModelServer().answer(request, on: connection)
            case "/api/pull": connection.answer(#"{"status":"success"}"# + "\n", contentType: "application/x-ndjson")
            case "/api/delete", "/api/copy": connection.answer("")
            default: FakeModelServer().answer(request, on: connection)
            }
        }
    }

    @Test func everyExampleRunsAsPrinted() throws {
        let page = try String(contentsOfFile: Checkout.root + "/man/routerd-control.7", encoding: .utf8)
        let manual = try ControlManual(page)
        try #require(manual.examples.count > 30)
        let gate = Gate()
        let endpoints = [
            try FakeEndpoint("gpu-1", available: [Self.model], loaded: [Self.model], script: Self.script(gate)),
            try FakeEndpoint("gpu-2", available: ["other:1b"], script: Self.script(gate)),
        ]
        try RunningDaemon.run(endpoints, limit: 1, "cache_enabled: true\n") { daemon in
            try keepAnAnswer(daemon, gate, shownIn: page)
            // One request runs, one waits: otherwise `requests` and `queue` would have nothing to show.
            let clients = try ["k3j2x-1a", "k3j2x-1b"].map { id in
                let client = try daemon.client()
                let body = #"{"model":"\#(Self.model)","messages":[{"role":"user","content":"\#(id)"}],"stream":false}"#
                try client.send(RawClient.request("POST", "/api/chat", body: body, headers: ["X-Request-Id: \(id)"]))
                try eventually("\(id) is in") { try daemon.control().requests().requests.contains { $0.id == id && $0.phase != .receiving } }
                return client
            }
            var fields: Set<String> = []
            for example in manual.examples { fields.formUnion(try check(example, daemon)) }
            let envelope: Set = ["jsonrpc", "id", "result", "error", "code", "message", "method", "params", "schema"]
            let unexplained = fields.subtracting(envelope).subtracting(manual.explained).sorted()
            #expect(unexplained == [], "the page shows these fields and does not say what they are")
            gate.open(4)
            for client in clients { _ = try client.readResponse() }
        }
    }

    /// Has an answer kept under the key that the page asks for: the key follows from the request.
    private func keepAnAnswer(_ daemon: RunningDaemon, _ gate: Gate, shownIn page: String) throws {
        gate.open()
        let body = #"{"model":"other:1b","messages":[{"role":"user","content":"hello"}],"stream":false,"options":{"temperature":0}}"#
        let answer = try RawClient.post(port: daemon.port, "/api/chat", body)
        let key = try #require(answer.head["x-cache-key"])
        try #require(page.contains(#""method":"cache.get","params":{"key":"\#(key)"}"#), "the page's example asks for another key than \(key)")
        try eventually("the answer is kept") { try daemon.control().cacheStats().entries == 1 }
    }

    /// Returns the fields that came.
    private func check(_ example: ControlManual.Example, _ daemon: RunningDaemon) throws -> Set<String> {
        let result = try ChildProcess.run("/bin/sh", ["-c", example.command], environment: ["S": daemon.socketPath])
        let came = try result.output.split(separator: "\n").map { try ControlManual.JSON($0) }
        try #require(came.count >= example.replies.count && !came.isEmpty, "\(example.command)\n\(result)")
        var fields: Set<String> = []
        for (shown, came) in zip(example.replies, came) {
            let differences = ControlManual.differences(shown, came)
            #expect(differences == [], "\(example.command)\n\(result.output)")
            fields.formUnion(ControlManual.fields(came))
        }
        return fields
    }

    /// No method is left out, and none is there that the daemon does not have.
    @Test func everyMethodIsDescribedAndShown() throws {
        let page = try String(contentsOfFile: Checkout.root + "/man/routerd-control.7", encoding: .utf8)
        let manual = try ControlManual(page)
        try RunningDaemon.run([FakeEndpoint("gpu", available: ["m"])]) { daemon in
            let methods = try daemon.control().hello().methods
            let titles = page.split(separator: "\n").filter { $0.hasPrefix(".Ss ") && $0.hasSuffix(")") }
            let described = titles.flatMap { $0.dropFirst(4).split(separator: " (")[0].split(separator: " , ").map(String.init) }
            #expect(described.sorted() == methods)
            for method in methods { #expect(manual.examples.contains { $0.command.contains(#""method":"\#(method)""#) }, "\(method) has no example") }
        }
    }
}
