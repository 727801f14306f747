// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What of a question must be the same in another one for both to have the same answer.
struct QuestionFeatures: Sendable, Equatable {
    /// Words as they came, in lower case.
    private(set) var sequence: [String] = []
    /// Their stems, where the tables of opposites find them.
    private(set) var words: Set<String> = []
    /// Words and their stems.
    private(set) var allWords: Set<String> = []
    private(set) var isNegated = false
    /// Sorted, each as often as it is there.
    private(set) var numbers: [String] = []
    private(set) var units: Set<String> = []
    private(set) var dates: Set<String> = []
    private(set) var quotes: Set<String> = []
    private(set) var code: Set<String> = []
    private(set) var names: Set<String> = []
    /// Alphabets other than the Latin one.
    private(set) var scripts: Set<Script> = []
    /// As its small words tell it; nil where they do not.
    private(set) var language: String?
    /// What is asked for, where its word tells it: a person, a time, a place, ...
    private(set) var kind: String?

    enum Script: Sendable { case cyrillic, greek, arabic, hebrew, chinese, japanese, korean, indic, thai, other }

    init(_ text: String) {
        var text = text.replacing("’", with: "'")
        takeQuotes(from: &text)
        takeWords(of: text)
        takeNegation()
        takeNumbers()
        scripts = Set(text.unicodeScalars.lazy.filter { $0.value >= 0x370 && $0.properties.isAlphabetic }.compactMap { Self.script($0) })
        language = LanguageGuess.language(of: sequence)
        kind = QuestionKind.kind(of: sequence)
    }

    // MARK: Quotes and code

    /// What stands in quotation marks or backticks is taken word for word, and is no part of the rest.
    private mutating func takeQuotes(from text: inout String) {
        for (open, close) in [("`", "`"), ("\"", "\""), ("“", "”"), ("„", "“"), ("«", "»")] as [(Character, Character)] {
            while let start = text.firstIndex(of: open), let end = text[text.index(after: start)...].firstIndex(of: close) {
                let inner = text[text.index(after: start)..<end].trimmingSpaces()
                if open == "`" { code.insert(String(inner)) } else { quotes.insert(inner.lowercased()) }
                text.replaceSubrange(start...end, with: " ")
            }
        }
        // An apostrophe is a quotation mark only at a word's beginning.
        var position = text.startIndex
        while let start = text[position...].firstIndex(of: "'") {
            let after = text.index(after: start)
            let isOpening = start == text.startIndex || text[text.index(before: start)].isWhitespace || text[text.index(before: start)] == "("
            guard isOpening, let end = text[after...].firstIndex(where: { $0 == "'" }), end > after,
                text.index(after: end) == text.endIndex || !text[text.index(after: end)].isLetter
            else {
                position = after
                continue
            }
            quotes.insert(text[after..<end].lowercased())
            text.replaceSubrange(start...end, with: " ")
            position = text.startIndex
        }
    }

    // MARK: Words

    private mutating func takeWords(of text: String) {
        var startsSentence = true
        for raw in text.split(whereSeparator: \.isWhitespace) {
            let word = Self.trimmed(raw)
            defer { startsSentence = raw.last.map { ".!?:".contains($0) } ?? false }
            guard !word.isEmpty else { continue }
            if Self.isCode(word) {
                code.insert(String(word))
                allWords.insert(word.lowercased())
                continue
            }
            for part in word.split(whereSeparator: { "-/,;()[]".contains($0) && !word.contains(where: \.isNumber) }) {
                take(part, startsSentence: startsSentence)
                startsSentence = false
            }
        }
    }

