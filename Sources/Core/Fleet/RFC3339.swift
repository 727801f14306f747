// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A point in time as RFC 3339 writes it, in UTC. Ollama's expiries reach beyond the year 2300, where nanoseconds alone overflow.
public struct RFC3339: Sendable, Hashable, Comparable {
    public var unixSeconds: Int
    public var nanoseconds: Int

    public static func < (left: RFC3339, right: RFC3339) -> Bool {
        (left.unixSeconds, left.nanoseconds) < (right.unixSeconds, right.nanoseconds)
    }

    /// Nil where the text is no such time. More than nine digits of a second are cut.
    public init?(_ text: String) {
        var rest = text.utf8[...]
        func number(_ digits: Int, _ range: ClosedRange<Int>) -> Int? {
            guard rest.count >= digits else { return nil }
            var value = 0
            for byte in rest.prefix(digits) {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            rest = rest.dropFirst(digits)
            return range.contains(value) ? value : nil
        }
        func take(_ choices: Unicode.Scalar...) -> Unicode.Scalar? {
            guard let byte = rest.first, choices.contains(Unicode.Scalar(byte)) else { return nil }
            rest = rest.dropFirst()
            return Unicode.Scalar(byte)
        }
        guard let year = number(4, 0...9999), take("-") != nil, let month = number(2, 1...12), take("-") != nil,
            let day = number(2, 1...31), take("T", "t", " ") != nil, let hour = number(2, 0...23), take(":") != nil,
            let minute = number(2, 0...59), take(":") != nil, let second = number(2, 0...60)
        else { return nil }
        var nanoseconds = 0
        if take(".") != nil {
            var unit = 100_000_000
            var digits = 0
            while let digit = number(1, 0...9) {
                nanoseconds += digit * unit
                unit /= 10
                digits += 1
            }
            guard digits > 0 else { return nil }
        }
        var offset = 0
        switch take("Z", "z", "+", "-") {
        case "Z", "z": break
        case let sign?:
            guard let hours = number(2, 0...23), take(":") != nil, let minutes = number(2, 0...59) else { return nil }
            offset = (hours * 60 + minutes) * 60 * (sign == "-" ? -1 : 1)
        case nil: return nil
        }
        guard rest.isEmpty else { return nil }
        self.unixSeconds = Self.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        self.nanoseconds = nanoseconds
    }

    /// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the last one.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
