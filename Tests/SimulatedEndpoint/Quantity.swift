// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser

/// Sizes and rates of options.
enum Quantity {
    private static let units: [String: Double] = [
        "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824, "tib": 1_099_511_627_776,
    ]

    /// Bytes of `24GB`, `512MiB` or a plain number; nil if the text is none of those, or not above zero.
    static func bytes(_ text: some StringProtocol) -> Double? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), let unit = units[text.dropFirst(digits.count).lowercased()], number > 0, number * unit < 1e15 else {
            return nil
        }
        return number * unit
    }

    /// A number above zero; nil if the text is none.
    static func positive(_ text: some StringProtocol) -> Double? {
        guard let number = Double(text), number > 0, number.isFinite else { return nil }
        return number
    }
}

/// `NAME=SIZE`, with `,prefill=RATE` and `,decode=RATE` behind it.
struct GivenModel: ExpressibleByArgument {
    var name: String
    var memory: Int
    var prefillRate: Double?
    var decodeRate: Double?

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map {
            $0.split(separator: "=", omittingEmptySubsequences: false)
        }
        guard let first = parts.first, first.count == 2, !first[0].isEmpty, let bytes = Quantity.bytes(first[1]) else { return nil }
        name = String(first[0])
        memory = Int(bytes)
        for part in parts.dropFirst() {
            guard part.count == 2, let rate = Quantity.positive(part[1]) else { return nil }
            switch part[0] {
            case "prefill": prefillRate = rate
            case "decode": decodeRate = rate
            default: return nil
            }
        }
    }
}
