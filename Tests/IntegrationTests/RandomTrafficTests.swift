// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// Everything at once: endpoints that err, hang, reset and die, clients that leave, an operator who drains and reloads.
///
/// What must hold whatever happens: each answer is that of its own request, no lease is lost, every request has one
/// outcome, and the daemon keeps neither memory nor descriptors.
@Suite struct RandomTrafficTests {
    private static let models = ["a", "b", "c", "d"]
    private static let limits = """
        queue_timeout: 2s
        first_byte_timeout: 250ms
        idle_timeout: 250ms
        connect_timeout: 1s

        """

    @Test func nothingIsLostOrMixedUp() throws {
        let endpoints = try (0..<6).map { number in
            let script = Moods(seed: UInt64(100 + number)).script
            let available = Self.models.enumerated().filter { $0.offset != number % 4 }.map(\.element)
            return try FakeEndpoint("e\(number)", available: available, loaded: [available[0]], script: script)
        }
        for endpoint in endpoints { endpoint.keepNoRequests() }
        try RunningDaemon.run(endpoints, limit: 4, Self.limits) { daemon in
            let seen = Seen()
            // Warms buffers and pools up, so that what is compared later is growth.
            try Self.traffic(to: daemon.port, threads: 8, each: 50, seed: 1, seen)
            try daemon.waitUntilIdle()
            let before = try daemon.residentBytes()
            let operatorRuns = NIOLockedValueBox(true)
            let operatorEnded = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                Self.operate(daemon, endpoints, while: { operatorRuns.withLockedValue { $0 } }, seen)
                operatorEnded.signal()
            }
            defer { operatorRuns.withLockedValue { $0 = false } }
            try Self.traffic(to: daemon.port, threads: 8, each: 450, seed: 1000, seen)
            operatorRuns.withLockedValue { $0 = false }
            #expect(operatorEnded.wait(timeout: .now() + 30) == .success)

            let status = try daemon.waitUntilIdle(within: 30)
            let faults = seen.faults
            #expect(faults.isEmpty, "\(faults.count) faults, the first: \(faults.prefix(3))")
            let counted = status.requests
            #expect(counted.total == counted.completed + counted.failed + counted.aborted + counted.rejected, "\(counted)")
            #expect(counted.total >= seen.answers, "\(counted), but clients have seen \(seen.answers) answers")
            // Had one of these not happened, the test would be about less than it says.
            #expect(seen.good > 1500 && counted.failed > 20 && counted.aborted > 50, "\(counted), \(seen.good) good answers")
            #expect(seen.changes > 10)

            try eventually("no endpoint works for nobody") { endpoints.allSatisfy { $0.active == 0 } }
            try eventually("no client connection is left") { try daemon.status().connections == 0 }
            // Listeners, event loops, pollers, and at most what the pools keep: the endpoints see how many those are.
            try eventually("descriptors are closed: \((try? Self.descriptors(of: daemon)) ?? -1), endpoints see \(endpoints.map(\.openConnections))")
            {
                try Self.descriptors(of: daemon) <= 40 + endpoints.map(\.openConnections).reduce(0, +)
            }
            let after = try daemon.residentBytes()
            #expect(after < before + 60_000_000, "from \(before) to \(after) bytes")
            // And it still works.
            for endpoint in endpoints { endpoint.setScript(nil) }
            // What has failed for so long is set aside for up to a minute, unless an operator knows better.
            for endpoint in try daemon.status().endpoints { _ = try daemon.control().resume(endpoint.name) }
            try eventually("all are up") { try daemon.status().endpoints.allSatisfy { $0.state == "up" } }
            for model in Self.models {
                let answer = try RawClient.post(port: daemon.port, "/api/generate", #"{"model":"\#(model)","stream":false}"#)
                #expect(answer.status == 200)
            }
        }
    }

