// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Whether an answer carries what belongs to one person, and so must not go to another.
enum PersonalData {
    enum Verdict: Equatable, Sendable {
        case none
        /// Not to be shared by meaning: only whoever asks the very same gets it.
        case ownOnly
        /// Not to be kept at all.
        case keepNot
    }

    /// An answer with personal data may be kept for equal requests where the system prompt is one user's own, as it is part of the key.
    static func judge(answer: String, system: String, question: String) -> Verdict {
        let marks = identity(in: system)
        let isPersonal = hasMark(answer) || repeats(marks, in: answer)
        guard isPersonal else { return hasMark(question) ? .ownOnly : .none }
        return marks.isEmpty ? .keepNot : .ownOnly
    }

    /// An e-mail address, a UUID, or eight digits and more in a row.
    static func hasMark(_ text: String) -> Bool {
        var digits = 0
        for byte in text.utf8 {
            digits = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? digits + 1 : 0
            if digits >= 8 { return true }
        }
        return text.split { $0.isWhitespace || "<>()[]{},;\"'".contains($0) }.contains { isAddress($0) || isUUID($0) }
    }

    private static func isAddress(_ word: Substring) -> Bool {
        let word = word.drop { "`*_:".contains($0) }
        guard let at = word.firstIndex(of: "@"), at > word.startIndex else { return false }
        let domain = word[word.index(after: at)...]
        guard let dot = domain.firstIndex(of: "."), dot > domain.startIndex else { return false }
        let rest = domain[domain.index(after: dot)...]
        return rest.prefix { $0.isLetter }.count >= 2
    }

    private static func isUUID(_ word: Substring) -> Bool {
        let lengths = [8, 4, 4, 4, 12]
        let parts = word.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 5 else { return false }
        // It may stand within a longer word, such as a path.
        return (0...(parts.count - 5)).contains { start in
            lengths.indices.allSatisfy { index in
                let part = parts[start + index]
                let hex = index == 0 ? part.suffix(8) : index == 4 ? part.prefix(12) : part
                return hex.count == lengths[index] && hex.allSatisfy(\.isHexDigit)
            }
        }
    }

    /// What the system prompt says of the user: words of `[Tags: identity]` lines, addresses, and numbers behind `id:`.
    static func identity(in system: String) -> Set<String> {
        var marks: Set<String> = []
        for line in system.split(whereSeparator: \.isNewline) {
            let lower = line.lowercased()
            if let tags = lower.firstRange(of: "[tags:"), lower[tags.upperBound...].prefix(while: { $0 != "]" }).contains("identity") {
                let text = lower[..<tags.lowerBound] + " " + lower[tags.upperBound...].drop { $0 != "]" }
                marks.formUnion(words(text).filter { $0.count >= 4 && $0 != "identity" })
            }
            for word in lower.split(whereSeparator: { $0.isWhitespace || "<>()[]{},;\"'".contains($0) }) where isAddress(word) {
                marks.insert(String(word))
            }
            var rest = Substring(lower)
            while let found = rest.firstRange(of: "id") {
                rest = rest[found.upperBound...]
                let number = rest.drop { $0 == ":" || $0 == "=" || $0 == " " || $0 == "#" }.prefix { $0.isNumber }
                if number.count >= 3, rest.startIndex != number.startIndex { marks.insert(String(number)) }
            }
        }
        return marks
    }

    private static func repeats(_ marks: Set<String>, in answer: String) -> Bool {
        guard !marks.isEmpty else { return false }
        let lower = answer.lowercased()
        let words = Set(words(lower))
        return marks.contains { words.contains($0) || ($0.contains("@") && lower.contains($0)) }
    }

    private static func words(_ text: some StringProtocol) -> [String] {
        text.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).map { String($0) }
    }
}
