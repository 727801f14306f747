// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The lines of Tests/Fixtures/control on the real socket, each with the error that its file is named after. Without these a broken
/// client would bring the daemon down, or be told something that helps nobody.
@Suite struct ControlCorpusTests {
    private static let status = #"{"jsonrpc":"2.0","id":"alive","method":"status"}"#

    /// Files by the error code that their lines have to be answered with; nil for those that are right.
    private static func files() throws -> [(code: Int?, lines: [[UInt8]])] {
        let folder = Checkout.root + "/Tests/Fixtures/control"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().compactMap { name in
            let code = name.hasPrefix("error") ? Int(name.dropFirst("error".count).dropLast(".txt".count)) : nil
            guard code != nil || name == "answered.txt" else { return nil }
            return (code, try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")).split(separator: 0x0a).map { Array($0) })
        }
    }

    private func withDaemon(_ body: (RunningDaemon) throws -> Void) throws {
        try RunningDaemon.run([FakeEndpoint("gpu", available: ["m"], loaded: ["m"])], "cache_enabled: true\n", body)
    }

    private static func text(_ line: [UInt8]) -> String { String(decoding: line.prefix(160), as: UTF8.self) }

    private func expect(_ code: Int?, _ reply: [String: Any]?, to line: [UInt8]) {
        #expect(ControlPeer.code(reply) == code, "\(Self.text(line)): \(reply?["error"] ?? "answered")")
        guard code != nil else { return }
        let message = ControlPeer.message(reply)
        // In words, and nothing of the inside of the daemon.
        #expect(message.count > 10 && !message.contains("DecodingError") && !message.contains("Swift."), "\(Self.text(line)): \(message)")
    }

    /// One connection takes them all: none spoils it for the next.
    @Test func eachLineIsAnsweredAsItsFileSays() throws {
        try withDaemon { daemon in
            let files = try Self.files()
            try #require(Set(files.compactMap(\.code)) == [-32700, -32600, -32601, -32602, -32003, -32004])
            try #require(files.reduce(0) { $0 + $1.lines.count } > 150)
            let peer = try ControlPeer(daemon.socketPath)
            for (code, lines) in files {
                for line in lines {
                    peer.send(line + [0x0a])
                    expect(code, try peer.next(), to: line)
                }
            }
            peer.send(Self.status)
            try #expect(peer.next()?["id"] as? String == "alive")
        }
    }

    /// Half a line is not a line: it waits for its other half, wherever it was cut, and means what it means whole.
    @Test func halfLinesMeanWhatTheyMeanWhole() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            for (code, lines) in try Self.files() {
                for line in lines where line.count < 200 {
                    for cut in Set([1, line.count / 3, line.count / 2, line.count - 1, line.count]) where cut > 0 && cut <= line.count {
                        peer.send(Array(line[..<cut]))
                        peer.send(Array(line[cut...]))
                        peer.send([0x0a])
                        expect(code, try peer.next(), to: line)
                    }
                }
            }
        }
    }

    @Test func halfLinesThatAreLeftBehindDoNothing() throws {
        try withDaemon { daemon in
            let descriptors = try daemon.descriptorCount()
            for _ in 0..<200 {
                let peer = try ControlPeer(daemon.socketPath)
                // All but its end: it must not be taken for a call when the connection ends.
                peer.send(Array(#"{"id":1,"method":"drain","params":{"endpoint":"gpu"}}"#.utf8))
            }
            try eventually("descriptors given back") { try daemon.descriptorCount() <= descriptors + 2 }
            try #expect(daemon.endpoint("gpu").state == "up")
        }
    }

    // MARK: Parameters

    private static let values: [(kind: String, text: String)] = [
        ("text", #""x""#), ("number", "7"), ("yes/no", "true"), ("[text]", #"["x"]"#), ("object", #"{"a":1}"#), ("[number]", "[1]"),
        ("[object]", "[{}]"),
    ]

    /// Every parameter that the page explains, given as everything that it is not.
    @Test func aParameterOfTheWrongKindIsNamed() throws {
        let manual = try ControlManual(String(contentsOfFile: Checkout.root + "/man/routerd-control.7", encoding: .utf8))
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            var tried = 0
            for (method, parameters) in manual.parameters.sorted(by: { $0.key < $1.key }) {
                for parameter in parameters {
                    let others = parameters.filter { $0.name != parameter.name && !$0.isOptional }
                    let rest = others.map { other in ",\"\(other.name)\":\(Self.values.first { $0.kind == other.kind }?.text ?? "null")" }.joined()
                    for value in Self.values where value.kind != parameter.kind {
                        peer.send(#"{"id":1,"method":"\#(method)","params":{"\#(parameter.name)":\#(value.text)\#(rest)}}"#)
                        let reply = try peer.next()
                        let message = ControlPeer.message(reply)
                        #expect(
                            ControlPeer.code(reply) == -32602 && message.contains("'\(parameter.name)"),
                            "\(method) \(parameter.name) \(value.text): \(reply?["error"] ?? "answered")")
                        tried += 1
                    }
                    guard !parameter.isOptional else { continue }
                    peer.send(#"{"id":1,"method":"\#(method)","params":{\#(rest.dropFirst())}}"#)
                    let reply = try peer.next()
                    #expect(ControlPeer.code(reply) == -32602 && ControlPeer.message(reply).contains("'\(parameter.name)' is missing"), "\(method)")
                }
            }
            #expect(tried > 200, "\(tried)")
        }
    }

    // MARK: Amounts

    @Test(arguments: [64, 65, 1000, 100_000])
    func nestingHasALimitAndCostsNoStack(depth: Int) throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
                let nested = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
                peer.send(#"{"id":1,"method":"status","x":\#(nested)}"#)
                expect(-32600, try peer.next(), to: Array(nested.utf8))
                // One that is never closed.
                peer.send(String(repeating: open, count: depth))
                let reply = try peer.next()
                #expect([-32600, -32700].contains(ControlPeer.code(reply)), "\(reply ?? [:])")
            }
            peer.send(Self.status)
            try #expect(peer.next()?["result"] != nil)
        }
    }

    /// Up to the limit a line is read, whatever is in it.
    @Test func aLineAsLongAsMayBeIsAnswered() throws {
        try withDaemon { daemon in
            let peer = try ControlPeer(daemon.socketPath)
            let before = try daemon.residentBytes()
            for _ in 0..<10 {
                let frame = #"{"id":1,"method":"status","x":""}"#
                peer.send(frame.dropLast(2) + String(repeating: "x", count: FrameReader.maximumCallLength - frame.utf8.count) + "\"}")
                try #expect(peer.next()?["result"] != nil)
                peer.send(frame.dropLast(2) + String(repeating: "x", count: FrameReader.maximumCallLength - frame.utf8.count + 1) + "\"}")
                try #expect(ControlPeer.code(peer.next()) == -32600)
            }
            try #expect(daemon.hasGrown(from: before, byLessThan: 64_000_000))
        }
    }

    /// Many peers that each send a flood and read it all: every call is answered, in order, and nothing is kept.
    @Test func floodsFromManyPeersAreAnsweredInOrder() throws {
        try withDaemon { daemon in
            let descriptors = try daemon.descriptorCount()
            let calls = 100
            let flood = (0..<calls).map { #"{"id":\#($0),"method":"queue"}"# }.joined(separator: "\n")
            for _ in 0..<5 {
                let peers = try (0..<40).map { _ in try ControlPeer(daemon.socketPath) }
                for peer in peers { peer.send(flood) }
                for peer in peers {
                    for id in 0..<calls { try #require(peer.next()?["id"] as? Int == id) }
                }
            }
            try eventually("descriptors given back") { try daemon.descriptorCount() <= descriptors + 2 }
        }
    }

    /// Connections that come and go without a word, and some that say one.
    @Test func aThousandConnectionsLeaveNothingBehind() throws {
        try withDaemon { daemon in
            _ = try daemon.status()
            let descriptors = try daemon.descriptorCount()
            let memory = try daemon.residentBytes()
            for number in 0..<1000 {
                let peer = try ControlPeer(daemon.socketPath)
                if number % 3 == 0 { peer.send(#"{"id":1,"method":"subscribe","params":{"interval_ms":100}}"#) }
                if number % 5 == 0 { peer.endSending() }
            }
            try eventually("descriptors given back") { try daemon.descriptorCount() <= descriptors + 2 }
            try #expect(daemon.hasGrown(from: memory, byLessThan: 32_000_000))
            try #expect(daemon.status().endpoints.count == 1)
        }
    }
}