    private static func descriptors(of daemon: RunningDaemon) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.pid)/fd").count
    }

    // MARK: Clients

    private final class Seen: Sendable {
        private struct State {
            var answers = 0
            var good = 0
            var changes = 0
            var faults: [String] = []
        }
        private let state = NIOLockedValueBox(State())

        func answer(isGood: Bool) {
            state.withLockedValue {
                $0.answers += 1
                if isGood { $0.good += 1 }
            }
        }
        func change() { state.withLockedValue { $0.changes += 1 } }
        func fault(_ text: String) { state.withLockedValue { $0.faults.append(text) } }

        var answers: Int { state.withLockedValue { $0.answers } }
        var good: Int { state.withLockedValue { $0.good } }
        var changes: Int { state.withLockedValue { $0.changes } }
        var faults: [String] { state.withLockedValue { $0.faults } }
    }

    private static func traffic(to port: Int, threads: Int, each: Int, seed: UInt64, _ seen: Seen) throws {
        let group = DispatchGroup()
        for thread in 0..<threads {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                var random = SplitMix(seed: seed + UInt64(thread))
                var client: RawClient?
                for round in 0..<each {
                    let tag = "<\(seed).\(thread).\(round)>"
                    do {
                        let open = try client ?? RawClient(port: port)
                        client = try request(tag, on: open, &random, seen) ? open : nil
                    } catch {
                        seen.fault("\(tag): \(error)")
                        client = nil
                    }
                }
            }
        }
        guard group.wait(timeout: .now() + 150) == .success else { throw TestFailure("the clients did not come to an end") }
    }

    /// - Returns: whether the connection can go on.
    private static func request(_ tag: String, on client: RawClient, _ random: inout SplitMix, _ seen: Seen) throws -> Bool {
        let isNative = Bool.random(using: &random)
        let streams = Bool.random(using: &random)
        let padding = String(repeating: "x", count: Int.random(in: 0..<50, using: &random) == 0 ? 300_000 : Int.random(in: 0..<500, using: &random))
        let model = models.randomElement(using: &random) ?? "a"
        let body = #"{"model":"\#(model)","stream":\#(streams),"tag":"\#(tag)","messages":[{"role":"user","content":"\#(padding)"}]}"#
        let bytes = RawClient.request("POST", isNative ? "/api/chat" : "/v1/chat/completions", body: body)
        switch Int.random(in: 0..<20, using: &random) {
        case 0:
            // Leaves during its request.
            try client.send(Array(bytes.prefix(Int.random(in: 1..<bytes.count, using: &random))))
            return false
        case 1:
            try client.send(bytes)
            usleep(UInt32.random(in: 0..<20_000, using: &random))
            client.reset()
            return false
        case 2:
            // Does not wait for the answer with its next request.
            try client.send(bytes + RawClient.request("GET", "/"))
            guard try check(client.readResponse(), tag, isNative: isNative, streams: streams, seen) else { return false }
            let page = try client.readResponse(method: "GET")
            seen.answer(isGood: false)
            if page.text != "Ollama is running" { seen.fault("\(tag): the next answer is \(page.head.firstLine) \(page.text.prefix(200))") }
            return true
        default:
            try client.send(bytes)
            return try check(client.readResponse(), tag, isNative: isNative, streams: streams, seen)
        }
    }

    /// - Returns: whether the connection can go on.
    private static func check(_ answer: RawResponse, _ tag: String, isNative: Bool, streams: Bool, _ seen: Seen) throws -> Bool {
        let separator = isNative ? "\n" : "\n\n"
        let items = answer.text.components(separatedBy: separator).filter { !$0.isEmpty }
        var isGood = answer.status == 200 && !answer.isCut
        switch answer.status {
        case 200:
            for (index, item) in items.enumerated() {
                // An endpoint's half item, an error that the router has added, or a whole item of this very request.
                if item.contains(#"{"error":"#) {
                    isGood = false
                    if index != items.count - 1 { seen.fault("\(tag): goes on after an error: \(answer.text.suffix(300))") }
                } else if item.contains(">"), !item.contains(tag) {
                    seen.fault("\(tag): another one's answer: \(item.prefix(300))")
                }
            }
            if isGood, !answer.text.contains("done") && !answer.text.contains("[DONE]") {
                seen.fault("\(tag): half an answer that looks whole: \(answer.text.suffix(300))")
            }
            if answer.isCut, streams { seen.fault("\(tag): a stream was cut without an error: \(answer.text.suffix(300))") }
        case 400, 500:
            // The endpoint's own, passed on as it came.
            if !answer.text.contains(tag) { seen.fault("\(tag): not its endpoint's error: \(answer.text)") }
        case 502, 503, 504:
            if !answer.text.hasPrefix(isNative ? #"{"error":""# : #"{"error":{"#) { seen.fault("\(tag): \(answer.status) \(answer.text)") }
        default:
            seen.fault("\(tag): \(answer.head.firstLine) \(answer.text.prefix(300))")
        }
        seen.answer(isGood: isGood)
        return !answer.isCut && answer.head["connection"]?.lowercased() != "close"
    }

    // MARK: The operator

    /// Drains, resumes, reloads, and kills processes until the traffic ends, then puts everything back.
    private static func operate(_ daemon: RunningDaemon, _ endpoints: [FakeEndpoint], while goesOn: () -> Bool, _ seen: Seen) {
        var random = SplitMix(seed: 7)
        do {
            let control = try daemon.control()
            while goesOn() {
                let name = "e\(Int.random(in: 0..<3, using: &random))"
                switch Int.random(in: 0..<6, using: &random) {
                case 0: _ = try control.drain(name)
                case 1: _ = try control.maintenance(name)
                case 2, 3: _ = try control.resume(name)
                case 4:
                    // With another limit, and with or without the last endpoint.
                    let few = Bool.random(using: &random) ? Array(endpoints.dropLast()) : endpoints
                    try daemon.rewriteConfig(RunningDaemon.entries(few, limit: Int.random(in: 1...6, using: &random)) + limits)
                    _ = try control.reload()
                default:
                    let mortal = endpoints[4]
                    mortal.die()
                    usleep(50_000)
                    try mortal.revive()
                }
                seen.change()
                usleep(UInt32.random(in: 0..<60_000, using: &random))
            }
            try daemon.rewriteConfig(RunningDaemon.entries(endpoints, limit: 4) + limits)
            _ = try control.reload()
            for number in 0..<3 { _ = try control.resume("e\(number)") }
        } catch {
            seen.fault("the operator: \(error)")
        }
    }
}

