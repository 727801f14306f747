// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import Console

/// Pages as text, at the sizes that operators have. Without these a page may become cluttered or lose its alignment unseen.
@Suite struct PageTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Screens/pages")
    static let sizes = [(40, 12), (80, 24), (120, 40), (200, 60)]
    static let plain = Theme(hasColours: false, isASCII: false)

    /// Compares with a file; `ROUTERD_UPDATE_GOLDEN=1` writes it anew.
    private func check(_ name: String, _ columns: Int, _ rows: Int, _ theme: Theme = plain, draw: (Area, inout Screen) -> Void) throws {
        var screen = Screen(size: Size(columns: columns, rows: rows), isASCII: theme.isASCII)
        draw(screen.area, &screen)
        let text = screen.lines.joined(separator: "\n") + "\n"
        let file = Self.folder.appendingPathComponent("\(name)-\(columns)x\(rows).txt")
        if ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1" { try Data(text.utf8).write(to: file) }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "differs from \(file.lastPathComponent)")
    }

    /// The strip as the console has it, above the page.
    private func strip(_ area: Area, _ theme: Theme, _ screen: inout Screen) -> Area {
        let rows = OverviewStrip.rows(for: screen.size)
        PageSample.strip.draw(in: area.rows(from: 0, count: rows), theme, on: &screen)
        return area.rows(from: rows)
    }

    @Test(arguments: sizes) func theStripAndAnEndpoint(columns: Int, rows: Int) throws {
        try check("endpoint", columns, rows) { area, screen in
            let rest = strip(area, Self.plain, &screen)
            screen.put(PageSample.endpoint.lines(columns: rest.columns, rows: rest.rows, Self.plain), in: rest, Self.plain)
        }
    }

    @Test(arguments: sizes) func theCache(columns: Int, rows: Int) throws {
        try check("cache", columns, rows) { area, screen in
            screen.put(PageSample.cache.lines(columns: area.columns, rows: area.rows, Self.plain), in: area, Self.plain)
        }
    }

    @Test(arguments: sizes) func theTokens(columns: Int, rows: Int) throws {
        try check("tokens", columns, rows) { area, screen in
            screen.put(PageSample.tokens.lines(columns: area.columns, rows: area.rows, Self.plain), in: area, Self.plain)
        }
    }

    @Test(arguments: sizes) func theEvents(columns: Int, rows: Int) throws {
        try check("events", columns, rows) { area, screen in
            screen.put(Sample.busyEvents.map { EventLines.line($0, columns: area.columns, Self.plain) }, in: area, Self.plain)
        }
    }

    @Test(arguments: sizes) func whatAnEndpointSaysOfAModel(columns: Int, rows: Int) throws {
        try check("model", columns, rows) { area, screen in
            screen.put(TextPage.model(PageSample.shown, columns: area.columns, Self.plain), in: area, Self.plain)
        }
    }

    @Test func theSmallestScreenAndASCII() throws {
        try check("endpoint", 20, 10) { area, screen in
            let rest = strip(area, Self.plain, &screen)
            screen.put(PageSample.endpoint.lines(columns: rest.columns, rows: rest.rows, Self.plain), in: rest, Self.plain)
        }
        try check("cache", 20, 10) { area, screen in
            screen.put(PageSample.cache.lines(columns: area.columns, rows: area.rows, Self.plain), in: area, Self.plain)
        }
        try check("tokens", 20, 10) { area, screen in
            screen.put(PageSample.tokens.lines(columns: area.columns, rows: area.rows, Self.plain), in: area, Self.plain)
        }
        let ascii = Theme(hasColours: false, isASCII: true)
        try check("ascii-endpoint", 80, 24, ascii) { area, screen in
            let rest = strip(area, ascii, &screen)
            screen.put(PageSample.endpoint.lines(columns: rest.columns, rows: rest.rows, ascii), in: rest, ascii)
        }
        try check("ascii-tokens", 80, 24, ascii) { area, screen in
            screen.put(PageSample.tokens.lines(columns: area.columns, rows: area.rows, ascii), in: area, ascii)
        }
    }

    @Test func anEndpointOfAnOlderDaemonHasAPageToo() {
        let page = EndpointPage(endpoint: Sample.endpoints[2])
        let text = page.lines(columns: 80, rows: 24, Self.plain).map(\.text).joined(separator: "\n")
        #expect(text.contains("TTFT p50   -"))
        #expect(text.contains("connection refused"))
        #expect(!text.contains("Tokens/s"))
    }

    /// What breaks without it: an operator sees that requests go elsewhere, and not why or for how long.
    @Test func whatIsSetAsideIsOnThePage() {
        var endpoint = Sample.endpoints[0]
        let wallS = Timestamp.seconds("2026-11-24T03:00:00Z") ?? 0
        endpoint.setAside = [
            .init(model: "", reason: "cannot be reached: refused", since: "2026-11-24T02:59:00Z", retryAt: "2026-11-24T03:00:04Z"),
            .init(model: "m:1", reason: "3 of the last 8 answers failed: 503", since: "2026-11-24T02:59:50Z", retryAt: "2026-11-24T02:59:58Z"),
            .init(model: "n:1", reason: "busy: left alone for 2 s", since: "2026-11-24T02:59:50Z"),
        ]
        let lines = EndpointPage(endpoint: endpoint, wallS: wallS).lines(columns: 90, rows: 24, Self.plain).map(\.text)
        let first = lines.firstIndex { $0.contains("Set aside") } ?? 0
        #expect(lines[first + 2].contains("all") && lines[first + 2].contains("cannot be reached: refused") && lines[first + 2].hasSuffix("in 4s"))
        #expect(lines[first + 3].contains("m:1") && lines[first + 3].hasSuffix("next"))
        #expect(lines[first + 4].contains("n:1") && lines[first + 4].hasSuffix("now"))
    }

    @Test func theFactsOfAnEventBeginWithWhatTells() {
        func summary(_ facts: [String: String], ascii: Bool = false) -> String {
            let event = EventInfo(sequence: 1, at: "", level: "info", message: "m", facts: facts)
            return EventLines.summary(event, Theme(hasColours: false, isASCII: ascii))
        }
        let change = ["endpoint": "gpu-1", "from": "up", "to": "down", "reason": "connection refused", "url": "http://10.0.0.1:11434"]
        #expect(summary(change) == "gpu-1  up → down  connection refused  http://10.0.0.1:11434")
        #expect(summary(change, ascii: true).hasPrefix("gpu-1  up -> down  "))
        #expect(summary(["model": "m:1", "seconds": "4.2", "endpoint": "gpu-1"]) == "gpu-1  m:1  4.2 s")
        #expect(summary(["to": "here", "method": "drain", "endpoint": "gpu-1"]) == "gpu-1  drain  to=here", "no change of state")
    }

    @Test func theDetailOfAnEventLosesNothing() {
        let event = EventInfo(
            sequence: 1, at: "2026-11-24T03:00:00.120Z", level: "error", message: "a b c",
            facts: ["reason": (0..<60).map { "word\($0)" }.joined(separator: " ")])
        let lines = EventLines.detail(event, columns: 30, Self.plain)
        #expect(lines.allSatisfy { $0.width <= 30 })
        let text = lines.map(\.text).joined(separator: " ")
        for number in 0..<60 { #expect(text.contains("word\(number)")) }
    }

    @Test func jsonIsIndentedInItsOrderAndGarbageIsShownAsItIs() {
        let lines = JSONLines.lines(#"{"b": [1, -2.5e3], "a": {"x": "q\"{,}"}, "e": {}, "n": null}"#, Self.plain).map(\.text)
        #expect(
            lines == ["{", "  b: [", "    1,", "    -2.5e3", "  ],", "  a: {", "    x: \"q\\\"{,}\"", "  },", "  e: {},", "  n: null", "}"])
        #expect(JSONLines.lines("no json\nat all", Self.plain).map(\.text) == ["no json", "at all"])
        #expect(JSONLines.lines(#"{"t": "one\ntwo\\n"}"#, Self.plain).map(\.text) == ["{", "  t: \"one", "    two\\\\n\"", "}"])
        for text in ["", "}}}", "\"open", "[[[[", "\\", "{\"a\"", String(repeating: "[", count: 1000)] {
            let lines = JSONLines.lines(text, Self.plain)
            #expect(lines.allSatisfy { $0.width < 100 })
        }
    }

}

/// Pages as the tests need them.
enum PageSample {
    static let strip = OverviewStrip(status: Sample.busyStatus, history: Sample.busyHistory, requestsPerSecond: 6.5, tokensPerSecond: 271.4)
    static let endpoint = EndpointPage(
        endpoint: Sample.busyEndpoints[0], history: Sample.busyHistory, requests: Sample.busyRequests, events: Sample.busyEvents, wallS: Sample.wallS)
    static let cache = CachePage(cache: Sample.busyCache, history: Sample.busyHistory)
    static let tokens = TokensPage(tokens: Sample.busyTokens, span: .day)
    static let shown = ModelActionInfo(
        model: "llama3.2:3b", outcomes: [.init(endpoint: "gpu-1")],
        details: """
            {"license":"LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\\nLlama 3.2 Version Release Date: September 25, 2024","details":{"format":"gguf",\
            "family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"},\
            "model_info":{"general.architecture":"llama","llama.context_length":131072},"capabilities":["completion","tools"]}
            """)
}
