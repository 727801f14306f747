// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Foundation
import TestSupport
import Testing

@testable import Core

/// What breaks without these: operators are told figures that are not so, or a log line that is a client's own.
@Suite struct AccountingTests {
    private static let record = AccessRecord(
        time: "T", id: "x-1", peer: "10.0.0.1:5", method: "POST", path: "/api/chat", model: "my model", endpoint: "gpu1", why: "loaded", status: 200,
        bytes: 12, waitMs: 3, firstByteMs: 40, durationMs: 99, tokens: TokenSum(input: 7, output: 8))

    @Test func aLineHoldsEverything() throws {
        #expect(
            Self.record.line(.text)
                == "T x-1 10.0.0.1:5 - \"POST /api/chat\" 200 model=\"my model\" endpoint=gpu1 why=loaded bytes=12 wait_ms=3 first_byte_ms=40 duration_ms=99 tokens=7/8 cache=- retries=-\n"
        )
        let json = try JSONValue(parsing: Self.record.line(.json).utf8)
        #expect(json["model"] == "my model" && json["prompt_tokens"] == 7 && json["first_byte_ms"] == 40 && json["wait_ms"] == 3)
    }

    @Test func aClientsTextMakesNoLineOfItsOwn() {
        var record = Self.record
        record.path = "/x\n2026 forged \"line"
        record.model = "a\nb\"c"
        #expect(record.line(.text).filter { $0 == "\n" }.count == 1)
        #expect(record.line(.json).filter { $0 == "\n" }.count == 1)
    }

    @Test(arguments: [
        ("/api/chat", "/api/chat"), ("/a?api_key=s3cret", "/a"), ("/a?x=1&api_key=s3cret&y=2", "/a?x=1&y=2"), ("/a?x=1", "/a?x=1"),
    ])
    func noKeyIsInAPath(_ uri: String, _ path: String) {
        #expect(RouterKeys.pathWithoutKey(uri) == path)
    }

    @Test func histogramsCountAsPrometheusDoes() {
        var histogram = Histogram(bounds: [1, 2])
        for value in [0.5, 1, 1.5, 7] { histogram.record(value) }
        #expect(histogram.counts == [2, 1, 1] && histogram.sum == 10 && histogram.count == 4)
        var page = MetricsText()
        page.histogram("h", [("model", "a\"b\\c\nd")], histogram)
        #expect(
            page.text == #"""
                h_bucket{model="a\"b\\c\nd",le="1"} 2
                h_bucket{model="a\"b\\c\nd",le="2"} 3
                h_bucket{model="a\"b\\c\nd",le="+Inf"} 4
                h_sum{model="a\"b\\c\nd"} 10
                h_count{model="a\"b\\c\nd"} 4

                """#)
    }

    /// A model that a client makes up is no label.
    @Test func countsAreOfPlacesAndNotOfNames() {
        let endpoint = Endpoint(
            id: EndpointID(1), name: "e", address: EndpointAddress(host: "h", port: 1, url: "http://h:1"), kind: .ollama, limit: 1)
        let placement = Placement(endpoint: endpoint.id, model: "m", understandsAskedName: true, fit: .native, kind: .ollama, pair: 3)
        let kind = WorkerMetrics.Kind(action: .forward(.ollamaChat), status: 200)
        var one = WorkerMetrics()
        one.count(kind, placement, endpoint, timeToFirstByte: 1, timePerToken: nil, tokens: TokenSum(input: 1, output: 2))
        one.count(WorkerMetrics.Kind(action: .forward(.ollamaChat), status: 404))
        var both = one
        both.add(one)
        #expect(both.places.count == 1 && both.places[3]?.requests[kind] == 2 && both.places[3]?.tokens == TokenSum(input: 2, output: 4))
        #expect(both.others.values.reduce(0, +) == 2)
        one.rename { _ in "renamed" }
        #expect(one.places[3]?.endpointName == "renamed")
    }
}