/// What an endpoint does with a request today.
private final class Moods: Sendable {
    private let random: NIOLockedValueBox<SplitMix>

    init(seed: UInt64) { random = NIOLockedValueBox(SplitMix(seed: seed)) }

    var script: FakeEndpoint.Script {
        { connection, request in self.answer(connection, request) }
    }

    private func answer(_ connection: FakeConnection, _ request: ReceivedRequest) {
        let (mood, length) = random.withLockedValue { (Int.random(in: 0..<100, using: &$0), Int.random(in: 1..<6, using: &$0)) }
        let tag = request.string("tag") ?? "<none>"
        let isNative = request.path.hasPrefix("/api")
        let item = isNative ? "{\"tag\":\"\(tag)\",\"done\":false}\n" : "data: {\"tag\":\"\(tag)\"}\n\n"
        let last = isNative ? "{\"tag\":\"\(tag)\",\"done\":true,\"eval_count\":\(length)}\n" : "data: [DONE]\n\n"
        switch mood {
        case 0: return connection.reset()
        case 1: return connection.close()
        case 2: _ = connection.waitForPeerToLeave()
        case 3: return connection.send("SSH-2.0-OpenSSH_9.6\r\n\r\n") ? connection.close() : ()
        case 4: connection.answer("{\"error\":\"\(tag)\"}", status: "500 Internal Server Error")
        case 5: connection.answer("{\"error\":\"\(tag)\"}", status: "400 Bad Request")
        case 6...60 where request.json["stream"] as? Bool == true, 10...99 where request.json["stream"] as? Bool == true:
            connection.startStream(isNative ? "application/x-ndjson" : "text/event-stream")
            for index in 0..<length {
                guard connection.sendChunk(item), mood % 2 == 0 || connection.pause(0.002) else { return }
                guard index == 1 else { continue }
                switch mood {
                case 6: return connection.reset()
                case 7: return connection.close()
                case 8: _ = connection.waitForPeerToLeave()
                case 9: return connection.send("40\r\n" + item.prefix(12)) ? connection.close() : ()
                default: break
                }
            }
            connection.sendChunk(last)
            connection.sendLastChunk()
        case 6: return connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tag\":\"\(tag)\"") ? connection.close() : ()
        default: connection.answer("{\"tag\":\"\(tag)\",\"done\":true}")
        }
    }
}
