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
            PageSample.endpoint.draw(in: rest, Self.plain, on: &screen)
        }
    }

    @Test(arguments: sizes) func theCache(columns: Int, rows: Int) throws {
        try check("cache", columns, rows) { area, screen in PageSample.cache.draw(in: area, Self.plain, on: &screen) }
    }

    @Test(arguments: sizes) func theTokens(columns: Int, rows: Int) throws {
        try check("tokens", columns, rows) { area, screen in PageSample.tokens.draw(in: area, Self.plain, on: &screen) }
    }

    @Test(arguments: sizes) func theEvents(columns: Int, rows: Int) throws {
        try check("events", columns, rows) { area, screen in
            EventsPage(events: Sample.busyEvents).draw(in: area, Self.plain, on: &screen)
        }
    }

    @Test(arguments: sizes) func whatAnEndpointSaysOfAModel(columns: Int, rows: Int) throws {
        try check("model", columns, rows) { area, screen in
            TextPage.model(PageSample.shown, columns: area.columns, Self.plain).draw(in: area, Self.plain, on: &screen)
        }
    }

    @Test(arguments: sizes) func theDifferenceOfAReload(columns: Int, rows: Int) throws {
        try check("reload", columns, rows) { area, screen in
            TextPage.reload(PageSample.reload, columns: area.columns, Self.plain).draw(in: area, Self.plain, on: &screen)
        }
    }

    @Test func theSmallestScreenAndASCII() throws {
        try check("endpoint", 20, 10) { area, screen in
            let rest = strip(area, Self.plain, &screen)
            PageSample.endpoint.draw(in: rest, Self.plain, on: &screen)
        }
        try check("cache", 20, 10) { area, screen in PageSample.cache.draw(in: area, Self.plain, on: &screen) }
        try check("tokens", 20, 10) { area, screen in PageSample.tokens.draw(in: area, Self.plain, on: &screen) }
        let ascii = Theme(hasColours: false, isASCII: true)
        try check("ascii-endpoint", 80, 24, ascii) { area, screen in
            let rest = strip(area, ascii, &screen)
            PageSample.endpoint.draw(in: rest, ascii, on: &screen)
        }
        try check("ascii-tokens", 80, 24, ascii) { area, screen in PageSample.tokens.draw(in: area, ascii, on: &screen) }
    }

    @Test func thePageOfAnEndpointScrollsToItsLastLine() {
        var screen = Screen(size: Size(columns: 80, rows: 10))
        let height = PageSample.endpoint.draw(in: screen.area, offset: 10_000, Self.plain, on: &screen)
        #expect(height > 24)
        let end = PageSample.endpoint.lines(columns: 80, rows: 10, Self.plain).suffix(10).map(\.text)
        #expect(screen.lines == end.map { line in String(line.reversed().drop { $0 == " " }.reversed()) })
        #expect(screen.lines.contains { $0.contains("Settings") })
    }

    @Test func anEndpointOfAnOlderDaemonHasAPageToo() {
        let page = EndpointPage(endpoint: Sample.endpoints[2])
        let text = page.lines(columns: 80, rows: 24, Self.plain).map(\.text).joined(separator: "\n")
        #expect(text.contains("TTFT p50   -"))
        #expect(text.contains("connection refused"))
        #expect(!text.contains("Tokens/s"))
    }

    @Test func eventsAreFilteredByLevelAndTextAndTheSelectedOneIsShown() {
        var page = EventsPage(events: Sample.busyEvents)
        page.level = "warning"
        #expect(page.shown.map(\.sequence) == [4, 6, 10])
        page.text = "RESET"
        #expect(page.shown.map(\.sequence) == [6])
        page.text = "!reset"
        #expect(page.shown.map(\.sequence) == [4, 10])
        page = EventsPage(events: Sample.busyEvents)
        var screen = Screen(size: Size(columns: 80, rows: 5))
        page.draw(in: screen.area, Self.plain, on: &screen)
        #expect(screen.lines.last?.contains("kept in memory only") == true, "the newest is at the bottom")
        page.selected = 2
        screen = Screen(size: Size(columns: 80, rows: 5))
        page.draw(in: screen.area, Self.plain, on: &screen)
        #expect(screen.rows.contains { $0.allSatisfy { $0.style.isSelected } && $0.map(\.text).joined().contains("gpu-1") })
    }

    @Test func theDetailOfAnEventLosesNothing() {
        let event = EventInfo(
            sequence: 1, at: "2026-11-24T03:00:00.120Z", level: "error", message: "a b c",
            facts: ["reason": (0..<60).map { "word\($0)" }.joined(separator: " ")])
        let lines = EventsPage.detail(event, columns: 30, Self.plain)
        #expect(lines.allSatisfy { $0.width <= 30 })
        let text = lines.map(\.text).joined(separator: " ")
        for number in 0..<60 { #expect(text.contains("word\(number)")) }
    }

    @Test func theSelectedNamespaceIsMarkedWhereverItIs() {
        var cache = Sample.busyCache
        cache.namespaces = (0..<200).map { .init(name: "name-\($0)", model: "m", tenant: "", entries: 1, bytes: 200 - $0) }
        for selected in [0, 3, 99, 199] {
            var screen = Screen(size: Size(columns: 80, rows: 24))
            CachePage(cache: cache, selected: selected).draw(in: screen.area, Self.plain, on: &screen)
            #expect(screen.lines.contains { $0.hasPrefix("▸name-\(selected) ") })
        }
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

    @Test func whatAReloadAddsAndRemovesHasItsColour() {
        let page = TextPage.reload(PageSample.reload, columns: 80, Self.plain)
        func role(_ text: String) -> Role? { page.lines.first { $0.text.contains(text) }?.spans.last?.role }
        #expect(role("gpu-3 added") == .good)
        #expect(role("cpu-box removed") == .bad)
        #expect(role("queue_limit") == .plain)
    }
}

/// Pages as the tests need them.
enum PageSample {
    static let strip = OverviewStrip(status: Sample.busyStatus, history: Sample.busyHistory, requestsPerSecond: 6.5, tokensPerSecond: 271.4)
    static let endpoint = EndpointPage(
        endpoint: Sample.busyEndpoints[0], history: Sample.busyHistory, requests: Sample.busyRequests, events: Sample.busyEvents, wallS: Sample.wallS)
    static let cache = CachePage(cache: Sample.busyCache, history: Sample.busyHistory, selected: 1)
    static let tokens = TokensPage(tokens: Sample.busyTokens, span: .day, selected: 0)
    static let reload = ReloadInfo(
        applied: false, changes: ["endpoint gpu-3 added", "endpoint cpu-box removed", "queue_limit: 256 -> 512"],
        needsRestart: ["listen: 127.0.0.1:12434 -> 0.0.0.0:12434"])
    static let shown = ModelActionInfo(
        model: "llama3.2:3b", outcomes: [.init(endpoint: "gpu-1")],
        details: """
            {"license":"LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\\nLlama 3.2 Version Release Date: September 25, 2024","details":{"format":"gguf",\
            "family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"},\
            "model_info":{"general.architecture":"llama","llama.context_length":131072},"capabilities":["completion","tools"]}
            """)
}
