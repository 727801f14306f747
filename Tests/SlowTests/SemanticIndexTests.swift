// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import TestSupport
import Testing

@testable import Core

/// The search by bytes loses nothing that the whole numbers would find.
@Suite struct SemanticIndexTests {
    @Test func theIndexIsExact() {
        var random = SplitMix(seed: 5)
        func vector() -> [Float] { MiniLM.normalised((0..<384).map { _ in Float.random(in: -1...1, using: &random) }) }
        let index = SemanticIndex()
        let fingerprint = Digest(of: "f")
        let group = SemanticIndex.Group(namespace: "n", fingerprint: fingerprint, width: 384)
        let center = vector()
        // Around one direction, so that many are near the threshold.
        let vectors = (0..<3000).map { _ in
            let other = vector()
            let share = Float.random(in: 0...1, using: &random)
            return MiniLM.normalised(zip(center, other).map { $0 * share + $1 * (1 - share) })
        }
        for (number, vector) in vectors.enumerated() {
            index.add(
                Digest(of: "\(number)"), namespace: "n", Meaning(fingerprint: fingerprint, question: "\(number)", history: "", vector: vector),
                expires: nil)
        }
        func near(_ threshold: Float) -> Set<String> {
            Set(vectors.indices.filter { zip(vectors[$0], center).reduce(0) { $0 + $1.0 * $1.1 } >= threshold }.map { "\($0)" })
        }
        let found = index.search(group, center, threshold: 0.95, now: 0)
        let wanted = near(0.9501)
        #expect(found.count <= 64 && found.map(\.similarity) == found.map(\.similarity).sorted(by: >))
        #expect(!wanted.isEmpty && (found.count == 64 || wanted.isSubset(of: found.map(\.question))))
        #expect(Set(found.map(\.question)).isSubset(of: near(0.9499)))
        #expect(index.search(.init(namespace: "other", fingerprint: fingerprint, width: 384), center, threshold: 0.1, now: 0).isEmpty)
        // Removed, replaced, expired.
        index.remove((0..<2990).map { Digest(of: "\($0)") })
        #expect(index.count == 10)
        #expect(Set(index.search(group, center, threshold: -1, now: 0).map(\.question)) == Set((2990..<3000).map { "\($0)" }))
        index.add(Digest(of: "2990"), namespace: "n", Meaning(fingerprint: fingerprint, question: "new", history: "", vector: center), expires: 100)
        #expect(index.count == 10 && index.search(group, center, threshold: 0.999, now: 99).map(\.question).contains("new"))
        #expect(!index.search(group, center, threshold: 0.999, now: 100).map(\.question).contains("new"))
    }
}
