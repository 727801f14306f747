// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The field `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. Pure.
enum RetryAfter {
    /// Whoever asks for more gets this much: a typing error there must not shut an endpoint out for a day.
    static let limit = TimeAmount.minutes(10)

    /// As the field counts: whoever comes back after so many seconds is not too early.
    static func whole(_ seconds: Double) -> Int { Int(min(max(1, seconds.rounded(.up)), 86_400)) }

    /// - Returns: how long to wait, at most `limit`; nil for what is neither a number nor a date, and for a date that has passed.
    static func parse(_ field: String, unixNow: Int) -> TimeAmount? {
        let text = String(field[...].trimmingSpaces())
        // Some services write a fraction, which the standard does not know.
        if text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".") }), let seconds = Double(text) {
            return .nanoseconds(Int64(min(seconds, limit.seconds) * 1e9))
        }
        guard let date = HTTPDate.unixSeconds(text), date > unixNow else { return nil }
        return .seconds(Int64(min(date - unixNow, Int(limit.seconds))))
    }
}