    private mutating func take(_ word: Substring, startsSentence: Bool) {
        var lower = word.lowercased()
        if lower.hasSuffix("'s") { lower.removeLast(2) }
        let stem = Stem.of(lower)
        let isCounted = sequence.last.map { $0.contains(where: \.isNumber) || NumberWords.digits($0) != nil } ?? false
        sequence.append(lower)
        words.formUnion([lower, stem])
        allWords.formUnion([lower, stem])
        if let date = Calendar.date(lower) { return _ = dates.insert(date) }
        // "In what year" is "when": spans of time are units only where they are counted.
        if let unit = Units.unit(lower), isCounted || !Units.isTime(unit) { units.insert(unit) }
        let isCapital = word.first?.isUppercase ?? false
        // An abbreviation is a name wherever it stands; the pronoun is none.
        let isAbbreviation = word.count > 1 && word.allSatisfy { $0.isUppercase || $0.isNumber } && word.contains(where: \.isUppercase)
        if KnownNames.all.contains(lower) || isAbbreviation || (isCapital && !startsSentence && lower != "i" && !lower.hasPrefix("i'")) {
            names.insert(KnownNames.common(lower))
            allWords.insert(KnownNames.common(lower))
        }
    }

    private static func trimmed(_ word: Substring) -> Substring {
        var word = word.drop { "([{<\"'*".contains($0) }
        while let last = word.last, ".,;:!?)]}>\"'*…".contains(last) { word = word.dropLast() }
        return word
    }

    /// `foo_bar`, `--flag`, `a.b()`, `camelCase`, `/path/to`, `x=1`: what means something only letter by letter.
    private static func isCode(_ word: Substring) -> Bool {
        if word.hasPrefix("--") || (word.hasPrefix("-") && word.count <= 3 && word.dropFirst().allSatisfy(\.isLetter) && word.count > 1) {
            return true
        }
        if word.contains(where: { "_=(){}\\<>|$#@~".contains($0) }) && word.contains(where: \.isLetter) { return true }
        if word.contains("::") || word.contains("->") { return true }
        if word.hasPrefix("/") && word.count > 1 { return true }
        if word.contains("."), !word.contains(where: \.isNumber), word.split(separator: ".").count > 1, !word.contains("..") {
            // `e.g.` and `U.S.` are none.
            return word.split(separator: ".").contains { $0.count > 2 }
        }
        let inner = word.dropFirst()
        return (word.first?.isLowercase ?? false) && inner.contains(where: \.isUppercase)
    }

    // MARK: Negation and numbers

    private static let negations: Set<String> = [
        "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "without", "cannot", "unable", "except", "excluding",
        "avoid", "prevent", "refuse", "fail", "fails", "failed", "lack", "lacks", "lacking", "hardly",
        // German, French, Spanish, Italian.
        "nicht", "kein", "keine", "keinen", "nie", "niemals", "ohne", "ne", "pas", "jamais", "sans", "nunca", "sin", "non", "mai", "senza",
    ]

    private mutating func takeNegation() {
        isNegated = sequence.contains { Self.negations.contains($0) || $0.hasSuffix("n't") }
    }

    private mutating func takeNumbers() {
        for word in sequence {
            if let number = NumberWords.digits(word) {
                numbers.append(number)
            } else if word.contains(where: \.isNumber) {
                // A number with its unit: 5km, 10%, 3rd.
                let digits = NumberWords.normalised(word)
                numbers.append(digits.number)
                if let unit = Units.unit(digits.rest) { units.insert(unit) }
            }
        }
        numbers.sort()
    }

    private static func script(_ scalar: Unicode.Scalar) -> Script? {
        switch scalar.value {
        case 0x370...0x3ff, 0x1f00...0x1fff: .greek
        case 0x400...0x52f: .cyrillic
        case 0x590...0x5ff: .hebrew
        case 0x600...0x6ff, 0x750...0x77f: .arabic
        case 0x900...0xdff: .indic
        case 0xe00...0xe7f: .thai
        case 0x3040...0x30ff: .japanese
        case 0x3400...0x9fff: .chinese
        case 0xac00...0xd7af, 0x1100...0x11ff: .korean
        // Latin's own later letters.
        case 0x1e00...0x1eff: nil
        default: .other
        }
    }
}
