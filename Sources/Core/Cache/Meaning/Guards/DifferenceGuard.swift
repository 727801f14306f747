// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Whether two questions that are near each other by their vectors ask for different things all the same. Vectors are blind to what is
/// small in words and large in meaning: a negation, a number, a name. Each rule compares what it finds in both questions; where it
/// finds nothing it says nothing. In doubt the questions differ: a needless miss costs a generation, a wrong hit a wrong answer.
enum DifferenceGuard {
    enum Difference: String, Sendable, CaseIterable {
        case negation, opposites, numbers, units, dates, quotes, code, names, language, question, direction
    }

    /// The first difference found; nil if the questions may be the same.
    static func difference(_ left: QuestionFeatures, _ right: QuestionFeatures) -> Difference? {
        if left.isNegated != right.isNegated { return .negation }
        if left.numbers != right.numbers { return .numbers }
        if left.units != right.units { return .units }
        if left.dates != right.dates { return .dates }
        if left.quotes != right.quotes { return .quotes }
        if left.code != right.code { return .code }
        if Opposites.differ(left.words, right.words) { return .opposites }
        if !left.names.isSubset(of: right.allWords) || !right.names.isSubset(of: left.allWords) { return .names }
        if left.scripts != right.scripts { return .language }
        if let one = left.language, let other = right.language, one != other { return .language }
        if let one = left.kind, let other = right.kind, one != other { return .question }
        if Direction.differ(left.sequence, right.sequence) { return .direction }
        return nil
    }

    static func difference(_ left: String, _ right: String) -> Difference? {
        difference(QuestionFeatures(left), QuestionFeatures(right))
    }
}
