// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

@testable import Core

/// How often questions that mean the same are found, and questions that do not are taken for the same: with the real model, over the
/// pairs in `Benchmarks/Meaning`.
@Suite(.serialized) struct MeaningTableTests {
    struct Pair {
        /// The guard that is meant for it; nil for a paraphrase.
        var kind: String?
        var left: String
        var right: String
        var similarity = 0.0

        var difference: DifferenceGuard.Difference? { DifferenceGuard.difference(left, right) }
    }

    private static func lines(_ name: String) throws -> [Substring] {
        try String(contentsOfFile: "\(Checkout.root)/Benchmarks/Meaning/\(name)", encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    static func paraphrases() throws -> [Pair] {
        try lines("paraphrases.txt").map { line in
            let parts = line.components(separatedBy: " = ")
            try #require(parts.count == 2, "\(line)")
            return Pair(left: parts[0], right: parts[1])
        }
    }

    /// `{one|other}` makes two questions of one line.
    static func nearMisses() throws -> [Pair] {
        try lines("near-misses.txt").map { line in
            let parts = line.split(separator: "\t")
            try #require(parts.count == 2, "\(line)")
            var sides = ["", ""]
            for (index, piece) in parts[1].split(omittingEmptySubsequences: false, whereSeparator: { "{}".contains($0) }).enumerated() {
                if index.isMultiple(of: 2) {
                    for side in sides.indices { sides[side] += piece }
                } else {
                    let choices = piece.split(separator: "|")
                    try #require(choices.count == 2, "\(line)")
                    for side in sides.indices { sides[side] += choices[side] }
                }
            }
            return Pair(kind: String(parts[0]), left: sides[0], right: sides[1])
        }
    }

    private static let measured: Result<(paraphrases: [Pair], nearMisses: [Pair]), any Error> = Result {
        let model = try MiniLMTests.model.get()
        func measure(_ pairs: [Pair]) -> [Pair] {
            pairs.map { pair in
                var pair = pair
                pair.similarity = MiniLMTests.cosine(model.embed(pair.left), model.embed(pair.right))
                return pair
            }
        }
        return (measure(try paraphrases()), measure(try nearMisses()))
    }

    @Test func thereAreEnough() throws {
        #expect(try Self.paraphrases().count >= 300 && Self.nearMisses().count >= 300)
    }

    /// The bar at the threshold that the manual recommends, and the table that it prints.
    @Test func theBarIsMet() throws {
        let (paraphrases, nearMisses) = try Self.measured.get()
        func percent(_ count: Int, _ all: [Pair]) -> String { String(format: "%5.1f%%", 100 * Double(count) / Double(all.count)) }
        print("| threshold | paraphrases hit, no guards | with guards | near-misses hit, no guards | with guards |")
        print("|---|---|---|---|---|")
        for threshold in [0.80, 0.85, 0.90, 0.95] {
            let cells = [paraphrases, nearMisses].flatMap { pairs in
                let near = pairs.filter { $0.similarity >= threshold }
                return [percent(near.count, pairs), percent(near.filter { $0.difference == nil }.count, pairs)]
            }
            print("| \(String(format: "%.2f", threshold)) | \(cells.joined(separator: " | ")) |")
        }
        let threshold = CacheSettings.recommendedSimilarity
        let wrong = nearMisses.filter { $0.similarity >= threshold && $0.difference == nil }
        for pair in wrong { print("taken for the same: \(pair.kind ?? "") \(pair.similarity) | \(pair.left) | \(pair.right)") }
        #expect(wrong.filter { $0.kind != "none" }.isEmpty, "no false hit among those that a guard is meant for")
        #expect(Double(wrong.count) <= 0.01 * Double(nearMisses.count), "at most 1% in all")
        let right = paraphrases.filter { $0.similarity >= threshold && $0.difference == nil }
        #expect(Double(right.count) >= 0.5 * Double(paraphrases.count), "at least half of the paraphrases: \(right.count)")
    }

    /// Each guard does what it is meant for, whatever the vectors say.
    @Test func everyNearMissIsToldApart() throws {
        for pair in try Self.nearMisses() where pair.kind != "none" {
            #expect(pair.difference != nil, "\(pair.kind ?? ""): \(pair.left) | \(pair.right)")
        }
    }

    /// What guards cost: paraphrases that they take for different. Each is a needless miss, so few may be.
    @Test func fewParaphrasesAreToldApart() throws {
        let pairs = try Self.paraphrases()
        let apart = pairs.filter { $0.difference != nil }
        for pair in apart { print("told apart: \(pair.difference.map(\.rawValue) ?? "") | \(pair.left) | \(pair.right)") }
        #expect(Double(apart.count) <= 0.05 * Double(pairs.count), "\(apart.count)")
    }
}
