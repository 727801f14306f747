// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Orders version texts: number by number, and `1.2-rc1` before `1.2`.
struct ServerVersion: Comparable {
    private let numbers: [Int]
    private let preRelease: String?

    init(_ text: String) {
        let release = text.drop { $0 == "v" }.split(separator: "+", maxSplits: 1).first ?? ""
        let parts = release.split(separator: "-", maxSplits: 1)
        self.numbers = (parts.first ?? "").split(separator: ".").map { Int($0) ?? 0 }
        self.preRelease = parts.count > 1 ? String(parts[1]) : nil
    }

    static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let one = index < left.numbers.count ? left.numbers[index] : 0
            let other = index < right.numbers.count ? right.numbers[index] : 0
            if one != other { return one < other }
        }
        switch (left.preRelease, right.preRelease) {
        case (let one?, let other?): return one < other
        case (.some, nil): return true
        default: return false
        }
    }
}
