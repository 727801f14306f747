// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// The `Date` field (RFC 9110, section 5.6.7): always GMT, always English, whatever the locale.
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

    /// The time of an `IMF-fixdate`, the one form that is still written; nil for anything else.
    static func unixSeconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let month = months.firstIndex(of: String(parts[2])),
            let year = Int(parts[3]), (1970...9999).contains(year), (1...31).contains(day)
        else { return nil }
        let time = parts[4].split(separator: ":").compactMap { Int($0) }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else { return nil }
        var fields = tm()
        fields.tm_year = Int32(year - 1900)
        fields.tm_mon = Int32(month)
        fields.tm_mday = Int32(day)
        (fields.tm_hour, fields.tm_min, fields.tm_sec) = (Int32(time[0]), Int32(time[1]), Int32(time[2]))
        return timegm(&fields)
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
