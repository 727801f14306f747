// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import Testing

@testable import Console

@Suite struct DisplayTextTests {
    @Test(arguments: [
        ("", 0), ("abc", 3), ("ü", 1), ("u\u{308}", 1), ("漢字", 4), ("한국", 4), ("\u{1112}\u{1161}\u{11AB}", 2), ("😀", 2), ("ｆ", 2), ("…", 1), ("▸", 1),
        ("가나", 4), ("é漢e\u{301}", 4),
    ])
    func theWidthIsThatWhichATerminalGivesIt(text: String, width: Int) {
        #expect(DisplayText.width(text) == width)
    }

    @Test(arguments: ["\u{1B}", "\u{9B}", "\u{7F}", "\n", "\t", "\u{0}", "\u{202E}", "\u{2066}", "\u{200D}", "\u{2028}", "\u{E000}", "\u{FEFF}"])
    func whatATerminalObeysIsReplaced(text: String) {
        #expect(DisplayText.clean("a\(text)b") == "a\u{FFFD}b")
        #expect(DisplayText.clean("a\(text)b", ascii: true) == "a?b")
    }

    @Test func aTextIsCutBetweenCharactersAndNeverWiderThanAsked() {
        let text = "漢字e\u{301}漢"
        for columns in 0...8 {
            #expect(DisplayText.width(DisplayText.truncate(text, to: columns)) <= columns)
            #expect(DisplayText.width(DisplayText.pad(text, to: columns)) == columns)
        }
        #expect(DisplayText.truncate(text, to: 4) == "漢…")
        #expect(DisplayText.truncate("abcdef", to: 4, ellipsis: "..") == "ab..")
        #expect(DisplayText.pad("ab", to: 4, right: true) == "  ab")
    }
}

@Suite struct QuantityTests {
    @Test(arguments: [
        (0, "0.0s"), (840, "0.8s"), (9949, "9.9s"), (9950, "10s"), (59_400, "59s"), (59_500, "1m00s"), (184_000, "3m04s"), (7_800_000, "2h10m"),
        (273_600_000, "3d04h"), (-5, "0.0s"),
    ])
    func durations(ms: Int, text: String) {
        #expect(Quantity.duration(ms: ms) == text)
    }

    @Test(arguments: [
        (0.0, "0"), (0.04, "0.0"), (0.5, "0.5"), (99.94, "99.9"), (99.96, "100"), (9999.4, "9999"), (12_345, "12.3k"), (2_500_000, "2.5M"),
        (.nan, "0"), (.infinity, "0"), (-1, "0"),
    ])
    func rates(value: Double, text: String) {
        #expect(Quantity.rate(value) == text)
    }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (274_302_450, "274 MB"), (4_700_000_000, "4.7 GB"), (1_500_000_000_000, "1.5 TB"),
    ])
    func bytes(count: Int, text: String) {
        #expect(Quantity.bytes(count) == text)
    }
}

@Suite struct EstimateWordsTests {
    @Test func aGuessIsMarkedAndAMeasurementCounted() {
        let measured = EstimatesInfo(
            speed: 1.804, speedAnswers: 1, tokensPerSecond: 38.21, tokenAnswers: 62, loadS: 4.1, loads: 1, sizeBytes: 3_500_000_000,
            isSizeMeasured: true)
        #expect(measured.words == "38.2 tokens/s (62 answers), load 4.1s (1 load), 3.5 GB, speed 1.8 (1 answer)")
        #expect(measured.shortRate == "38.2 (62)" && measured.shortLoad == "4.1s (1)" && measured.shortSpeed == "1.8 (1)")
        let guessed = EstimatesInfo(loadS: 12, sizeBytes: 2_000_000_000)
        #expect(guessed.words == "load 12s (a guess), 2.0 GB (a guess), speed 1 (a guess)")
        #expect(guessed.shortRate == "" && guessed.shortLoad == "~12s" && guessed.shortSpeed == "~1")
    }

    /// A daemon may tell anything.
    @Test func oddNumbersAreBorne() {
        let odd = EstimatesInfo(speed: .nan, tokensPerSecond: .infinity, loadS: .infinity, sizeBytes: -1)
        #expect(!odd.words.isEmpty && odd.shortSpeed == "~-" && !odd.shortLoad.isEmpty)
    }

    @Test func loadsAreSaidByTheirCause() {
        let asked = LoadsInfo.Asked(options: "num_ctx 8192", address: "10.0.0.7", agent: "continue", reloads: 7)
        let loads = LoadsInfo(first: 1, configuration: 14, asked: [asked])
        #expect(loads.words == "1 first, 14 configuration" && loads.reloads == 14)
        #expect(loads.asked.map(\.words) == ["num_ctx 8192 by 10.0.0.7 (continue), 7 times"])
        #expect(LoadsInfo.Asked(options: "o", address: "", agent: "", reloads: 1).words == "o by the router, once")
    }
}
