// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Counts of durations in buckets that grow with them, an eighth of an octave each: percentiles are right to some six percent, from
/// a quarter of a millisecond to eighteen minutes, whatever the durations are. Recording is a shift and an addition.
///
/// Counts only rise, so that the difference of two states is the histogram of the time between.
struct LogHistogram: Sendable, Equatable {
    /// Shorter ones, in microseconds, share the first bucket, longer ones the last.
    private static let firstOctave = 8
    private static let lastOctave = 29
    private static let parts = 8
    static let bucketCount = (lastOctave - firstOctave + 1) * parts + 2

    private var counts: [UInt32] = []
    private(set) var count = 0

    mutating func record(_ duration: TimeAmount) {
        // The many that never measure anything cost nothing.
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: Self.bucketCount) }
        counts[Self.bucket(duration.nanoseconds / 1000)] &+= 1
        count += 1
    }

    static func bucket(_ microseconds: Int64) -> Int {
        guard microseconds >= 1 << firstOctave else { return 0 }
        let octave = 63 - microseconds.leadingZeroBitCount
        guard octave <= lastOctave else { return bucketCount - 1 }
        return 1 + (octave - firstOctave) * parts + Int(microseconds >> (octave - 3)) - parts
    }

    /// Where a bucket begins and ends, microseconds.
    static func range(_ bucket: Int) -> ClosedRange<Double> {
        if bucket == 0 { return 0...Double(1 << firstOctave) }
        let octave = firstOctave + (bucket - 1) / parts
        let low = Double(1 << octave) * (1 + Double((bucket - 1) % parts) / Double(parts))
        return low...(low + Double(1 << octave) / Double(parts))
    }

    /// Milliseconds that a share of the durations do not exceed; nil without any.
    ///
    /// - Parameter share: 0 to 1.
    func percentile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        let wanted = max(1, share * Double(count))
        var before = 0.0
        for (bucket, counted) in counts.enumerated() where counted > 0 {
            let here = Double(counted)
            if before + here >= wanted {
                let range = Self.range(bucket)
                // Spread evenly within the bucket; the last has no end.
                let within = bucket == Self.bucketCount - 1 ? 0 : (wanted - before) / here
                return (range.lowerBound + (range.upperBound - range.lowerBound) * within) / 1000
            }
            before += here
        }
        return nil
    }

    static func += (left: inout LogHistogram, right: LogHistogram) {
        guard !right.counts.isEmpty else { return }
        if left.counts.isEmpty {
            left = right
            return
        }
        for index in left.counts.indices { left.counts[index] &+= right.counts[index] }
        left.count += right.count
    }

    /// What was recorded since an earlier state.
    static func - (later: LogHistogram, earlier: LogHistogram) -> LogHistogram {
        guard !earlier.counts.isEmpty, later.count >= earlier.count else { return later }
        var difference = later
        for index in difference.counts.indices { difference.counts[index] &-= earlier.counts[index] }
        difference.count -= earlier.count
        return difference
    }
}
