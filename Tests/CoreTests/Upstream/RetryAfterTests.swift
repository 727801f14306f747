// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix
import Testing

@testable import Core

@Suite struct RetryAfterTests {
    /// 1994-11-06 08:49:07 UTC.
    private static let now = 784_111_747

    /// Breaks when a service that says when to come back is asked before, or is shut out for longer than anybody means.
    @Test(arguments: [
        ("30", TimeAmount.seconds(30)), (" 7 ", .seconds(7)), ("0", .zero), ("1.5", .milliseconds(1500)), ("86400", .minutes(10)),
        ("99999999999999999999999999", .minutes(10)), ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(30)),
        ("Mon, 07 Nov 1994 08:49:37 GMT", .minutes(10)), ("Fri, 31 Dec 9999 23:59:59 GMT", .minutes(10)),
    ])
    func isReadAndBounded(field: String, time: TimeAmount) {
        #expect(RetryAfter.parse(field, unixNow: Self.now) == time)
    }

    @Test(arguments: [
        "", "soon", "-1", "+1", "1e3", "0x10", "nan", "inf", "1.2.3", ".", "Sun, 06 Nov 1994 08:48:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 99999999999 08:49:37 GMT",
    ])
    func whatIsNeitherMeansNothing(field: String) {
        #expect(RetryAfter.parse(field, unixNow: Self.now) == nil)
    }

    @Test(arguments: [0, 784_111_777, 1_764_288_000, 4_102_444_800]) func aDateThatIsWrittenIsReadAgain(seconds: Int) {
        #expect(HTTPDate.unixSeconds(HTTPDate.text(unixSeconds: seconds)) == seconds)
    }
}
