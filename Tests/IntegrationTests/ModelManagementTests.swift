// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// `pull`, `create`, `copy`, `delete`, `push` and blobs over a fleet. What breaks without these: a model is on half of the
/// machines and nobody knows, or a large file fills the router's memory.
@Suite struct ModelManagementTests {
    private static let pull: FakeEndpoint.Script = { connection, request in
        if request.path == "/api/delete" || request.path == "/api/copy" {
            connection.answer("", contentType: "text/plain")
            return
        }
        if request.json["stream"] as? Bool == false {
            connection.answer(#"{"status":"success"}"#)
            return
        }
        connection.startStream()
        connection.sendChunk(#"{"status":"pulling manifest"}"# + "\n")
        connection.sendChunk(#"{"status":"pulling 6a0746a1ec1a","digest":"sha256:6a","total":100,"completed":50}"# + "\n")
        connection.sendChunk(#"{"status":"success"}"# + "\n")
        connection.sendLastChunk()
    }

    private static func refusing(_ status: String, _ message: String) -> FakeEndpoint.Script {
        { connection, _ in connection.answer(#"{"error":"\#(message)"}"#, status: status) }
    }

    private static func run(
        _ scripts: [FakeEndpoint.Script], _ config: String = "", _ body: (RunningDaemon, [FakeEndpoint]) throws -> Void
    ) throws {
        let endpoints = try scripts.enumerated().map { try FakeEndpoint("e\($0)", available: ["m"], loaded: ["m"], script: $1) }
        defer { for endpoint in endpoints { endpoint.die() } }
        try RunningDaemon.run(endpoints, config) { try body($0, endpoints) }
    }

    @Test func aPullGoesToAllAndTellsOfEach() throws {
        try Self.run([Self.pull, Self.pull]) { daemon, endpoints in
            let answer = try RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m"}"#)
            let lines = answer.text.split(separator: "\n").map(String.init)
            #expect(answer.status == 200 && answer.head["content-type"] == "application/x-ndjson")
            for name in ["e0", "e1"] {
                #expect(lines.contains(#"{"status":"pulling 6a0746a1ec1a","digest":"sha256:6a","total":100,"completed":50,"endpoint":"\#(name)"}"#))
                #expect(lines.contains(#"{"status":"success on \#(name)","endpoint":"\#(name)"}"#))
            }
            #expect(lines.last == #"{"status":"success"}"# && lines.count == 7)
            try #expect(RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m","stream":false}"#).text == #"{"status":"success"}"#)
            #expect(endpoints.map(\.requestCount) == [2, 2])
        }
    }

    @Test func oneEndpointIsSpokenToByteForByte() throws {
        try Self.run([Self.pull, Self.pull]) { daemon, endpoints in
            let answer = try RawClient.post(port: daemon.port, "/api/pull?endpoint=e1", #"{"model":"m"}"#)
            #expect(answer.body == (try RawClient.post(port: endpoints[1].port, "/api/pull", #"{"model":"m"}"#).body))
            #expect(endpoints[0].requestCount == 0 && endpoints[1].requests.first?.target == "/api/pull")
        }
    }

    @Test func failuresAreToldWithBothHalves() throws {
        try Self.run([Self.pull, Self.refusing("507 Insufficient Storage", "disk full")]) { daemon, _ in
            let streamed = try RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m"}"#)
            #expect(streamed.status == 200)
            let last = streamed.text.split(separator: "\n").last.map(String.init)
            #expect(last == #"{"error":"pulled on e0; failed on e1: disk full","succeeded":["e0"],"failed":{"e1":"disk full"}}"#)
            let whole = try RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m","stream":false}"#)
            #expect(whole.status == 200 && whole.text.contains(#""succeeded":["e0"]"#))
        }
        try Self.run([Self.refusing("404 Not Found", "no such model"), Self.refusing("500 Internal Server Error", "x")]) { daemon, _ in
            let answer = try RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m"}"#)
            #expect(answer.status == 404 && answer.text.contains("failed everywhere: e0: no such model; e1: x"))
            let deleted = try RawClient.exchange(
                port: daemon.port, RawClient.request("DELETE", "/api/delete", body: #"{"model":"m"}"#), method: "DELETE")
            #expect(deleted.status == 404)
        }
    }

    @Test func deleteAndCopyGoWhereTheModelIs() throws {
        try Self.run([Self.pull, Self.pull]) { daemon, endpoints in
            endpoints[1].setAvailable(["other"])
            try eventually("the list is read again") { try daemon.endpoint("e1").available == ["other:latest"] }
            let deleted = try RawClient.exchange(
                port: daemon.port, RawClient.request("DELETE", "/api/delete", body: #"{"model":"m"}"#), method: "DELETE")
            #expect(deleted.status == 200 && deleted.body.isEmpty)
            #expect(endpoints.map(\.requestCount) == [1, 0])
            try #expect(RawClient.post(port: daemon.port, "/api/copy", #"{"source":"other","destination":"x"}"#).status == 200)
            #expect(endpoints.map(\.requestCount) == [1, 1])
            try #expect(RawClient.post(port: daemon.port, "/api/copy", #"{"source":"nothing","destination":"x"}"#).status == 404)
            try #expect(RawClient.post(port: daemon.port, "/api/copy", #"{"destination":"x"}"#).status == 400)
        }
    }

    @Test func theConfigurationMayForbidIt() throws {
        try Self.run([Self.pull, Self.pull], "model_management: off\n") { daemon, endpoints in
            try #expect(RawClient.post(port: daemon.port, "/api/pull", #"{"model":"m"}"#).status == 403)
            #expect(endpoints.map(\.requestCount) == [0, 0])
        }
    }

    @Test func aClientThatLeavesEndsAllOfIt() throws {
        let slow: FakeEndpoint.Script = { connection, _ in
            connection.startStream()
            connection.sendChunk(#"{"status":"pulling"}"# + "\n")
            connection.waitForPeerToLeave(within: 20)
        }
        try Self.run([slow, slow]) { daemon, endpoints in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/pull", body: #"{"model":"m"}"#))
            _ = try client.readHead()
            try client.read(upTo: "pulling")
            client.close()
            try eventually("both are told") { endpoints.allSatisfy { $0.peersThatLeft == 1 } }
        }
    }

    /// 3 GB through a router whose memory stays where it was.
    @Test func aBlobOfAnySizePassesToThoseThatLackIt() throws {
        let first = try BlobServer()
        let second = try BlobServer()
        let third = try BlobServer(has: true)
        let entries = [first, second, third].enumerated().map { "  - {url: \"http://127.0.0.1:\($1.port)\", name: b\($0), kind: ollama}\n" }.joined()
        try RunningDaemon.run("endpoints:\n" + entries, up: 3) { daemon in
            let path = "/api/blobs/sha256:" + String(repeating: "a", count: 64)
            let asked = try RawClient.exchange(port: daemon.port, RawClient.request("HEAD", path, body: ""), method: "HEAD")
            #expect(asked.status == 404, "where one lacks it, it must be sent")
            let before = try daemon.residentBytes()
            let megabytes = 3 * 1024
            let client = try daemon.client()
            try client.send("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
            let chunk = [UInt8](repeating: 0x5a, count: 1 << 20)
            var most = 0
            for index in 0..<megabytes {
                try client.send(chunk, within: 60)
                if index % 128 == 0 { most = max(most, try daemon.residentBytes()) }
            }
            let answer = try client.readResponse(within: 120)
            #expect(answer.status == 201, "\(answer.text)")
            #expect(first.received == megabytes << 20 && second.received == megabytes << 20 && third.received == 0)
            #expect(most - before < 64 << 20, "the router held \((most - before) >> 20) MB")
        }
    }

    @Test func anEndpointThatFailsABlobIsTold() throws {
        let good = try BlobServer()
        let bad = try BlobServer(failsAfter: 100_000)
        let entries = [good, bad].enumerated().map { "  - {url: \"http://127.0.0.1:\($1.port)\", name: b\($0), kind: ollama}\n" }.joined()
        try RunningDaemon.run("endpoints:\n" + entries, up: 2) { daemon in
            let body = String(repeating: "x", count: 4 << 20)
            let answer = try RawClient.exchange(
                port: daemon.port, RawClient.request("POST", "/api/blobs/sha256:\(String(repeating: "b", count: 64))", body: body), within: 60)
            #expect(answer.status == 502 && answer.text.contains("created on b0; failed on b1"))
            #expect(good.received == body.utf8.count)
            // A small one comes in the same packet as its head.
            let small = try RawClient.post(port: daemon.port, "/api/blobs/sha256:\(String(repeating: "c", count: 64))?endpoint=b0", "tiny")
            #expect(small.status == 201 && good.received == body.utf8.count + 4)
        }
    }
}

/// An Ollama that knows blobs, and throws them away as they come.
private final class BlobServer: Sendable {
    let port: Int
    private let process: ChildProcess
    private let folder: TemporaryFolder

    init(has: Bool = false, failsAfter: Int = 0) throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        process = try ChildProcess(
            "/usr/bin/env", ["python3", "-u", Checkout.root + "/Tests/Clients/blob_server.py", has ? "has" : "lacks", "\(failsAfter)"], output: log,
            errors: log)
        self.folder = folder
        port = try eventualValue("a blob server") {
            folder.read("log").split(separator: "\n").first { $0.hasPrefix("port ") }.flatMap { Int($0.dropFirst(5)) }
        }
    }

    deinit { process.kill() }

    /// Bytes of all blobs.
    var received: Int {
        folder.read("log").split(separator: "\n").filter { $0.hasPrefix("got ") }.reduce(0) { $0 + (Int($1.dropFirst(4)) ?? 0) }
    }
}
