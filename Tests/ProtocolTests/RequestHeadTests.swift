// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The first look at a line that anybody may have written. What it lets pass is decoded and acted upon; what it stops gets an answer
/// that says why.
@Suite struct RequestHeadTests {
    private func read(_ line: String) throws -> RPCRequestHead { try RPCRequestHead.read(Data(line.utf8)) }

    private func refusal(_ line: Data) -> RPCRequestHead.Refusal? {
        do {
            _ = try RPCRequestHead.read(line)
            return nil
        } catch {
            return error
        }
    }

    @Test func callsAreRead() throws {
        let call = try read(#" {"jsonrpc":"2.0","id":1,"method":"drain","params":{"endpoint":"a","x":[[{"y":null}]]},"more":true} "#)
        #expect(call.id == .number(1) && call.method == "drain" && call.jsonrpc == "2.0")
        let short = try read(#"{"method":"st\u0061tus","id":"x"}"#)
        #expect(short.id == .text("x") && short.method == "status" && short.jsonrpc == nil)
        #expect(try read(#"{"id":1,"method":"status","params":null}"#).method == "status")
    }

    @Test(arguments: [
        ("", RPCError.Code.parseError, RPCID.null, "no JSON"),
        ("nonsense", .parseError, .null, "byte 2"),
        (#"{"id":1,"method":"status""#, .parseError, .null, "no JSON"),
        (#"{"id":1,"method":"status"} {"#, .parseError, .null, "byte 28"),
        (#"{"id":1,"method":"status",}"#, .parseError, .null, "no JSON"),
        (#"{"id":01,"method":"status"}"#, .parseError, .null, "no JSON"),
        (#"{'id':1}"#, .parseError, .null, "no JSON"),
        (#"[{"id":1,"method":"status"}]"#, .invalidRequest, .null, "batches"),
        (#""status""#, .invalidRequest, .null, "object"),
        ("17", .invalidRequest, .null, "object"),
        (#"{"id":1}"#, .invalidRequest, .number(1), "'method'"),
        (#"{"id":1,"method":7}"#, .invalidRequest, .number(1), "'method' must be a text"),
        (#"{"method":"status"}"#, .invalidRequest, .null, "'id'"),
        (#"{"id":null,"method":"status"}"#, .invalidRequest, .null, "'id'"),
        (#"{"id":1.5,"method":"status"}"#, .invalidRequest, .null, "whole number"),
        (#"{"id":{},"method":"status"}"#, .invalidRequest, .null, "whole number"),
        (#"{"id":99999999999999999999,"method":"status"}"#, .invalidRequest, .null, "whole number"),
        (#"{"id":1,"id":2,"method":"status"}"#, .invalidRequest, .number(2), "'id' stands twice"),
        (#"{"id":1,"method":"status","m\u0065thod":"drain"}"#, .invalidRequest, .number(1), "'method' stands twice"),
        (#"{"id":1,"method":"drain","params":{"a":1,"a":2}}"#, .invalidParams, .number(1), "'a' is given twice"),
        (#"{"id":1,"method":"status","params":[]}"#, .invalidParams, .number(1), "by name"),
        (#"{"id":1,"method":"status","params":"x"}"#, .invalidParams, .number(1), "by name"),
        (#"{"jsonrpc":"1.0","id":1,"method":"status"}"#, .invalidRequest, .number(1), "2.0"),
    ])
    func whatIsNoCallIsToldWhy(line: String, code: RPCError.Code, id: RPCID, text: String) throws {
        let refusal = try #require(self.refusal(Data(line.utf8)), "\(line)")
        #expect(refusal.error.code == code && refusal.id == id, "\(line): \(refusal)")
        #expect(refusal.error.message.contains(text), "\(line): \(refusal.error.message)")
    }

    @Test func nestingHasALimitAndSoHasTheStack() throws {
        for (depth, isFine) in [(60, true), (70, false), (400_000, false)] {
            let line =
                #"{"id":1,"method":"status","params":{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}}"
            #expect((refusal(Data(line.utf8)) == nil) == isFine, "\(depth)")
        }
    }

    @Test func textThatIsNotUTF8IsRefused() {
        let line = Data(#"{"id":1,"method":""#.utf8) + [0xff, 0xfe] + Data(#""}"#.utf8)
        #expect(refusal(line)?.error.code == .parseError)
    }

    /// Differential: what passes here is JSON to another reader too, and what that reader refuses does not pass.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func spoiltCallsAreNeverMistakenForJSON(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let corpus = try ControlCorpus.lines()
        try #require(corpus.count > 30)
        var passed = 0
        for _ in 0..<3000 {
            let line = ControlCorpus.spoil(corpus.randomElement(using: &random) ?? [], &random)
            guard refusal(Data(line)) == nil else { continue }
            passed += 1
            // Sound JSON, of which that reader makes no number: more than a double holds.
            guard !String(decoding: line, as: UTF8.self).contains(/[eE][+]?[0-9]{3,}/) else { continue }
            let object = try? JSONSerialization.jsonObject(with: Data(line))
            #expect(object is [String: Any], "\(String(decoding: line, as: UTF8.self))")
        }
        #expect(passed > 100, "the spoiling leaves some calls whole")
    }

    /// Lines come out of the reader as they went in, however they are cut, and what is too long is one failure and no more.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func framesSurviveAnyCut(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let limit = 200
        var stream: [UInt8] = []
        var expected: [Data?] = []
        for _ in 0..<200 {
            let length = [0, 1, 50, limit, limit + 1, 5000].randomElement(using: &random) ?? 0
            let line = (0..<length).map { _ in UInt8.random(in: 0x20...0xff, using: &random) }
            stream += line + [0x0a]
            if length > 0 { expected.append(length > limit ? nil : Data(line)) }
        }
        var reader = FrameReader(maximumLength: limit)
        var found: [Data?] = []
        while !stream.isEmpty {
            let cut = Int.random(in: 1...min(stream.count, 300), using: &random)
            reader.append(stream[..<cut])
            stream.removeFirst(cut)
            while true {
                do {
                    guard let line = try reader.next() else { break }
                    found.append(line)
                } catch {
                    found.append(nil)
                }
            }
        }
        #expect(found == expected)
    }
}
