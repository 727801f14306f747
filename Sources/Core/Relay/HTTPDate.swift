// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// Dates in fields (RFC 9110, section 5.6.7): always GMT, always English, whatever the locale.
enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func now() -> String { text(unixSeconds: time(nil)) }

    static func text(unixSeconds: Int) -> String {
        var seconds = time_t(unixSeconds)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let day = days[Int(fields.tm_wday)]
        let month = months[Int(fields.tm_mon)]
        return
            "\(day), \(two(fields.tm_mday)) \(month) \(fields.tm_year + 1900) \(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec)) GMT"
    }

    /// Reads the one form that is written today: `Sun, 06 Nov 1994 08:49:37 GMT`. Nil for anything else.
    static func unixSeconds(_ text: String) -> Int? {
        let words = text.split { $0 == " " || $0 == "," || $0 == ":" }
        guard words.count == 8, words[7] == "GMT", let month = months.firstIndex(of: String(words[2])) else { return nil }
        let numbers = [words[1], words[3], words[4], words[5], words[6]].compactMap { Int32($0) }
        guard numbers.count == 5, numbers.allSatisfy({ $0 >= 0 }), numbers[0] <= 31, (1970...9999).contains(numbers[1]), numbers[2] < 24,
            numbers[3] < 60, numbers[4] <= 60
        else { return nil }
        var fields = tm()
        (fields.tm_mday, fields.tm_mon, fields.tm_year) = (numbers[0], Int32(month), numbers[1] - 1900)
        (fields.tm_hour, fields.tm_min, fields.tm_sec) = (numbers[2], numbers[3], numbers[4])
        return timegm(&fields)
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
