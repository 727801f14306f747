// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// Each guard by its own table: what it must tell apart, and what it must leave alone.
@Suite struct GuardTests {
    typealias Difference = DifferenceGuard.Difference

    static let apart: [(Difference, String, String)] = [
        (.negation, "Can I eat this?", "Can't I eat this?"),
        (.negation, "Kann ich das essen?", "Kann ich das nicht essen?"),
        (.negation, "Which of them is safe?", "Which of them is never safe?"),
        (.negation, "Bake it with sugar", "Bake it without sugar"),
        (.opposites, "How do I enable logging?", "How do I disable logging?"),
        (.opposites, "enabling the alarm", "disabling the alarm"),
        (.opposites, "the oldest file", "the newest file"),
        (.opposites, "What comes before lunch?", "What comes after lunch?"),
        (.opposites, "add a column", "add a row"),
        (.numbers, "a cake for 4", "a cake for 40"),
        (.numbers, "three apples", "four apples"),
        (.numbers, "version 1.2", "version 1.20.1"),
        (.numbers, "at 10:30", "at 11:30"),
        (.numbers, "in the 19th century", "in the 20th century"),
        (.numbers, "1,000 files", "10,000 files"),
        (.units, "how many miles", "how many kilometres"),
        (.units, "5kg of flour", "5lb of flour"),
        (.dates, "on Monday", "on Tuesday"),
        (.dates, "in June", "in July"),
        (.dates, "what is on today", "what is on tomorrow"),
        (.quotes, "what does \"ad hoc\" mean", "what does \"ad lib\" mean"),
        (.quotes, "what does 'ad hoc' mean", "what does 'ad lib' mean"),
        (.quotes, "was bedeutet „ad hoc“", "was bedeutet „ad lib“"),
        (.code, "what does `a == b` do", "what does `a = b` do"),
        (.code, "use foo_bar here", "use foo_baz here"),
        (.code, "run it with --all", "run it with --none"),
        (.code, "call readLine now", "call writeLine now"),
        (.code, "what is in /etc/hosts", "what is in /etc/group"),
        (.names, "the mayor of Hamburg", "the mayor of Bremen"),
        (.names, "the capital of peru", "the capital of chile"),
        (.names, "what does NASA do", "what does ESA do"),
        (.names, "sort a list in rust", "sort a list in haskell"),
        (.language, "what is bread in french", "what is bread"),
        (.language, "What is the name of this tree?", "Wie ist der Name von dem Baum?"),
        (.language, "привет what is this", "hello what is this"),
        (.question, "Who signed it?", "When was it signed?"),
        (.question, "How many are there?", "How old are they?"),
        (.direction, "from here: bus to train", "from here: train to bus"),
        (.direction, "is gold heavier than silver", "is silver heavier than gold"),
    ]

    @Test(arguments: apart) func toldApart(_ row: (Difference, String, String)) {
        // Another guard may see it first; it is the verdict that counts, both ways.
        #expect(DifferenceGuard.difference(row.1, row.2) != nil, "\(row.0)")
        #expect(DifferenceGuard.difference(row.2, row.1) != nil, "\(row.0)")
    }

    static let same: [(String, String)] = [
        ("How do I reset my password?", "How can I reset my password?"),
        ("HOW do I boil an egg", "how do I boil an egg?"),
        ("What's the capital of France?", "What is France's capital?"),
        ("It costs 1,000 dollars", "It costs 1000 dollars"),
        ("I need two eggs", "I need 2 eggs"),
        ("ten kilometres", "10 km"),
        ("Translate \"hello\" please", "Please translate “hello”"),
        ("What does `ls` do?", "Tell me what `ls` does"),
        ("Don't I need a visa?", "Do I not need a visa?"),
        ("The population of the USA", "the population of America"),
        ("How do I use postgres?", "How do I use PostgreSQL?"),
        ("When did the war end?", "In what year did the war end?"),
        ("How do I travel from Rome to Naples?", "How can I get from Rome to Naples?"),
        ("", ""),
    ]

    @Test(arguments: same) func leftAlone(_ row: (String, String)) {
        #expect(DifferenceGuard.difference(row.0, row.1) == nil, "\(row)")
    }

    // MARK: Personal data

    @Test func personalMarks() {
        for text in ["mail me at a.b@example.org", "<x@y.co>", "id 550e8400-e29b-41d4-a716-446655440000", "call 01234567890", "`joe@site.com`,"] {
            #expect(PersonalData.hasMark(text), "\(text)")
        }
        for text in ["at 5 pm", "a@b", "@everyone", "1234567", "2024-02-29", "user@", "e = mc^2"] { #expect(!PersonalData.hasMark(text), "\(text)") }
    }

    @Test func personalVerdicts() {
        let own = "You help Ada.\nAda Lovelace, engineer [Tags: identity]\nContact: ada@example.org, id: 4711"
        typealias Row = (answer: String, system: String, verdict: PersonalData.Verdict)
        for row: Row in [
            ("It is green.", "", .none), ("It is green.", own, .none),
            ("Write to bob@example.org", "", .keepNot), ("Write to bob@example.org", "Be brief.", .keepNot),
            ("Write to bob@example.org", own, .ownOnly), ("You are Lovelace.", own, .ownOnly), ("Your number is 4711", own, .ownOnly),
            ("You are Lovelace.", "Be brief.", .none),
        ] {
            #expect(PersonalData.judge(answer: row.answer, system: row.system, question: "q") == row.verdict, "\(row.answer)")
        }
        #expect(PersonalData.judge(answer: "fine", system: "", question: "is 12345678 mine?") == .ownOnly)
    }

    // MARK: History

    @Test func historyIsWeighed() {
        #expect(HistoryWeights.summary([]) == "" && HistoryWeights.summary(["a an"]) == "")
        let summary = HistoryWeights.summary(["The Eiffel tower tower", "It is a tower in Paris"])
        #expect(summary.split(separator: " ").filter { $0 == "tower" }.count == 3, "the most telling three times: \(summary)")
        #expect(summary.contains("eiffel") && summary.contains("paris"))
        #expect(HistoryWeights.mean(question: [1, 0], history: nil, weight: 0.3) == [1, 0])
        let mean = HistoryWeights.mean(question: [1, 0], history: [0, 1], weight: 0.3)
        #expect(abs(mean[0] / mean[1] - 0.7 / 0.3) < 1e-5 && abs(mean[0] * mean[0] + mean[1] * mean[1] - 1) < 1e-5)
    }

    @Test func aMeaningSurvivesItsBytes() throws {
        let vector = MiniLM.normalised((0..<384).map { Float($0 % 7) - 3 })
        let meaning = Meaning(fingerprint: Digest(of: "x"), question: "q \"é\"", history: "h\n", vector: vector)
        let again = try #require(Meaning(encoded: meaning.encoded))
        #expect(again.question == meaning.question && again.history == meaning.history && again.fingerprint == meaning.fingerprint)
        #expect(zip(again.vector, vector).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(Meaning(encoded: Array(meaning.encoded.dropLast())) == nil && Meaning(encoded: []) == nil)
    }
}
