// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Protocol
import Testing

@testable import Console

/// Scales and widths of sparklines, gauges and charts. Without these a full bar may stand for less than all, or an idle minute for a busy one.
@Suite struct WidgetTests {
    private let theme = Theme(hasColours: false, isASCII: false)
    private let ascii = Theme(hasColours: false, isASCII: true)

    @Test(arguments: [
        ([0, 1, 2, 3, 4, 5, 6, 7] as [Double?], 8, "▁▂▃▄▅▆▇█"), ([5, 5], 2, "██"), ([0, 0, 0], 3, "▁▁▁"), ([], 3, "   "), ([nil, 1, nil], 3, " █ "),
        ([1], 3, "  █"), ([0.001, 100], 2, "▂█"), ([-5, .nan, .infinity], 3, "▁ █"), ([0, 0, 4, 4], 2, "▁█"), ([1], 0, ""), ([1], -4, ""),
    ])
    func aSparklineIsScaledToItsLargestValue(values: [Double?], columns: Int, text: String) {
        #expect(Sparkline.text(values, columns: columns, theme) == text)
    }

    @Test func aSparklineWithAFixedTopIsNotScaled() {
        #expect(Sparkline.text([0.5, 1, 2], columns: 3, ceiling: 1, theme) == "▅██")
        #expect(Sparkline.text([0, 0.2, 0.5, 1], columns: 4, ceiling: 1, ascii) == "_.-#")
    }

    @Test func severalValuesInAColumnAreTheirMeanOrTheirPeak() {
        #expect(Resample.columns([1, 3, nil, 8], count: 2) == [2, 8])
        #expect(Resample.columns([1, 3, nil, nil], count: 2, take: .peak) == [3, nil])
        #expect(Resample.columns([1, 2], count: 4) == [1, 1, 2, 2])
    }

    @Test(arguments: [
        (0.0, 1.0), (-1, 1), (.nan, 1), (1, 1), (1.2, 1.5), (7, 8), (9.1, 10), (123, 150), (0.03, 0.03), (1e15, 1e15), (.infinity, 1e15),
    ])
    func anAxisEndsAtARoundNumberNotBelowTheValue(value: Double, top: Double) {
        #expect(abs(Resample.roundCeiling(value) / top - 1) < 1e-6)
    }

    @Test(arguments: [
        (nil as Double?, 0), (0, 0), (0.001, 1), (0.5, 5), (0.999, 9), (1, 10), (7, 10), (-1, 0), (.nan, 0),
    ])
    func aBarIsFullOnlyAtAllOfItAndEmptyOnlyAtNothing(share: Double?, cells: Int) {
        #expect(Gauge.cells(share, columns: 10) == cells)
        #expect(Gauge.bar(share, columns: 10, theme).width == 10)
    }

    @Test func slotsAndProgressSayTheirNumbersToo() {
        #expect(Gauge.slots(inFlight: 3, limit: 4, columns: 20, theme).text == "━━━─ 3/4")
        #expect(Gauge.slots(inFlight: 3, limit: 4, columns: 4, theme).text == "3/4")
        #expect(Gauge.slots(inFlight: 4, limit: 4, columns: 20, theme).spans.first?.role == .barFull)
        #expect(Gauge.slots(inFlight: 30, limit: 100, columns: 14, ascii).text == "##..... 30/100")
        #expect(Gauge.progress(completed: 999, total: 1000, columns: 14, theme).text == "━━━━━━━━━─ 99%")
        #expect(Gauge.progress(completed: nil, total: 1000, columns: 14, theme).text == "-")
        #expect(Gauge.progress(completed: 2_000_000_000, total: 4_000_000_000, columns: 40, ascii).text == "#########......... 50%  2.0 GB of 4.0 GB")
    }

    @Test func aChartHasItsAxisItsTimesAndItsNewestAndLargestValue() {
        let chart = Chart(title: "Requests/s", values: (0...20).map { Double($0) }, spanS: 600)
        let lines = chart.lines(columns: 32, rows: 7, theme).map(\.text)
        let expected = """
            Requests/s  20.0  peak 20.0
            20.0┤                      ▂▂▄▆█
                │                 ▂▄▄▆██████
            10.0┤            ▂▄▄▆███████████
                │       ▂▄▆▆████████████████
               0┤▁▁▂▄▆▆█████████████████████
                 -10m        -5m         now
            """
        #expect(lines.joined(separator: "\n") == expected)
    }

