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
        // Digit by digit into the text itself: each line of a translated stream has a time.
        return String(unsafeUninitializedCapacity: 30) { buffer in
            var end = 0
            func put(_ number: Int, _ width: Int, then mark: Unicode.Scalar) {
                var rest = number
                for index in stride(from: end + width - 1, through: end, by: -1) {
                    buffer[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                buffer[end + width] = UInt8(ascii: mark)
                end += width + 1
            }
            // There is no fifth digit for a year.
            put(min(max(Int(fields.tm_year) + 1900, 0), 9999), 4, then: "-")
            put(Int(fields.tm_mon) + 1, 2, then: "-")
            put(Int(fields.tm_mday), 2, then: "T")
            put(Int(fields.tm_hour), 2, then: ":")
            put(Int(fields.tm_min), 2, then: ":")
            put(Int(fields.tm_sec), 2, then: nanoseconds == nil ? "Z" : ".")
            if let nanoseconds { put(min(max(nanoseconds, 0), 999_999_999), 9, then: "Z") }
            return end
        }
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
