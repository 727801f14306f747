// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import Testing

@testable import Core

/// What breaks without these: a page of any origin uses the router from its visitor's browser, or ours cannot.
@Suite struct CORSTests {
    private func fields(_ origins: [String], _ origin: String?) -> [String] {
        var buffer = ByteBuffer()
        CORS(origins: origins).writeFields(origin: origin, into: &buffer)
        return String(buffer: buffer).components(separatedBy: "\r\n").filter { !$0.isEmpty }
    }

    @Test func onlyConfiguredOriginsMay() {
        #expect(fields([], "https://a").isEmpty)
        #expect(fields(["*"], "https://a") == ["Access-Control-Allow-Origin: *"])
        #expect(fields(["https://a"], "https://A") == ["Access-Control-Allow-Origin: https://A", "Vary: Origin"])
        #expect(fields(["https://a"], "https://b") == ["Vary: Origin"])
        #expect(fields(["*"], nil).isEmpty)
    }

    @Test func aPreflightIsToldWhatMayBeSent() {
        #expect(
            CORS(origins: ["*"]).preflight(origin: "https://a").contains { $0.0 == "Access-Control-Allow-Headers" && $0.1.contains("Authorization") })
        #expect(CORS(origins: ["https://a"]).preflight(origin: "https://b").isEmpty)
        #expect(CORS(origins: []).preflight(origin: "https://b").isEmpty)
    }
}