    @Test func theSecondSeriesStandsOnTheFirst() {
        let chart = Chart(title: "T", values: [10, 10], second: [10, 0], spanS: 60, ceiling: 20, showsNewest: false)
        let plot = chart.plot(columns: 2, rows: 4, theme).map(\.text)
        #expect(plot == ["░ ", "░ ", "██", "██"])
        #expect(chart.plot(columns: 2, rows: 4, ascii).map(\.text) == [": ", ": ", "##", "##"])
        let colours = chart.plot(columns: 2, rows: 4, Theme(hasColours: true, isASCII: false))
        #expect(colours[0].spans.first == StyledLine.Span(text: "█", role: .chartSecond))
        #expect(colours[3].spans == [StyledLine.Span(text: "██", role: .chart)])
    }

    @Test func aMeasuredZeroIsALineAndTheUnknownIsAGap() {
        let plot = Chart(title: "T", values: [nil, 0, 4], spanS: 60).plot(columns: 3, rows: 2, theme).map(\.text)
        #expect(plot == ["  █", " ▁█"])
    }

    @Test(arguments: [(20, "BUSY 4 WAIT 2 UP 1/3"), (30, " T/S 271 BUSY 4 WAIT 2 UP 1/3"), (12, "UP 1/3"), (4, "UP …")])
    func aShortStripKeepsTheMostImportantFigures(columns: Int, text: String) {
        var screen = Screen(size: Size(columns: columns, rows: 1))
        PageSample.strip.draw(in: screen.area, theme, on: &screen)
        #expect(screen.lines == [text])
    }

    @Test func aStripWithoutHistoryOrRatesSaysSo() {
        var screen = Screen(size: Size(columns: 120, rows: 2))
        OverviewStrip(status: Sample.status).draw(in: screen.area, theme, on: &screen)
        #expect(screen.lines[0].contains("REQ/S -") && screen.lines[0].contains("HIT RATE off") && screen.lines[0].contains("UP 1/3"))
    }

    @Test(arguments: [
        (nil as Double?, "-"), (.nan, "-"), (0, "0%"), (0.0001, "0.1%"), (0.033, "3.3%"), (0.03, "3%"), (0.424, "42%"), (0.9999, "99%"), (1, "100%"),
        (3, "100%"),
    ])
    func aShareIsHundredOnlyForAll(share: Double?, text: String) {
        #expect(Share.text(share) == text)
    }

    @Test(arguments: [
        (0.0, "0"), (12, "12"), (9999, "9999"), (12_345, "12.3k"), (4_500_000, "4.5M"), (2.5e9, "2.5G"), (3e12, "3.0T"), (.nan, "-"), (-4, "0"),
    ])
    func anAmountTakesAFewCharacters(value: Double, text: String) {
        #expect(Amount.text(value) == text)
    }

    @Test(arguments: [(90.0, "-90s"), (600, "-10m"), (450, "-7.5m"), (86_400, "-24h"), (2_592_000, "-30d"), (0, "now"), (.nan, "now")])
    func aTimeBeforeNowIsShort(seconds: Double, text: String) {
        #expect(Chart.ago(seconds) == text)
    }
}

/// Whatever the numbers and names are, nothing is drawn outside of its area. Without this a daemon with odd data breaks the console.
@Suite struct WidgetPropertyTests {
    private static let names = [
        "", "gpu-1", "漢字の名前がとても長い", "e\u{301}e\u{301}e\u{301}", "a\u{1B}[31mb\u{07}", String(repeating: "x", count: 300), "👩‍👩‍👧 box",
    ]

    /// Any number that may come over the wire, the odd ones often.
    private static func number(_ dice: inout Sample.Dice) -> Int {
        [0, 1, 7, -1, 999, 123_456, .max, .min, 2_000_000_000][Int(dice.next() % 9)]
    }

    private static func real(_ dice: inout Sample.Dice) -> Double {
        [0, 0.3, 12.7, -4, .nan, .infinity, -.infinity, 1e300, 1e-300, 88_000][Int(dice.next() % 10)]
    }

    private static func name(_ dice: inout Sample.Dice) -> String { names[Int(dice.next() % UInt64(names.count))] }

    private static func series(_ dice: inout Sample.Dice) -> HistoryInfo.Series {
        var series = HistoryInfo.Series()
        let count = Int(dice.next() % 40)
        series.requests = (0..<count).map { _ in real(&dice) }
        series.tokens = (0..<count / 2).map { _ in real(&dice) }
        series.inFlight = (0..<count).map { _ in number(&dice) }
        series.waiting = (0..<count).map { _ in number(&dice) }
        series.ttftMs = (0..<count).map { _ in dice.next() % 3 == 0 ? nil : real(&dice) }
        return series
    }

