// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Logging
import Protocol
import Testing

@testable import Core

/// A look back at token counts. What breaks without these: the chart and the bill do not agree.
@Suite struct TokenSpanTests {
    private static let now = 1_800_000_030

    private static func point(_ minutesAgo: Int, _ endpoint: String, _ model: String, _ input: Int, _ output: Int) -> TokenPoint {
        TokenPoint(
            key: TokenKey(endpoint: endpoint, model: model), timestamp: now / 60 * 60 - minutesAgo * 60, sum: TokenSum(input: input, output: output))
    }

    @Test func anHourIsSixtySteps() throws {
        let span = try TokenSpan(TokensParams(), now: Self.now)
        #expect(span.count == 60 && span.step == 60)
        let info = span.info(
            [Self.point(0, "http://a", "m", 1, 2), Self.point(59, "http://b", "m", 10, 20), Self.point(60, "http://a", "m", 500, 500)],
            totals: [TokenSum(input: 511, output: 522)], names: ["http://a": "gpu"])
        #expect(info.input.count == 60 && info.output.count == 60)
        #expect(info.input.first == 10 && info.output.last == 2 && info.input.reduce(0, +) == 11)
        #expect(info.rows.map(\.endpoint) == ["http://b", "gpu"], "the largest first, by name where there is one")
        #expect(info.totalInput == 511 && info.totalOutput == 522)
    }

    @Test func rowsAreGroupedAsAsked() throws {
        let points = [Self.point(1, "u", "m", 1, 1), Self.point(2, "u", "n", 2, 2), Self.point(3, "v", "m", 4, 4)]
        func rows(_ by: String) throws -> [TokensInfo.Row] {
            try TokenSpan(TokensParams(by: by), now: Self.now).info(points, totals: [], names: [:]).rows
        }
        try #expect(rows("model").map { "\($0.endpoint)/\($0.model) \($0.inputTokens)" } == ["/m 5", "/n 2"])
        try #expect(rows("endpoint").map { "\($0.endpoint)/\($0.model) \($0.inputTokens)" } == ["v/ 4", "u/ 3"])
        try #expect(rows("both").count == 3)
    }

    @Test(arguments: [
        TokensParams(sinceS: 59), TokensParams(sinceS: .infinity), TokensParams(sinceS: .nan), TokensParams(stepS: 59), TokensParams(stepS: .nan),
        TokensParams(by: "client"), TokensParams(sinceS: 86_400 * 365, stepS: 60),
    ])
    func whatMakesNoSenseIsRefused(_ params: TokensParams) {
        #expect(throws: RPCError.self) { try TokenSpan(params, now: Self.now) }
    }

    @Test func withoutADatabaseTheLastDayIsKept() async throws {
        let counter = TokenCounter(path: nil, logger: Logger(label: "test"), clock: { Self.now })
        counter.record(TokenKey(endpoint: "u", model: "m"), TokenSum(input: 3, output: 4))
        await counter.flush()
        let span = try TokenSpan(TokensParams(sinceS: 600, stepS: 120), now: Self.now)
        let info = span.info(try await counter.sums(since: span.from, step: span.step), totals: counter.totals().map(\.sum), names: [:])
        #expect(info.input == [0, 0, 0, 0, 3] && info.totalOutput == 4)
    }
}
