// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// What an operator does to models, through the control socket. What breaks without these: a model is on half of the machines and the
/// operator believes that it is on all, or a pull goes on that nobody wants any more.
@Suite struct ModelActionTests {
    private static let pull: FakeEndpoint.Script = { connection, request in
        guard request.path == "/api/pull" else {
            connection.answer("", contentType: "text/plain")
            return
        }
        connection.startStream()
        connection.sendChunk(#"{"status":"pulling manifest"}"# + "\n")
        connection.sendChunk(#"{"status":"pulling 6a0746a1ec1a","digest":"sha256:6a","total":100,"completed":100}"# + "\n")
        connection.sendChunk(#"{"status":"success"}"# + "\n")
        connection.sendLastChunk()
    }

    private static func refusing(_ status: String, _ message: String) -> FakeEndpoint.Script {
        { connection, _ in connection.answer(#"{"error":"\#(message)"}"#, status: status) }
    }

    /// Loads and unloads as Ollama does.
    private static func memory(_ endpoint: FakeEndpoint) -> FakeEndpoint.Script {
        { [weak endpoint] connection, request in
            let model = request.string("model") ?? ""
            endpoint?.setLoaded((request.json["keep_alive"] as? Int) == 0 ? [] : [model])
            connection.answer(#"{"model":"\#(model)","response":"","done":true,"done_reason":"load"}"#)
        }
    }

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

    private static func run(
        _ scripts: [FakeEndpoint.Script], _ config: String = "", _ body: (RunningDaemon, [FakeEndpoint]) throws -> Void
    ) throws {
        let endpoints = try scripts.enumerated().map { try FakeEndpoint("e\($0)", available: ["m"], loaded: ["m"], script: $1) }
        defer { for endpoint in endpoints { endpoint.die() } }
        try RunningDaemon.run(endpoints, config) { try body($0, endpoints) }
    }

    @Test func aPullTellsHowItGoesOnEach() throws {
        try Self.run([Self.pull, Self.pull]) { daemon, endpoints in
            var told: [ModelProgress] = []
            let info = try daemon.control().model("pull", ModelActionParams(model: "new")) { told.append($0) }
            #expect(info.model == "new" && info.outcomes == [.init(endpoint: "e0"), .init(endpoint: "e1")])
            for name in ["e0", "e1"] {
                #expect(
                    told.filter { $0.endpoint == name }.map(\.status) == ["pulling manifest", "pulling 6a0746a1ec1a", "success"])
                #expect(told.contains { $0.endpoint == name && $0.completed == 100 && $0.total == 100 })
            }
            let one = try daemon.control().model("pull", ModelActionParams(model: "new", endpoint: "e1"))
            #expect(one.outcomes.map(\.endpoint) == ["e1"] && endpoints.map(\.requestCount) == [1, 2])
            let events = try daemon.control().events().events.filter { $0.facts["method"] == "model.pull" }
            #expect(events.count == 2 && events.last?.facts["endpoint"] == "e1" && events.last?.facts["model"] == "new")
        }
    }

    @Test func halfAFailureIsToldAsHalf() throws {
        try Self.run([Self.pull, Self.refusing("507 Insufficient Storage", "disk full")]) { daemon, _ in
            let info = try daemon.control().model("pull", ModelActionParams(model: "new"))
            #expect(info.outcomes == [.init(endpoint: "e0"), .init(endpoint: "e1", failure: "disk full")])
        }
        try Self.run([Self.refusing("500 Internal Server Error", "a"), Self.refusing("404 Not Found", "b")]) { daemon, _ in
            let error = Self.failure { _ = try daemon.control().model("pull", ModelActionParams(model: "new")) }
            #expect(error?.code == .refused && error?.message == "e0: a; e1: b")
        }
    }

    @Test func whoHangsUpEndsThePull() throws {
        let slow: FakeEndpoint.Script = { connection, _ in
            connection.startStream()
            connection.sendChunk(#"{"status":"pulling"}"# + "\n")
            connection.waitForPeerToLeave(within: 60)
        }
        try Self.run([slow, slow]) { daemon, endpoints in
            let socket = try UnixClient(daemon.socketPath)
            try socket.send(#"{"jsonrpc":"2.0","id":1,"method":"model.pull","params":{"model":"new"}}"# + "\n")
            try socket.wait(for: #""method":"progress""#)
            socket.close()
            try eventually("both endpoints are told") { endpoints.allSatisfy { $0.peersThatLeft == 1 } }
            try eventually("the log says so") {
                try daemon.control().events().events.contains { $0.facts["method"] == "model.pull" && $0.message == "refused to an operator" }
            }
        }
    }

    @Test func aModelIsLoadedWhereTheSchedulerWouldPutIt() throws {
        let endpoints = try ["a", "b"].map { try FakeEndpoint($0, available: ["m"]) }
        for endpoint in endpoints { endpoint.setScript(Self.memory(endpoint)) }
        try RunningDaemon.run("endpoints:\n" + endpoints[0].entry(weight: 1) + endpoints[1].entry(weight: 9), up: 2) { daemon in
            var told: [String] = []
            let info = try daemon.control().model("load", ModelActionParams(model: "m", keepAlive: "10m")) { told.append($0.status) }
            #expect(info.outcomes == [.init(endpoint: "b")] && told == ["loading", "loaded"])
            let request = endpoints[1].requests.first
            #expect(request?.path == "/api/generate" && request?.json["keep_alive"] as? String == "10m" && request?.json["prompt"] == nil)
            try eventually("it is seen in memory") { try daemon.endpoint("b").loaded == ["m:latest"] }
            try #expect(
                daemon.control().model("load", ModelActionParams(model: "m", endpoint: "a", keepAlive: "60")).outcomes.map(\.endpoint) == ["a"])
            #expect(endpoints[0].requests.first?.json["keep_alive"] as? Int == 60)
            try eventually("both have it") { try daemon.status().endpoints.allSatisfy { $0.loaded == ["m:latest"] } }
            // Everywhere, as none is named.
            try #expect(daemon.control().model("unload", ModelActionParams(model: "m")).outcomes.map(\.endpoint) == ["a", "b"])
            try eventually("none has it") { try daemon.status().endpoints.allSatisfy { $0.loaded.isEmpty } }
            #expect(Self.failure { _ = try daemon.control().model("unload", ModelActionParams(model: "m")) }?.code == .notFound)
            #expect(Self.failure { _ = try daemon.control().model("load", ModelActionParams(model: "nothing")) }?.code == .notFound)
            #expect(Self.failure { _ = try daemon.control().model("load", ModelActionParams(model: "m", endpoint: "z")) }?.code == .notFound)
        }
    }

    @Test func aModelForEmbeddingsIsLoadedByItsOwnRoute() throws {
        try Self.run([
            { connection, request in
                if request.path == "/api/generate" {
                    connection.answer(#"{"error":"\"m\" does not support generate"}"#, status: "400 Bad Request")
                } else {
                    connection.answer(#"{"model":"m","embeddings":[]}"#)
                }
            }
        ]) { daemon, endpoints in
            try #expect(daemon.control().model("load", ModelActionParams(model: "m")).outcomes == [.init(endpoint: "e0")])
            #expect(endpoints[0].requests.map(\.path) == ["/api/generate", "/api/embed"])
        }
    }

    @Test func llamaServerIsAskedInItsOwnWords() throws {
        let server = try FakeEndpoint("llama", kind: .llamaServer, available: ["big"]) { connection, request in
            connection.answer(
                request.path == "/models/unload" ? #"{"success":true}"# : #"{"error":{"message":"File Not Found"}}"#,
                status: request.path == "/models/unload" ? "200 OK" : "404 Not Found")
        }
        try RunningDaemon.run([server]) { daemon in
            // With one model it is in memory always.
            try #expect(daemon.control().model("load", ModelActionParams(model: "big")).outcomes == [.init(endpoint: "llama")])
            #expect(server.requestCount == 0)
            try #expect(daemon.control().model("unload", ModelActionParams(model: "big")).outcomes == [.init(endpoint: "llama")])
            #expect(server.requests.first?.path == "/models/unload" && server.requests.first?.string("model") == "big")
            let shown = try daemon.control().model("show", ModelActionParams(model: "big"))
            #expect(shown.details?.contains("model_info") == true)
        }
    }

    @Test func deleteCopyAndShowGoWhereTheModelIs() throws {
        try Self.run([Self.pull, Self.pull]) { daemon, endpoints in
            endpoints[1].setAvailable(["other"])
            try eventually("the list is read again") { try daemon.endpoint("e1").available == ["other:latest"] }
            try #expect(daemon.control().model("delete", ModelActionParams(model: "m")).outcomes == [.init(endpoint: "e0")])
            #expect(endpoints[0].requests.first?.method == "DELETE")
            try #expect(daemon.control().model("copy", ModelActionParams(model: "other", destination: "x")).outcomes == [.init(endpoint: "e1")])
            #expect(endpoints[1].requests.first?.string("destination") == "x")
            #expect(Self.failure { _ = try daemon.control().model("copy", ModelActionParams(model: "m")) }?.code == .invalidParams)
            #expect(Self.failure { _ = try daemon.control().model("delete", ModelActionParams(model: "gone")) }?.code == .notFound)
            #expect(Self.failure { _ = try daemon.control().model("pull", ModelActionParams(model: "")) }?.code == .invalidParams)
            endpoints[1].setScript(nil)
            let shown = try daemon.control().model("show", ModelActionParams(model: "other"))
            #expect(shown.outcomes.map(\.endpoint) == ["e1"] && shown.details?.contains(#""capabilities""#) == true)
            #expect(Self.failure { _ = try daemon.control().model("show", ModelActionParams(model: "gone")) }?.code == .notFound)
        }
    }

    @Test func theConfigurationMayForbidIt() throws {
        try Self.run([Self.pull], "model_management: off\n") { daemon, endpoints in
            #expect(Self.failure { _ = try daemon.control().model("pull", ModelActionParams(model: "m")) }?.code == .refused)
            #expect(endpoints[0].requestCount == 0)
        }
    }
}

/// A bare connection to the control socket, which can hang up when it likes.
private final class UnixClient {
    private let descriptor: Int32
    private var isOpen = true

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw TestFailure("cannot connect to \(path)") }
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw TestFailure("cannot write") }
    }

    func wait(for text: String) throws {
        var seen = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !seen.contains(text) {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 20_000) > 0 else { throw TestFailure("no '\(text)' in '\(seen)'") }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw TestFailure("closed after '\(seen)'") }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        _ = Foundation.close(descriptor)
    }

    deinit { close() }
}