    private static func endpoint(_ dice: inout Sample.Dice) -> EndpointInfo {
        var endpoint = EndpointInfo(
            name: name(&dice), url: name(&dice), kind: name(&dice), state: ["up", "down", "?"][Int(dice.next() % 3)], reason: name(&dice),
            since: name(&dice),
            version: name(&dice), inFlight: number(&dice), limit: number(&dice), waiting: number(&dice), weight: real(&dice), loaded: [name(&dice)],
            available: [], inFlightByModel: [name(&dice): number(&dice)], requestsTotal: number(&dice), tokensTotal: number(&dice),
            failuresTotal: number(&dice), abortsTotal: number(&dice))
        endpoint.loadedModels = (0..<dice.next() % 4).map { _ in
            .init(
                name: name(&dice), sizeVramBytes: number(&dice), expiresAt: ["", "2026-11-24T03:19:30Z", "9999-99-99"][Int(dice.next() % 3)],
                contextLength: number(&dice), inFlight: number(&dice))
        }
        endpoint.vramBytes = number(&dice)
        endpoint.requestsPerSecond = real(&dice)
        endpoint.tokensPerSecond = real(&dice)
        endpoint.ttftP50Ms = real(&dice)
        endpoint.ttftP95Ms = real(&dice)
        endpoint.polledAgoMs = number(&dice)
        return endpoint
    }

    private static func cache(_ dice: inout Sample.Dice) -> CacheInfo {
        var cache = CacheInfo()
        cache.enabled = dice.next() % 5 > 0
        cache.backend = name(&dice)
        cache.fault = name(&dice)
        cache.semanticFault = name(&dice)
        for path in [\CacheInfo.exactHits, \.semanticHits, \.shared, \.misses, \.entries, \.bytes, \.tokensSaved, \.vectors] {
            cache[keyPath: path] = number(&dice)
        }
        cache.bypasses = [name(&dice): number(&dice)]
        cache.notKept = [name(&dice): number(&dice)]
        cache.guarded = [name(&dice): number(&dice)]
        cache.oldestS = number(&dice)
        cache.secondsSaved = real(&dice)
        cache.hitRates = [.init(minutes: number(&dice), requests: number(&dice), rate: real(&dice))]
        cache.namespaces = (0..<dice.next() % 30).map { _ in
            .init(name: name(&dice), model: name(&dice), tenant: name(&dice), entries: number(&dice), bytes: number(&dice))
        }
        return cache
    }

