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

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
