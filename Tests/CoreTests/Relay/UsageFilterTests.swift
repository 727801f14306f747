// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: a client gets an event that it has not asked for, or loses one that is its own.
@Suite struct UsageFilterTests {
    private static let token = #"data: {"choices":[{"delta":{"content":"a"}}]}"# + "\n\n"
    private static let usage = #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"# + "\n\n"
    private static let done = "data: [DONE]\n\n"

    private func run(_ chunks: [String]) -> String {
        var filter = UsageFilter()
        var out: [UInt8] = []
        for chunk in chunks {
            let bytes = Array(chunk.utf8)
            let verdict = bytes.withUnsafeBytes { filter.judge($0) }
            switch verdict {
            case .pass: out += bytes
            case .replace(let other): out += other
            }
        }
        return String(decoding: out + filter.finish(), as: UTF8.self)
    }

    @Test func theEventOfCountsIsTakenOutAtEverySplit() {
        let text = Self.token + Self.token + Self.usage + Self.done
        let wanted = Self.token + Self.token + Self.done
        for split in 0...text.utf8.count {
            let bytes = Array(text.utf8)
            #expect(run([String(decoding: bytes[..<split], as: UTF8.self), String(decoding: bytes[split...], as: UTF8.self)]) == wanted)
        }
        #expect(run([Self.token, Self.usage, Self.done]) == Self.token + Self.done)
    }

    @Test func everythingElsePasses() {
        let filtered = #"data: {"choices":[],"prompt_filter_results":[]}"# + "\n\n"
        let noUsage = #"data: {"choices":[],"usage":null}"# + "\n\n"
        for text in [Self.token, filtered, noUsage, ": ping\n\n", Self.token + "data: {\"half"] { #expect(run([text]) == text) }
    }

    @Test func tokensOfServersThatWriteCarriageReturnsAreNotHeldBack() {
        var filter = UsageFilter()
        let event = Array("data: {\"choices\":[{}]}\r\n\r\n".utf8)
        let verdict = event.withUnsafeBytes { filter.judge($0) }
        #expect(verdict == .replace(event))
    }
}
