// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import Testing

@testable import routerctl

/// The progress of long actions as text, on a clock of the test's. Without these, a pull could flood a log or show nonsense as its speed.
@Suite struct ActionProgressTests {
    @Test func aPullShowsBarBytesSpeedAndWhatIsLeft() {
        var progress = ActionProgress(title: "pull x", nowMs: 0)
        progress.note(.init(endpoint: "gpu-1", status: "pulling a", completed: 0, total: 1_000_000_000), nowMs: 0)
        progress.note(.init(endpoint: "gpu-1", status: "pulling a", completed: 250_000_000, total: 1_000_000_000), nowMs: 5000)
        let line = progress.line(nowMs: 5000, width: 100, ascii: true)
        #expect(line == "gpu-1: pulling a [#####---------------] 25% of 1.0 GB, 50.0 MB/s, 15s left")
    }

    @Test func eachEndpointIsToldAndNoLineIsWiderThanTheTerminal() {
        var progress = ActionProgress(title: "pull x", nowMs: 0)
        for name in ["gpu-1", "gpu-2"] { progress.note(.init(endpoint: name, status: "pulling", completed: 1, total: 2), nowMs: 0) }
        let line = progress.line(nowMs: 0, width: 100, ascii: true)
        #expect(line == "gpu-1: pulling [####----] 50% of 2 B | gpu-2: pulling [####----] 50% of 2 B")
        #expect(progress.line(nowMs: 0, width: 30, ascii: true).count == 30)
    }

    @Test func whereNothingIsToldTheSecondsAre() {
        let progress = ActionProgress(title: "load x", nowMs: 0)
        #expect(progress.line(nowMs: 12_300, width: 80, ascii: true) == "load x: 12s")
    }

    @Test func aThousandNewsMakeALineForEachTenthOnAPipe() {
        var progress = ActionProgress(title: "pull x", nowMs: 0)
        var lines: [String] = []
        for step in 0...1000 {
            progress.note(.init(endpoint: "gpu-1", status: "pulling", completed: step, total: 1000), nowMs: step)
            lines += progress.newLines(nowMs: step)
        }
        #expect(lines.count == 11)
        #expect(lines.last == "pull x: gpu-1: pulling 100% of 1.0 kB")
    }

    @Test func wordsThatChangeAllTheTimeMakeALineASecondAtMost() {
        var progress = ActionProgress(title: "pull x", nowMs: 0)
        var lines: [String] = []
        for step in 0..<5000 {
            progress.note(.init(endpoint: "gpu-1", status: "layer \(step)"), nowMs: step)
            lines += progress.newLines(nowMs: step)
        }
        #expect(lines.count == 5)
    }

    @Test func silenceMakesASignOfLifeEveryFewSeconds() {
        var progress = ActionProgress(title: "load x", nowMs: 0)
        let lines = stride(from: 0, through: 20_000, by: 200).flatMap { progress.newLines(nowMs: $0) }
        #expect(lines == ["load x: 6s", "load x: 12s", "load x: 18s"])
    }

    @Test func aChartFitsItsWidthAndKeepsTheSums() {
        let values = Array(0..<100)
        #expect(BarChart.fitted(values, to: 30).reduce(0, +) == 4950)
        let lines = BarChart(values: values, ascii: true).lines(width: 30)
        #expect(lines.count == BarChart.height)
        #expect(lines.allSatisfy { $0.count <= 30 })
        #expect(BarChart(values: [0, 0], ascii: true).lines(width: 30).isEmpty)
    }
}