    /// Draws into an area amid a screen of dots, and finds every dot around it where it was.
    private static func stays(in area: Area, _ size: Size, _ theme: Theme, _ what: String, draw: (inout Screen) -> Void) {
        var screen = Screen(size: size, isASCII: theme.isASCII)
        screen.fill(screen.area, role: .plain, with: ".")
        let before = screen
        draw(&screen)
        for row in 0..<size.rows {
            for column in 0..<size.columns where !area.contains(column: column, row: row) {
                let isSame = screen.rows[row][column].text == before.rows[row][column].text
                #expect(isSame, "\(what): \(area) at \(column), \(row)")
                if !isSame { return }
            }
        }
        if theme.isASCII { #expect(screen.lines.allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } }, "\(what)") }
    }

    @Test(arguments: 0..<40)
    func nothingIsDrawnOutsideOfItsArea(seed: Int) {
        var dice = Sample.Dice(seed: UInt64(seed))
        let size = Size(columns: 3 + Int(dice.next() % 220), rows: 3 + Int(dice.next() % 60))
        let left = Int(dice.next() % 3)
        let top = Int(dice.next() % 3)
        let area = Area(column: left, row: top, columns: size.columns - left - Int(dice.next() % 3), rows: size.rows - top - Int(dice.next() % 3))
        let theme = Theme(hasColours: dice.next() % 2 == 0, isASCII: dice.next() % 3 == 0)
        var history = HistoryInfo(stepS: Self.real(&dice))
        history.fleet = Self.series(&dice)
        history.hitRate = (0..<dice.next() % 20).map { _ in Self.real(&dice) }
        let endpoint = Self.endpoint(&dice)
        history.endpoints[endpoint.name] = Self.series(&dice)
        var status = Sample.status
        status.endpoints = [endpoint, Self.endpoint(&dice)]
        status.cache = Self.cache(&dice)
        status.requests.inFlight = Self.number(&dice)
        status.requests.waiting = Self.number(&dice)
        let strip = OverviewStrip(status: status, history: history, requestsPerSecond: Self.real(&dice), tokensPerSecond: Self.real(&dice))
        Self.stays(in: area, size, theme, "strip") { strip.draw(in: area, theme, on: &$0) }
        var event = EventInfo(
            sequence: 1, at: Self.name(&dice), level: Self.name(&dice), message: Self.name(&dice), facts: ["endpoint": endpoint.name])
        event.facts[Self.name(&dice)] = Self.name(&dice)
        var request = Sample.requests[0]
        request.endpoint = endpoint.name
        request.ageMs = Self.number(&dice)
        request.tokens = Self.number(&dice)
        request.tokensPerSecond = Self.real(&dice)
        request.why = Self.name(&dice)
        let page = EndpointPage(endpoint: endpoint, history: history, requests: [request], events: [event], wallS: Sample.wallS)
        let offset = Int(dice.next() % 60) - 10
        Self.stays(in: area, size, theme, "endpoint") {
            $0.put(page.lines(columns: area.columns, rows: area.rows, theme), in: area, offset: offset, theme)
        }
        Self.stays(in: area, size, theme, "cache") {
            $0.put(CachePage(cache: status.cache, history: history).lines(columns: area.columns, rows: area.rows, theme), in: area, theme)
        }
        var tokens = TokensInfo(sinceS: Self.real(&dice), stepS: Self.real(&dice), from: Self.number(&dice))
        tokens.input = (0..<dice.next() % 50).map { _ in Self.number(&dice) }
        tokens.output = (0..<dice.next() % 50).map { _ in Self.number(&dice) }
        tokens.rows = (0..<dice.next() % 30).map { _ in
            .init(endpoint: Self.name(&dice), model: Self.name(&dice), inputTokens: Self.number(&dice), outputTokens: Self.number(&dice))
        }
        tokens.totalInput = .max
        tokens.totalOutput = .max
        Self.stays(in: area, size, theme, "tokens") {
            $0.put(TokensPage(tokens: tokens).lines(columns: area.columns, rows: area.rows, theme), in: area, theme)
        }
        Self.stays(in: area, size, theme, "events") { $0.put([EventLines.line(event, columns: area.columns, theme)], in: area, theme) }
        let shown = ModelActionInfo(model: Self.name(&dice), outcomes: [.init(endpoint: endpoint.name)], details: "{\"a\":\"\(endpoint.name)\"}")
        Self.stays(in: area, size, theme, "text") {
            $0.put(TextPage.model(shown, columns: area.columns, theme), in: area, offset: offset, theme)
        }
        for line in EventLines.detail(event, columns: area.columns, theme) { #expect(line.width <= area.columns) }
    }

    @Test(arguments: 0..<20)
    func aChartHasTheRowsAndColumnsAskedFor(seed: Int) {
        var dice = Sample.Dice(seed: UInt64(seed))
        for _ in 0..<20 {
            let columns = Int(dice.next() % 120)
            let rows = Int(dice.next() % 20)
            let theme = Theme(hasColours: false, isASCII: dice.next() % 2 == 0)
            let values = (0..<dice.next() % 100).map { _ in dice.next() % 4 == 0 ? nil : Self.real(&dice) }
            let second = dice.next() % 2 == 0 ? [] : (0..<dice.next() % 100).map { _ in Self.real(&dice) as Double? }
            let chart = Chart(title: Self.name(&dice), values: values, second: second, names: ["a", "漢"], spanS: Self.real(&dice))
            let lines = chart.lines(columns: columns, rows: rows, theme)
            #expect(lines.count == (columns > 0 ? rows : 0))
            #expect(lines.allSatisfy { $0.width <= columns })
            let spark = Sparkline.text(values, columns: columns, theme)
            #expect(DisplayText.width(spark) == columns)
        }
    }

    @Test(arguments: 0..<20)
    func aWrappedLineLosesNothingButBlanks(seed: Int) {
        var dice = Sample.Dice(seed: UInt64(seed))
        let theme = Theme(hasColours: false, isASCII: false)
        var line = StyledLine(theme)
        for _ in 0..<12 { line.add(Self.name(&dice) + " ", [.plain, .dim, .value][Int(dice.next() % 3)]) }
        let columns = 2 + Int(dice.next() % 60)
        let wrapped = line.wrapped(to: columns, indent: 2, theme)
        #expect(wrapped.allSatisfy { $0.width <= columns })
        #expect(wrapped.map(\.text).joined().filter { $0 != " " } == line.text.filter { $0 != " " })
        #expect(line.cut(to: columns, theme).width <= columns)
    }
}

/// What a frame of charts costs. Without it a page that is drawn twice a second may take a core of its own.
@Suite struct WidgetCostTests {
    @Test func aFrameOfChartsAtTheLargestSizeIsCheap() {
        let theme = Theme(hasColours: true, isASCII: false)
        let clock = ContinuousClock()
        // The best of several: whatever else runs on the machine only makes it slower.
        let best = (0..<10).map { _ in
            clock.measure {
                var screen = Screen(size: Size(columns: 300, rows: 100))
                PageSample.strip.draw(in: screen.area.rows(from: 0, count: 3), theme, on: &screen)
                let rest = screen.area.rows(from: 3)
                screen.put(PageSample.endpoint.lines(columns: rest.columns, rows: rest.rows, theme), in: rest, theme)
            }
        }.min()
        // Of a debug build on a slow machine: several times what it takes, and a small part of what a lookup for each cell would.
        #expect((best ?? .seconds(1)) < .milliseconds(100))
    }
}
