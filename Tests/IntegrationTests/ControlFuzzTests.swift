// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Thousands of spoilt lines on the real socket, sent in pieces, abandoned, half closed, unread. Whatever is sent, the daemon lives,
/// answers the next well-formed call on a new connection, and gives back memory and descriptors.
///
/// A seed that fails here fails again: put the line into Tests/Fixtures/control.
@Suite struct ControlFuzzTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func theDaemonOutlivesAnything(seed: UInt64) throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            let corpus = try ControlCorpus.lines()
            var random = SplitMix(seed: seed)
            // What the first rounds bring into memory is no leak.
            try rounds(60, corpus, daemon, &random)
            let descriptors = try settledDescriptors(daemon)
            let memory = try daemon.residentBytes()
            try rounds(300, corpus, daemon, &random)
            try eventually("descriptors given back") { try daemon.descriptorCount() <= descriptors + 4 }
            try #expect(daemon.hasGrown(from: memory, byLessThan: 48_000_000))
            // A spoilt call may have drained it by luck.
            _ = try daemon.routerctl("resume", "gpu")
        }
    }

    private func settledDescriptors(_ daemon: RunningDaemon) throws -> Int {
        var last = try daemon.descriptorCount()
        try eventually("as many descriptors as before") {
            usleep(100_000)
            defer { last = (try? daemon.descriptorCount()) ?? 0 }
            return try daemon.descriptorCount() == last
        }
        return last
    }

    private func rounds(_ count: Int, _ corpus: [[UInt8]], _ daemon: RunningDaemon, _ random: inout SplitMix) throws {
        for round in 0..<count {
            let peer = try ControlPeer(daemon.socketPath)
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                stream += ControlCorpus.spoil(corpus.randomElement(using: &random) ?? [], &random)
                if Int.random(in: 0..<20, using: &random) > 0 { stream.append(0x0a) }
            }
            while !stream.isEmpty {
                let cut = Int.random(in: 1...min(stream.count, 4096), using: &random)
                // What does not go is not sent: it may have closed.
                peer.send(Array(stream[..<cut]))
                stream.removeFirst(cut)
            }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: peer.endSending()
            case 1: _ = try? peer.next(within: 0.05)
            default: break
            }
            guard round % 10 == 0 else { continue }
            guard daemon.process.exitStatus == nil else { throw TestFailure("routerd died in round \(round)") }
            let answer = try ControlPeer(daemon.socketPath)
            answer.send(#"{"jsonrpc":"2.0","id":"alive","method":"status"}"#)
            let reply = try answer.next(within: 10)
            #expect(reply?["id"] as? String == "alive" && reply?["result"] != nil, "round \(round)")
        }
    }
}
