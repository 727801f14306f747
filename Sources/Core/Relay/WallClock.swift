// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// The time of day, as answers and logs say it.
enum WallClock {
    static func unixMilliseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }

    static func unixSeconds() -> Int { Int(time(nil)) }

    /// `2026-01-02T03:04:05.678901234Z`, as Ollama writes it.
    static func rfc3339() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return rfc3339(unixSeconds: now.tv_sec, nanoseconds: now.tv_nsec)
    }

    /// `2026-01-02T03:04:05.678Z`, for events.
    static func rfc3339Milliseconds() -> String {
        let now = unixMilliseconds()
        return "\(rfc3339(unixSeconds: now / 1000, nanoseconds: nil).dropLast()).\(padded(now % 1000, 3))Z"
    }

    static func rfc3339(unixSeconds: Int, nanoseconds: Int?) -> String {
        var seconds = time_t(unixSeconds)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let date = "\(padded(Int(fields.tm_year) + 1900, 4))-\(padded(Int(fields.tm_mon) + 1, 2))-\(padded(Int(fields.tm_mday), 2))"
        let time = "\(padded(Int(fields.tm_hour), 2)):\(padded(Int(fields.tm_min), 2)):\(padded(Int(fields.tm_sec), 2))"
        return "\(date)T\(time)\(nanoseconds.map { "." + padded($0, 9) } ?? "")Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
