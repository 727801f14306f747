// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

@Suite struct ConfigDiffTests {
    private func diff(_ old: String, _ new: String) throws -> ConfigDiff {
        ConfigDiff(
            from: try ConfigReader.read(yaml: old, file: "c", environment: [:]), to: try ConfigReader.read(yaml: new, file: "c", environment: [:]))
    }

    @Test func equalFilesDifferInNothing() throws {
        let same = try diff("endpoints: [http://a]\nqueue_timeout: 60s", "endpoints: [\"http://a:80/\"]\nqueue_timeout: 1m")
        #expect(same.changes.isEmpty && same.needsRestart.isEmpty)
    }

    @Test func eachChangeIsOneLine() throws {
        let diff = try diff(
            """
            endpoints: [{url: http://a, name: one, api_key: k1}, {url: http://b, name: two}, {url: http://d, name: four, api_key: k}]
            queue_limit: 5
            nomyo-router-api-key: old
            threads: 1
            """,
            """
            endpoints: [{url: http://a, name: uno, weight: 2, api_key: k2, vram: 8GiB, context: share}, {url: http://c, name: three}, {url: http://d, name: four}]
            queue_limit: 6
            context_minimum: {m: 8192}
            nomyo-router-api-key: new
            threads: 2
            model_aliases: {x: y}
            """)
        #expect(
            diff.changes == [
                "threads: 1 -> 2",
                "model_aliases: none -> x = y",
                "queue_limit: 5 -> 6",
                "context_minimum: none -> m: 8192",
                "nomyo-router-api-key: changed",
                "endpoint two: removed (http://b)",
                "endpoint uno: name one -> uno",
                "endpoint uno: weight 1.0 -> 2.0",
                "endpoint uno: vram unknown -> 8GiB",
                "endpoint uno: context as for all -> share",
                "endpoint uno: api_key changed",
                "endpoint three: added (http://c)",
                "endpoint four: api_key removed",
            ])
        #expect(diff.needsRestart == ["threads"])
        #expect(diff.removedEndpoints == ["two"])
    }

    @Test(
        arguments: [
            ("0", .zero), ("5", .seconds(5)), ("1.5s", .milliseconds(1500)), ("250ms", .milliseconds(250)), ("2m", .minutes(2)), ("1h", .hours(1)),
            ("1 h", .hours(1)), ("", nil), ("s", nil), ("-1s", nil), ("1d", nil), ("1e3", nil), ("1..2", nil), ("٣s", nil), ("1h30m", nil),
            ("99999999999999999999h", nil),
        ] as [(String, TimeAmount?)])
    func durationsAreReadAsWritten(_ text: String, _ amount: TimeAmount?) {
        #expect(DurationText.parse(text) == amount)
        if let amount { #expect(DurationText.parse(DurationText.format(amount)) == amount) }
    }

    @Test(
        arguments: [
            ("0", 0), ("1024", 1024), ("1KiB", 1024), ("1kb", 1000), ("1.5 MiB", 1_572_864), ("24GiB", 24 << 30), ("1TB", 1_000_000_000_000),
            ("5B", 5),
            ("1K", nil), ("", nil), ("-1", nil), ("KiB", nil), ("9999999TiB", nil), ("1e9", nil),
        ] as [(String, Int?)])
    func sizesAreReadAsWritten(_ text: String, _ bytes: Int?) {
        #expect(SizeText.parse(text) == bytes)
        if let bytes { #expect(SizeText.parse(SizeText.format(bytes)) == bytes) }
    }
}
