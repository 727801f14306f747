// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Times as the daemon writes them, without a calendar library.
public enum Timestamp {
    /// Without the fractions of a second that model servers tell; anything that is no time in UTC as it is.
    public static func whole(_ text: String) -> String {
        seconds(text) == nil || text.utf8.count <= 20 ? text : "\(text.prefix(19))Z"
    }

    /// Seconds since 1970 of an RFC 3339 time in UTC, fractions cut off; nil for anything else.
    static func seconds(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"), bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        // Days of the civil calendar: years that begin in March put the leap day at their end.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    /// How long ago it was, such as `12m05s`; empty where the time cannot be read or no clock is known.
    static func ago(_ text: String, wallS: Int) -> String {
        guard wallS > 0, let seconds = seconds(text) else { return "" }
        return Quantity.duration(s: Double(max(0, wallS - seconds)))
    }

    /// How long until then; `now` once it has passed. A model that never expires has a time that is centuries away.
    static func until(_ text: String, wallS: Int) -> String {
        guard wallS > 0, let seconds = seconds(text) else { return "" }
        if seconds - wallS > 86_400 * 365 { return "never" }
        return seconds <= wallS ? "now" : Quantity.duration(s: Double(seconds - wallS))
    }
}
