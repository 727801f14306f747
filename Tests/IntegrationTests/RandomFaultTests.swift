// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// Every fault that an endpoint can have, at random, on endpoints of all kinds, while clients come and go. Each model has one endpoint that is well all
/// the time, so that no client has to see anything of it before its first byte.
///
/// What must hold whatever happens: every client that stays is answered, no lease is lost, every request has one outcome, and the daemon lives.
@Suite struct RandomFaultTests {
    private static let seconds = 35.0
    private static let models = ["m0", "m1", "m2"]

    /// Three that are well and three that are not; each model is on one of those and two of these.
    private static func fleet() throws -> (steady: [FakeEndpoint], faulty: [FakeEndpoint]) {
        let kinds: [FakeEndpoint.Kind] = [.ollama, .llamaServer, .openAI]
        let steady = try kinds.enumerated().map { index, kind in
            try FakeEndpoint("steady\(index)", kind: kind, available: [models[index]], loaded: [models[index]])
        }
        let faulty = try kinds.enumerated().map { index, kind in
            let others = models.enumerated().filter { $0.offset != index }.map(\.element)
            return try FakeEndpoint("faulty\(index)", kind: kind, available: others, loaded: others, script: Moods(seed: UInt64(7 + index)).script)
        }
        return (steady, faulty)
    }

