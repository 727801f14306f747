// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Peers of the control socket that are broken, hostile or slow. Without this the operator's way in is the way to bring the daemon down.
@Suite struct ControlHardeningTests {
    private static let status = #"{"jsonrpc":"2.0","id":1,"method":"status"}"#

    private func withDaemon(_ config: String = "", _ body: (RunningDaemon) throws -> Void) throws {
        try RunningDaemon.run([FakeEndpoint("gpu", available: ["m"], loaded: ["m"])], config, body)
    }

    @Test func aLineThatIsTooLongIsToldAndPassedOver() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
            var sent = 0
            while sent < 5_000_000 {
                let count = peer.send(chunk)
                if count == 0 { usleep(1000) }
                sent += count
            }
            let first = try peer.next()
            #expect(ControlPeer.code(first) == -32600 && ControlPeer.message(first).contains("1048576 bytes"))
            peer.send("")
            peer.send(Self.status)
            // The connection is as good as new.
            try #expect(peer.next()?["result"] != nil)
        }
    }

    /// Whoever calls and never reads is not read from: what piles up stays in the sockets.
    @Test func aFloodOfCallsWithoutReadingStaysBounded() throws {
        try withDaemon { daemon in
            _ = try daemon.status()
            let before = try daemon.residentBytes()
            let peer = try ControlPeer(daemon.socketPath)
            let calls = Array(String(repeating: Self.status + "\n", count: 1000).utf8)
            var sent = 0
            var quiet = 0
            // Until the daemon has stopped taking for half a second.
            while quiet < 50, sent < 200_000_000 {
                let count = peer.send(calls)
                sent += count
                quiet = count == 0 ? quiet + 1 : 0
                if count == 0 { usleep(10_000) }
            }
            #expect(sent < 20_000_000, "the daemon goes on reading")
            try #expect(daemon.hasGrown(from: before, byLessThan: 40_000_000))
            try #expect(daemon.status().endpoints.count == 1, "others are served meanwhile")
        }
    }

    @Test func connectionsHaveALimitThatIsTold() throws {
        try withDaemon { daemon in
            let idle = try daemon.descriptorCount()
            var peers: [ControlPeer] = []
            var refusal: [String: Any]?
            for _ in 0..<300 {
                let peer = try ControlPeer(daemon.socketPath)
                peers.append(peer)
                guard peers.count > 256 else { continue }
                refusal = try peer.next()
                #expect(ControlPeer.code(refusal) == -32005)
                try #expect(peer.next() == nil, "and closed")
            }
            #expect(ControlPeer.message(refusal).contains("256 connections"))
            // Those that are in are served.
            peers[0].send(Self.status)
            try #expect(peers[0].next()?["result"] != nil)
            peers = []
            try eventually("room again") { (try? daemon.status()) != nil }
            try eventually("descriptors given back") { try daemon.descriptorCount() <= idle + 4 }
        }
    }

    /// A large reply reaches a peer that ended its side before it read anything.
    @Test func aPeerThatEndsItsSideGetsAllReplies() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            let calls = 400
            // At once: replies pile up in the socket, and then in the daemon, before the first is read.
            peer.send((0..<calls).map { #"{"id":\#($0),"method":"status"}"# }.joined(separator: "\n"))
            peer.endSending()
            for id in 0..<calls { try #expect(peer.next()?["id"] as? Int == id) }
            try #expect(peer.next() == nil)
        }
    }

    @Test func aSubscriptionOutlivesTheEndOfTheCalls() throws {
        try withDaemon { daemon in
            let result = try ChildProcess.run(
                "/bin/sh",
                ["-c", #"echo '{"id":1,"method":"subscribe","params":{"interval_ms":100}}' | timeout 2 nc -N -U \#(daemon.socketPath)"#])
            let lines = result.output.split(separator: "\n")
            #expect(lines.count > 4 && lines.dropFirst().allSatisfy { $0.contains(#""method":"snapshot""#) }, "\(result)")
        }
    }

    @Test func parametersThatNobodyKnowsAreRefused() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            peer.send(#"{"id":1,"method":"cache.invalidate","params":{"modle":"m"}}"#)
            let reply = try peer.next()
            #expect(ControlPeer.code(reply) == -32602)
            #expect(ControlPeer.message(reply).contains("'modle'") && ControlPeer.message(reply).contains("older_than_s"))
        }
    }

    @Test func clientsThatAreTooOldOrTooNewAreToldSo() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            for (number, update) in [(ProductVersion.controlProtocol - 1, "update other"), (ProductVersion.controlProtocol + 1, "update routerd")] {
                peer.send(#"{"id":1,"method":"hello","params":{"control_protocol":\#(number),"name":"other","version":"7.1"}}"#)
                let reply = try peer.next()
                #expect(ControlPeer.code(reply) == -32004)
                #expect(ControlPeer.message(reply).contains("other 7.1 speaks control protocol \(number)"))
                #expect(ControlPeer.message(reply).hasSuffix(update))
            }
            try #expect(daemon.control().hello().controlProtocol == ProductVersion.controlProtocol)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "another user needs root"))
    func peersWithoutTheRightAreTold() throws {
        try withDaemon("control_socket_mode: \"0666\"\n") { daemon in
            // The folder lets only its owner in.
            chmod(daemon.folder.path, 0o755)
            let result = try ChildProcess.run(
                "/bin/sh", ["-c", "echo '\(Self.status)' | setpriv --reuid=65534 --clear-groups nc -N -U \(daemon.socketPath)"])
            #expect(result.output.contains("-32002") && result.output.contains("65534"), "\(result)")
        }
    }

    /// One that subscribes and does not read keeps nobody waiting, costs one frame, and goes on with the newest when it reads again.
    @Test func aSlowSubscriberIsDroppedToTheNewestSnapshot() throws {
        try withDaemon { daemon in
            let slow = try ControlPeer(daemon.socketPath)
            slow.send(#"{"id":1,"method":"subscribe","params":{"interval_ms":100}}"#)
            try #expect(slow.next()?["result"] != nil)
            let quick = try daemon.control()
            _ = try quick.subscribe(intervalMs: 100)
            let before = try daemon.residentBytes()
            // More than the socket holds: a snapshot of this fleet has about 2 kB.
            var last = try quick.nextSnapshot(timeoutMs: 5000).sequence
            for _ in 0..<150 {
                let sequence = try quick.nextSnapshot(timeoutMs: 5000).sequence
                #expect(sequence == last + 1, "the quick one misses nothing")
                last = sequence
            }
            try #expect(daemon.hasGrown(from: before, byLessThan: 20_000_000))
            // What the socket held, then a gap, then what is new.
            let caughtUp = try eventualValue("the newest") { () -> Int? in
                let params = try slow.next()?["params"] as? [String: Any]
                guard let sequence = params?["sequence"] as? Int, sequence >= last else { return nil }
                return sequence
            }
            #expect(caughtUp >= last)
        }
    }
}
