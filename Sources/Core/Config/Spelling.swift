// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// "Did you mean": the known word that is closest to a misspelt one.
enum Spelling {
    /// `; did you mean 'x'?`, or nothing if no candidate is near.
    static func hint(for word: String, among candidates: some Sequence<String>) -> String {
        nearest(to: word, among: candidates).map { "; did you mean '\($0)'?" } ?? ""
    }

    /// At most a third of the letters may differ.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let folded = fold(word)
        guard !folded.isEmpty, folded.count <= 64 else { return nil }
        let best = candidates.map { (name: $0, distance: distance(folded, fold($0))) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(1, folded.count / 3) else { return nil }
        return best.name
    }

    /// `queue-limit` and `queueLimit` are `queue_limit` to whoever types them.
    private static func fold(_ word: String) -> [UInt8] {
        word.lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
    }

    /// Levenshtein's distance (Wagner and Fischer, 1974): insertions, deletions and substitutions from one to the other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let substitution = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substitution, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
