// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Foundation
import TestSupport
import NIOCore
import Testing

@testable import Core

/// What breaks without these: operators are told figures that are not so, or a log line that is a client's own.
@Suite struct AccountingTests {
    private static let record = AccessRecord(
        time: "T", id: "x-1", peer: "10.0.0.1:5", method: "POST", path: "/api/chat", model: "my model", endpoint: "gpu1", why: "loaded", status: 200,
        bytes: 12, waitMs: 3, firstByteMs: 40, firstTokenMs: 60, durationMs: 99, tokens: TokenSum(input: 7, output: 8))

    @Test func aLineHoldsEverything() throws {
        #expect(
            Self.record.line(.text)
                == "T x-1 10.0.0.1:5 - \"POST /api/chat\" 200 model=\"my model\" endpoint=gpu1 why=loaded bytes=12 wait_ms=3 first_byte_ms=40 first_token_ms=60 duration_ms=99 tokens=7/8 cache=- retries=- fault=-\n"
        )
        let json = try JSONValue(parsing: Self.record.line(.json).utf8)
        #expect(
            json["model"] == "my model" && json["prompt_tokens"] == 7 && json["first_byte_ms"] == 40 && json["first_token_ms"] == 60
                && json["wait_ms"] == 3)
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
        one.count(kind, placement, SharedEndpoint(endpoint), AnswerTimings(.whole, timeToHead: .seconds(1)), tokens: TokenSum(input: 1, output: 2))
        one.count(WorkerMetrics.Kind(action: .forward(.ollamaChat), status: 404))
        var both = one
        both.add(one)
        #expect(both.places.count == 1 && both.places[3]?.requests.all.map(\.count) == [2] && both.places[3]?.tokens == TokenSum(input: 2, output: 4))
        #expect(both.others.values.reduce(0, +) == 2)
        one.rename { _ in "renamed" }
        #expect(one.places[3]?.endpointName == "renamed")
    }

    private static func measured(_ timings: AnswerTimings, status: Int = 200) -> (WorkerMetrics.Place?, AnswerTimes) {
        let endpoint = Endpoint(
            id: EndpointID(1), name: "e", address: EndpointAddress(host: "h", port: 1, url: "http://h:1"), kind: .ollama, limit: 1)
        let placement = Placement(endpoint: endpoint.id, model: "m", understandsAskedName: true, fit: .native, kind: .ollama, pair: 3)
        var metrics = WorkerMetrics()
        metrics.count(WorkerMetrics.Kind(action: .forward(.chat), status: status), placement, SharedEndpoint(endpoint), timings, tokens: TokenSum())
        return (metrics.places[3], metrics.endpoints[endpoint.id]?.times ?? AnswerTimes())
    }

    /// What breaks without it: the time to the first token is that of a head that was sent before any thinking, of answers that came whole, of
    /// embeddings, or of refusals.
    @Test func threeTimesAreKeptApart() throws {
        let sent = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func timings(_ manner: AnswerTimings.Manner) -> AnswerTimings {
            AnswerTimings(
                manner, sent: sent, head: sent + .milliseconds(10), firstToken: sent + .seconds(3), ended: sent + .seconds(7), tokens: 5)
        }
        #expect(
            timings(.streamed)
                == AnswerTimings(.streamed, timeToHead: .milliseconds(10), timeToFirstToken: .seconds(3), timePerToken: .seconds(1)))
        #expect(timings(.whole) == AnswerTimings(.whole, timeToHead: .milliseconds(10), whole: .seconds(7)))
        #expect(AnswerTimings(.whole, sent: sent, head: sent, firstToken: nil, ended: nil, tokens: 0).whole == nil, "it was cut")

        let (streamed, streamedTimes) = Self.measured(timings(.streamed))
        #expect(streamed?.timeToHead.sum == 0.01 && streamed?.timeToFirstToken.sum == 3 && streamed?.timePerToken.sum == 1)
        #expect(streamed?.wholeTime.count == 0 && streamedTimes.heads.count == 1 && streamedTimes.wholes.count == 0)
        let (whole, wholeTimes) = Self.measured(timings(.whole))
        #expect(whole?.wholeTime.sum == 7 && whole?.timeToFirstToken.count == 0 && wholeTimes.wholes.count == 1)
        let (vectors, vectorTimes) = Self.measured(timings(.embeddings))
        #expect(vectors?.embeddingsTime.sum == 7 && vectors?.timeToHead.count == 0 && vectors?.wholeTime.count == 0)
        #expect(vectorTimes.embeddings.count == 1 && vectorTimes.heads.count == 0)
        for status in [400, 404, 429, 500, 503] {
            let (refused, times) = Self.measured(timings(.streamed), status: status)
            #expect(refused?.timeToHead.count == 0 && refused?.timeToFirstToken.count == 0 && times == AnswerTimes(), "\(status)")
        }
        #expect(Self.measured(timings(.streamed), status: 499).0?.timeToFirstToken.count == 1, "the client left after it")

        #expect(AnswerTimings.Manner(.embeddings, isStreamed: false) == .embeddings && AnswerTimings.Manner(.chat, isStreamed: true) == .streamed)
        #expect(AnswerTimings.Manner(.chat, isStreamed: false) == .whole && AnswerTimings.Manner(.ollamaShow, isStreamed: false) == nil)
    }

    /// A scraper reads of each model what it has done, and nothing of what it has not.
    @Test func whatNeverHappenedHasNoHistogram() throws {
        let place = try #require(Self.measured(AnswerTimings(.whole, timeToHead: .seconds(1), whole: .seconds(2))).0)
        var page = MetricsText()
        page.times([([("model", "m")], place)])
        #expect(
            page.text.contains(#"routerd_answer_seconds_sum{model="m"} 2"#)
                && page.text.contains(#"routerd_time_to_first_byte_seconds_count{model="m"} 1"#))
        #expect(
            !page.text.contains("routerd_time_to_first_token_seconds_") && page.text.contains("# TYPE routerd_time_to_first_token_seconds histogram"))
    }
}
