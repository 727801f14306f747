// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Console

@Suite struct ColumnLayoutTests {
    private let columns = [
        TableColumn("A", minimum: 4, rank: 3), TableColumn("B", rank: 1), TableColumn("C", minimum: 4, rank: 2, hidesWhenEmpty: true),
    ]

    private func widths(_ rows: [[String]], _ width: Int, fill: Bool = false) -> [[Int]] {
        ColumnLayout(columns: columns, rows: rows, width: width, fill: fill).places.map { [$0.column, $0.width] }
    }

    @Test func everythingThatFitsHasItsNaturalWidth() {
        #expect(widths([["aaaaaaaa", "bb", "cccccc"]], 40) == [[0, 8], [1, 2], [2, 6]])
    }

    @Test func theWidestColumnShrinksFirst() {
        #expect(widths([["aaaaaaaa", "bb", "cccccc"]], 16) == [[0, 5], [1, 2], [2, 5]])
    }

    @Test func theColumnOfTheLowestRankGoesFirst() {
        #expect(widths([["aaaaaaaa", "bb", "cccccc"]], 12) == [[0, 5], [2, 5]])
        #expect(widths([["aaaaaaaa", "bb", "cccccc"]], 6) == [[0, 6]])
    }

    @Test func whereAWideOneHadToGoANarrowOneThatWentBeforeComesBack() {
        let columns = [
            TableColumn("NAME", rank: 9), TableColumn("N", rank: 1), TableColumn("EXPIRES", rank: 2), TableColumn("VRAM", rank: 3),
        ]
        let rows = [["gpu-1", "4", "2026-11-24T03:20:00Z", "6.6 GB"]]
        let places = ColumnLayout(columns: columns, rows: rows, width: 20).places
        #expect(places.map(\.column) == [0, 1, 3])
        #expect(ColumnLayout(columns: columns, rows: rows, width: 15).places.map(\.column) == [0, 3])
    }

    @Test func theLastColumnLeftIsCutToAnyWidth() {
        #expect(widths([["aaaaaaaa", "bb", "cccccc"]], 2) == [[0, 2]])
    }

    @Test func anEmptyColumnIsHiddenWhereItAsksForThat() {
        #expect(widths([["aaaa", "", ""]], 40) == [[0, 4], [1, 1]])
    }

    @Test func roomThatIsLeftGoesToTheLastShrinkableColumn() {
        #expect(widths([["aaaa", "bb", "cc"]], 20, fill: true) == [[0, 4], [1, 2], [2, 10]])
    }
}
