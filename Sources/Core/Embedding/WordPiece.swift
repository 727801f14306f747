// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// Text to the token ids that BERT's models without case were trained on. The rules are those of Devlin et al., "BERT: Pre-training
/// of Deep Bidirectional Transformers", 2018: clean, take accents and case away, split at spaces and punctuation, then each word into
/// the longest pieces that the vocabulary has.
struct WordPiece: Sendable {
    struct BadVocabulary: Error, CustomStringConvertible {
        var description: String
    }

    private let ids: [String: Int32]
    private let unknown: Int32
    private let start: Int32
    private let end: Int32

    /// Words with more characters are not looked up.
    private static let longestWord = 100

    /// - Parameter vocabulary: one piece a line; those within a word begin with `##`.
    init(vocabulary: some StringProtocol) throws(BadVocabulary) {
        var ids: [String: Int32] = [:]
        for (index, line) in vocabulary.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
            ids[String(line)] = Int32(index)
        }
        guard let unknown = ids["[UNK]"], let start = ids["[CLS]"], let end = ids["[SEP]"] else {
            throw BadVocabulary(description: "the vocabulary lacks [UNK], [CLS] or [SEP]")
        }
        self.ids = ids
        self.unknown = unknown
        self.start = start
        self.end = end
    }

    /// - Parameter limit: of the result's length, both marks included; what is beyond it is cut.
    func tokens(_ text: String, limit: Int) -> [Int32] {
        var tokens = [start]
        var rest = Substring(text)
        while tokens.count < limit - 1 {
            // The marks stand for themselves where a text has them.
            let mark = rest.contains("[") ? Self.firstMark(in: rest) : nil
            for word in Self.words(mark.map { rest[..<$0.lowerBound] } ?? rest) {
                if tokens.count >= limit - 1 { break }
                append(word, to: &tokens)
            }
            guard let mark else { break }
            tokens.append(ids[String(rest[mark])] ?? unknown)
            rest = rest[mark.upperBound...]
        }
        if tokens.count > limit - 1 { tokens.removeLast(tokens.count - (limit - 1)) }
        tokens.append(end)
        return tokens
    }

    private static let marks = ["[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]"]

    private static func firstMark(in text: Substring) -> Range<Substring.Index>? {
        marks.compactMap { text.firstRange(of: $0) }.min { $0.lowerBound < $1.lowerBound }
    }

    private func append(_ word: [Unicode.Scalar], to tokens: inout [Int32]) {
        guard word.count <= Self.longestWord else { return tokens.append(unknown) }
        let mark = tokens.count
        var begin = 0
        while begin < word.count {
            var finish = word.count
            var found: Int32?
            while finish > begin, found == nil {
                var piece = String.UnicodeScalarView()
                if begin > 0 { piece.append(contentsOf: "##".unicodeScalars) }
                piece.append(contentsOf: word[begin..<finish])
                found = ids[String(piece)]
                if found == nil { finish -= 1 }
            }
            guard let found else {
                // A word of which one piece is unknown is unknown as a whole.
                tokens.removeLast(tokens.count - mark)
                return tokens.append(unknown)
            }
            tokens.append(found)
            begin = finish
        }
    }

    // MARK: Words

    /// Cleaned, without accents, in lower case, each punctuation mark and each Chinese character a word of its own.
    static func words(_ text: some StringProtocol) -> [[Unicode.Scalar]] {
        var words: [[Unicode.Scalar]] = []
        var word: [Unicode.Scalar] = []
        func endWord() {
            if !word.isEmpty { words.append(word) }
            word = []
        }
        for scalar in decomposed(cleaned(text)) where scalar.isASCII || scalar.properties.generalCategory != .nonspacingMark {
            if isSpace(scalar) {
                endWord()
            } else if isPunctuation(scalar) || isChinese(scalar) {
                endWord()
                words.append([scalar])
            } else if scalar.isASCII {
                word.append(("A"..."Z").contains(scalar) ? Unicode.Scalar(scalar.value + 32) ?? scalar : scalar)
            } else {
                for lower in scalar.properties.lowercaseMapping.unicodeScalars {
                    // Some letters' small forms are more than one character, some of them marks.
                    word.append(lower)
                }
            }
        }
        endWord()
        return words
    }

    private static func cleaned(_ text: some StringProtocol) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return String(text) }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar.value != 0 && scalar.value != 0xfffd && !isControl(scalar) { result.append(scalar) }
        return String(result)
    }

    private static func decomposed(_ text: String) -> String.UnicodeScalarView {
        text.utf8.allSatisfy { $0 < 0x80 } ? text.unicodeScalars : text.decomposedStringWithCanonicalMapping.unicodeScalars
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? scalar == " " || (0x09...0x0d).contains(scalar.value) : scalar.properties.isWhitespace
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\t" || scalar == "\n" || scalar == "\r" { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: return true
        default: return false
        }
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 33...47, 58...64, 91...96, 123...126: return true
        case 0..<0x80: return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
            .otherPunctuation:
            return true
        default: return false
        }
    }

    /// The blocks of Chinese characters, which are written without spaces.
    private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x4e00...0x9fff, 0x3400...0x4dbf, 0x20000...0x2a6df, 0x2a700...0x2b73f, 0x2b740...0x2b81f, 0x2b920...0x2ceaf, 0xf900...0xfaff,
            0x2f800...0x2fa1f:
            return true
        default: return false
        }
    }
}
