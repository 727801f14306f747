// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import Protocol
import Testing

@testable import Core

/// Rates, percentiles and the last ten minutes. What breaks without these: an operator sees figures that never were.
@Suite struct HistoryTests {
    private static let gpu = EndpointID(1)

    private static func at(_ seconds: Double) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000 + UInt64(seconds * 1e9)) }

    private static func look(_ seconds: Double, requests: Int = 0, tokens: Int = 0, firstTokens: LogHistogram = LogHistogram()) -> History.Look {
        var look = History.Look(at: at(seconds))
        look.fleet = History.Counters(requests: requests, tokens: tokens)
        look.endpoints[gpu] = History.Counters(requests: requests, tokens: tokens, inFlight: 1)
        look.times[gpu] = AnswerTimes(firstTokens: firstTokens)
        return look
    }

    @Test func stepsAreDifferencesOverTheTimeThatPassed() throws {
        var history = History()
        history.record(Self.look(0, requests: 100, tokens: 1000))
        #expect(history.info([Self.gpu: "gpu"]).fleet.requests.isEmpty, "one look is no step")
        history.record(Self.look(2, requests: 104, tokens: 1100))
        history.record(Self.look(6, requests: 104, tokens: 1060))
        let info = history.info([Self.gpu: "gpu", EndpointID(9): "new"])
        #expect(info.stepS == 2)
        #expect(info.fleet.requests == [2, 0])
        #expect(info.fleet.tokens == [50, 0], "fewer tokens than were counted as they passed are no rate below zero")
        #expect(info.endpoints["gpu"]?.inFlight == [1, 1])
        #expect(info.endpoints["new"]?.requests == [0, 0], "all lists are equally long")
        #expect(info.hitRate == [nil, nil])
    }

    @Test func theRateOfTheRouterIsOfAllRequestsThatCame() {
        var history = History()
        #expect(history.requestRate(7, now: Self.at(0)) == 0)
        for step in 0...10 { history.record(Self.look(Double(step) * 2, requests: 100 + step * 6)) }
        #expect(history.requestRate(160, now: Self.at(20)) == 3)
        #expect(history.requestRate(175, now: Self.at(20)) == 4.5, "those since the last look count at once")
    }

    @Test func tenMinutesAreKept() {
        var history = History()
        for step in 0...(History.length + 50) { history.record(Self.look(Double(step) * 2, requests: step)) }
        let info = history.info([Self.gpu: "gpu"])
        #expect(info.fleet.requests.count == History.length && info.hitRate.count == History.length)
        #expect(info.endpoints["gpu"]?.ttftMs.count == History.length)
    }

    @Test func hitRatesAreOfEachStep() {
        var history = History()
        var look = Self.look(0)
        (look.hits, look.misses) = (5, 5)
        history.record(look)
        look.at = Self.at(2)
        (look.hits, look.misses) = (8, 6)
        history.record(look)
        #expect(history.info([:]).hitRate == [0.75])
    }

    @Test func ratesLookTenSecondsBack() {
        var history = History()
        // A burst long ago, then one request a second.
        for step in 0...30 { history.record(Self.look(Double(step) * 2, requests: 1000 + step * 2, tokens: step * 20)) }
        let rates = history.rates(of: Self.gpu, History.Counters(requests: 1060, tokens: 600), now: Self.at(60))
        #expect(rates.requests == 1 && rates.tokens == 10)
        #expect(history.rates(of: EndpointID(5), History.Counters(requests: 5), now: Self.at(60)).requests == 0)
        #expect(History().rates(of: Self.gpu, History.Counters(requests: 5), now: Self.at(1)).requests == 0)
    }

    @Test func percentilesForgetAfterFiveMinutes() throws {
        var history = History()
        var all = LogHistogram()
        history.record(Self.look(0, firstTokens: all))
        for _ in 0..<100 { all.record(.seconds(10)) }
        history.record(Self.look(2, firstTokens: all))
        let slow = try #require(history.times(of: Self.gpu, AnswerTimes(firstTokens: all)).firstTokens.percentile(0.5))
        #expect(abs(slow - 10_000) < 700)
        for step in 2...170 {
            all.record(.milliseconds(20))
            history.record(Self.look(Double(step) * 2, firstTokens: all))
        }
        let later = try #require(history.times(of: Self.gpu, AnswerTimes(firstTokens: all)).firstTokens.percentile(0.95))
        #expect(abs(later - 20) < 2, "\(later)")
        #expect(history.times(of: EndpointID(7), AnswerTimes()).firstTokens.percentile(0.5) == nil)
    }

    @Test func bucketsCoverEveryTime() {
        var before = -1
        for microseconds: Int64 in [0, 1, 255, 256, 300, 511, 512, 1000, 65_535, 1_000_000, 60_000_000, 1_073_741_823, .max] {
            let bucket = LogHistogram.bucket(microseconds)
            #expect(bucket >= before && bucket < LogHistogram.bucketCount)
            if microseconds >= 256, microseconds < 1 << 30 {
                #expect(LogHistogram.range(bucket).contains(Double(microseconds)), "\(microseconds)")
            }
            before = bucket
        }
        for bucket in 1..<(LogHistogram.bucketCount - 1) {
            let (low, next) = (LogHistogram.range(bucket), LogHistogram.range(bucket + 1))
            #expect(abs(low.upperBound - next.lowerBound) < 0.001, "no gap after \(bucket)")
        }
    }

    @Test func percentilesAreRightToABucket() throws {
        var histogram = LogHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for milliseconds in 1...1000 { histogram.record(.milliseconds(Int64(milliseconds))) }
        for (share, expected) in [(0.5, 500.0), (0.95, 950), (0.99, 990), (1, 1000)] {
            let found = try #require(histogram.percentile(share))
            #expect(abs(found - expected) / expected < 0.07, "\(share): \(found)")
        }
        let none = histogram - histogram
        #expect(none.percentile(0.5) == nil)
    }
}