    @Test func noClientSeesAFaultBeforeItsFirstByte() throws {
        let (steady, faulty) = try Self.fleet()
        for endpoint in steady + faulty { endpoint.keepNoRequests() }
        // A hung request costs two seconds; an endpoint that is well needs milliseconds, also on a busy machine.
        let limits = "first_byte_timeout: 2s\nidle_timeout: 2s\npoll_timeout: 500ms\n"
        try RunningDaemon.run(steady + faulty, limit: 6, limits) { daemon in
            let seen = Seen()
            let watch = Stopwatch()
            let chaosEnded = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                Self.disturb(faulty, seen) { watch.seconds < Self.seconds }
                chaosEnded.signal()
            }
            let group = DispatchGroup()
            for number in 0..<8 {
                group.enter()
                Thread.detachNewThread {
                    Self.traffic(to: daemon.port, seed: UInt64(1000 + number), seen) { watch.seconds < Self.seconds }
                    group.leave()
                }
            }
            #expect(group.wait(timeout: .now() + Self.seconds + 60) == .success, "a client waits for ever")
            #expect(chaosEnded.wait(timeout: .now() + 30) == .success)

            let status = try daemon.waitUntilIdle(within: 30)
            let failed = seen.faults.count
            #expect(failed == 0, "\(failed) of \(seen.requests) clients were failed, the first: \(seen.faults.prefix(3))")
            let counted = status.requests
            #expect(counted.total == counted.completed + counted.failed + counted.aborted + counted.rejected, "\(counted)")
            #expect(counted.total >= seen.requests && counted.rejected == 0, "\(counted), \(seen.requests) requests")
            try eventually("no endpoint works for nobody") { (steady + faulty).allSatisfy { $0.active == 0 } }
            // Had one of these not happened, the test would be about less than it says.
            let moods = faulty.map(\.requestCount)
            #expect(moods.allSatisfy { $0 > 10 } && seen.left > 20 && seen.good > 300, "\(moods), \(seen.left) left, \(seen.good) good")
            // And it still works.
            for endpoint in faulty { endpoint.setScript(nil) }
            for model in Self.models {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("after", model: model)).status == 200)
            }
        }
    }

    // MARK: Clients

    private final class Seen: Sendable {
        private struct State {
            var requests = 0
            var good = 0
            var left = 0
            var faults: [String] = []
        }
        private let state = NIOLockedValueBox(State())

        func sent() { state.withLockedValue { $0.requests += 1 } }
        func answered() { state.withLockedValue { $0.good += 1 } }
        func leaves() { state.withLockedValue { $0.left += 1 } }
        func fault(_ text: String) { state.withLockedValue { $0.faults.append(text) } }

        var requests: Int { state.withLockedValue { $0.requests } }
        var good: Int { state.withLockedValue { $0.good } }
        var left: Int { state.withLockedValue { $0.left } }
        var faults: [String] { state.withLockedValue { $0.faults } }
    }

    private static func traffic(to port: Int, seed: UInt64, _ seen: Seen, while goesOn: () -> Bool) {
        var random = SplitMix(seed: seed)
        var number = 0
        while goesOn() {
            number += 1
            let path = Bool.random(using: &random) ? "/api/chat" : "/v1/chat/completions"
            let streams = Bool.random(using: &random)
            let model = models.randomElement(using: &random) ?? "m0"
            let tag = "\(seed).\(number) \(path) \(model)\(streams ? ", streamed" : "")"
            do {
                let client = try RawClient(port: port)
                try client.send(RawClient.request("POST", path, body: Chat.body("\(seed) \(number)", stream: streams, model: model)))
                seen.sent()
                if Int.random(in: 0..<12, using: &random) == 0 {
                    usleep(UInt32.random(in: 0..<60_000, using: &random))
                    client.reset()
                    seen.leaves()
                    continue
                }
                if let fault = try check(client.readResponse(within: 30), isNative: path.hasPrefix("/api"), streams: streams) {
                    seen.fault("\(tag): \(fault)")
                } else {
                    seen.answered()
                }
            } catch {
                seen.fault("\(tag): \(error)")
            }
        }
    }

    /// - Returns: what is wrong with it. After a first byte the rest may be an error, but must look like one.
    private static func check(_ answer: RawResponse, isNative: Bool, streams: Bool) -> String? {
        let shown = "\(answer.head.firstLine) \(answer.text.suffix(300))"
        guard answer.status == 200 else { return shown }
        guard streams else {
            if answer.isCut { return answer.body.isEmpty ? "cut before its first byte" : nil }
            return answer.text.hasPrefix(#"{"error""#) || answer.body.isEmpty ? shown : nil
        }
        let items = answer.text.components(separatedBy: isNative ? "\n" : "\n\n").filter { !$0.isEmpty }
        guard let first = items.first, let last = items.last, !first.contains(#"{"error":"#) else { return "begins with an error: \(shown)" }
        let isWhole = last.contains(#""done":true"#) || last == "data: [DONE]"
        return isWhole || last.contains(#"{"error":"#) ? nil : "half an answer that looks whole: \(shown)"
    }

    // MARK: Endpoints

    /// Endpoints die and come back, and their polls hang now and then.
    private static func disturb(_ endpoints: [FakeEndpoint], _ seen: Seen, while goesOn: () -> Bool) {
        var random = SplitMix(seed: 99)
        while goesOn() {
            guard let endpoint = endpoints.randomElement(using: &random) else { return }
            let pause = UInt32.random(in: 200_000..<900_000, using: &random)
            if Bool.random(using: &random) {
                endpoint.die()
                usleep(pause)
                do { try endpoint.revive() } catch { seen.fault("the test itself: \(error)") }
            } else {
                endpoint.setPollsHang(true)
                usleep(pause)
                endpoint.setPollsHang(false)
            }
            usleep(pause)
        }
    }

    /// What an endpoint does with a request today.
    private final class Moods: Sendable {
        private let random: NIOLockedValueBox<SplitMix>
        private static let faults: [ScriptedAnswer] = [
            .busy(), .tooMany(retryAfter: "1"), .broken, .refusal("502 Bad Gateway", "no upstream"), .loading, .modelIsGone, .close, .reset, .garbage,
            .emptyBody, .errorInside, .headThen(.close), .headThen(.reset), .tokenThen(.close), .tokenThen(.reset), .lateToken(after: 0.1),
            .bareLineFeeds, .hang, .headThen(.hang),
        ]

        init(seed: UInt64) { random = NIOLockedValueBox(SplitMix(seed: seed)) }

        var script: FakeEndpoint.Script {
            { connection, request in
                let isWell = self.random.withLockedValue { Int.random(in: 0..<10, using: &$0) < 4 }
                let fault = self.random.withLockedValue { Self.faults.randomElement(using: &$0) }
                (isWell ? .good : fault ?? .good).script(connection, request)
            }
        }
    }
}
