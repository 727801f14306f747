// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// All about one endpoint: how it does, how it did over the last minutes, what it works on, what it has loaded, what happened to it and
/// how it is set up. Longer than most screens: it is scrolled.
struct EndpointPage: Sendable {
    var endpoint: EndpointInfo
    /// Nil from a daemon that does not tell.
    var history: HistoryInfo?
    /// Those in the router; the page picks the endpoint's.
    var requests: [RequestInfo] = []
    /// The log, oldest first; the page picks the endpoint's.
    var events: [EventInfo] = []
    /// Seconds since 1970; 0 while unknown.
    var wallS = 0

    /// The whole page. Its height is the number of lines.
    ///
    /// - Parameter rows: of the area, from which the charts take their height.
    func lines(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        guard columns > 0 else { return [] }
        var lines = [headline(columns: columns, theme)]
        if !endpoint.reason.isEmpty {
            lines += StyledLine(" \(endpoint.reason)", theme.role(state: endpoint.state), theme).wrapped(to: columns, indent: 1, theme)
        }
        lines += indented(StyledLine.facts(figures(theme), columns: columns - 2, theme), theme)
        if history != nil { lines += charts(columns: columns, rows: rows, theme) }
        lines += setAside(columns: columns, theme)
        lines += models(columns: columns, theme)
        lines += reloads(columns: columns, theme)
        lines += requestLines(columns: columns, theme)
        lines += eventLines(columns: columns, theme)
        lines += settings(columns: columns, theme)
        return lines
    }

    private func indented(_ lines: [StyledLine], _ theme: Theme) -> [StyledLine] {
        lines.map { line in
            var indented = StyledLine(" ", .plain, theme)
            indented.add(line)
            return indented
        }
    }

    /// Name, state and since when; then the server, as far as there is room.
    private func headline(columns: Int, _ theme: Theme) -> StyledLine {
        let role = theme.role(state: endpoint.state)
        var line = StyledLine(" \(theme.stateGlyph(endpoint.state)) ", role, theme)
        line.add(endpoint.name, .title)
        line.add(" \(endpoint.state)", role)
        let ago = Timestamp.ago(endpoint.since, wallS: wallS)
        if !ago.isEmpty { line.addIfFits(StyledLine("for \(ago)", .dim, theme), gap: 1, columns: columns) }
        for part in ["\(endpoint.kind) \(endpoint.version)", endpoint.url] where part != " " {
            line.addIfFits(StyledLine(theme.separator + part, .dim, theme), gap: 0, columns: columns)
        }
        return line
    }

    private func figures(_ theme: Theme) -> [LabelledValue] {
        func count(_ value: Int, _ bad: Role = .value) -> (String, Role) { (Quantity.count(max(0, value)), value > 0 ? bad : .dim) }
        func figure(_ label: String, _ value: (String, Role)) -> LabelledValue { LabelledValue(label, value.0, value.1) }
        let isFull = endpoint.inFlight >= endpoint.capacity && endpoint.inFlight > 0
        // Of what it does not do there is nothing to say.
        let others: [LabelledValue] = [
            ("head p50", endpoint.headP50Ms), ("answer p50", endpoint.answerP50Ms), ("answer p95", endpoint.answerP95Ms),
            ("embed p50", endpoint.embeddingsP50Ms), ("embed p95", endpoint.embeddingsP95Ms),
        ].filter { $0.1 != nil }.map { LabelledValue($0.0, Latency.text($0.1)) }
        return [
            LabelledValue("in flight", "\(endpoint.inFlight) of \(endpoint.capacity)", isFull ? .barFull : .value),
            figure("waiting", count(endpoint.waiting, .warning)),
            LabelledValue("requests/s", Quantity.rate(endpoint.requestsPerSecond)),
            LabelledValue("tokens/s", Quantity.rate(endpoint.tokensPerSecond)),
            LabelledValue("TTFT p50", Latency.text(endpoint.ttftP50Ms), endpoint.ttftP50Ms == nil ? .dim : .value),
            LabelledValue("TTFT p95", Latency.text(endpoint.ttftP95Ms), endpoint.ttftP95Ms == nil ? .dim : .value),
            figure("requests", count(endpoint.requestsTotal)),
            figure("tokens", count(endpoint.tokensTotal)),
            figure("failed", count(endpoint.failuresTotal, .bad)),
            figure("retried", count(endpoint.retriesTotal, .warning)),
            figure("aborted", count(endpoint.abortsTotal)),
            figure("refused", count(endpoint.clientErrorsTotal)),
        ] + others
    }

    /// Four charts: in a row on the widest screens, two by two, or below each other.
    private func charts(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        let series = history?.endpoints[endpoint.name] ?? HistoryInfo.Series()
        let step = history.map { $0.stepS > 0 && $0.stepS.isFinite ? $0.stepS : 1 } ?? 1
        // An endpoint that is new in the fleet has a shorter past, and the charts beside each other show the same time.
        let count = max(history?.fleet.requests.count ?? 0, series.requests.count, 1)
        func values(_ values: [Double?]) -> [Double?] { Resample.newest(values, count: count) }
        let span = step * Double(count)
        let charts = [
            Chart(title: "Requests/s", values: values(series.requests), spanS: span),
            Chart(title: "Tokens/s", values: values(series.tokens), spanS: span),
            Chart(
                title: "In flight", values: values(series.inFlight.map { Double($0) }), spanS: span,
                ceiling: endpoint.capacity > 0 ? Double(endpoint.capacity) : nil, take: .peak, format: Amount.text),
            Chart(title: "TTFT", values: values(series.ttftMs), spanS: span, take: .peak, format: { Latency.text($0) }),
        ]
        let perRow = columns >= 190 ? 4 : columns >= 70 ? 2 : 1
        let height = perRow == 1 ? (rows >= 20 ? 4 : 2) : max(4, min(12, rows * perRow / 10))
        let gap = 3
        let width = (columns - 2 - gap * (perRow - 1)) / perRow
        var lines = [StyledLine.section("Last \(Chart.ago(span).dropFirst())", columns: columns, theme)]
        for first in stride(from: 0, to: charts.count, by: perRow) {
            let blocks = charts[first..<min(charts.count, first + perRow)].map { $0.lines(columns: width, rows: height, theme) }
            lines += indented(StyledLine.beside(blocks, columns: width, gap: gap, theme), theme)
        }
        return lines
    }

    /// What gets no requests for now; nothing where all is well.
    private func setAside(columns: Int, _ theme: Theme) -> [StyledLine] {
        guard !endpoint.setAside.isEmpty else { return [] }
        let listing = Listing(
            columns: [
                TableColumn("MODEL", minimum: 8, rank: 90), TableColumn("WHY", minimum: 16, rank: 100),
                TableColumn("FOR", right: true, rank: 60), TableColumn("PROBED", right: true, rank: 80),
            ],
            rows: endpoint.setAside.map { row in
                [
                    .init(row.model.isEmpty ? "all" : row.model, .value), .init(row.reason, .warning),
                    .init(Timestamp.ago(row.since, wallS: wallS), .dim), .init(row.retryAt.map { probe($0) } ?? "now"),
                ]
            })
        return [StyledLine.section("Set aside", "\(endpoint.setAside.count)", columns: columns, theme)] + listing.lines(columns: columns, theme)
    }

    /// When the next request may see how it is: `in 4s`, or with the next one.
    private func probe(_ at: String) -> String {
        guard let due = Timestamp.seconds(at), due > wallS else { return "next" }
        return "in \(Timestamp.until(at, wallS: wallS))"
    }

    private func models(columns: Int, _ theme: Theme) -> [StyledLine] {
        // Older daemons tell the names only.
        let loaded = endpoint.loadedModels.isEmpty ? endpoint.loaded.map { EndpointInfo.Loaded(name: $0) } : endpoint.loadedModels
        let use = Dictionary(endpoint.use.map { ($0.model, $0) }, uniquingKeysWith: { first, _ in first })
        let used = loaded.reduce(0.0) { $0 + Double($1.sizeVramBytes ?? 0) }
        var note = "\(loaded.count) of \(endpoint.available.count)"
        if used > 0 { note += theme.separator + Quantity.bytes(Int(min(used, 1e18))) }
        if used > 0, let all = endpoint.vramBytes { note += " of \(Quantity.bytes(all))" }
        var lines = [StyledLine.section("Models in memory", note, columns: columns, theme)]
        if loaded.isEmpty { lines.append(StyledLine(" none", .dim, theme)) }
        guard !loaded.isEmpty else { return lines }
        let listing = Listing(
            columns: [
                TableColumn("NAME", minimum: 8, rank: 100), TableColumn("MEMORY", right: true, rank: 90),
                TableColumn("LOADED WITH", minimum: 12, rank: 60), TableColumn("IN FLIGHT", right: true, rank: 70),
                TableColumn("EXPIRES", right: true, rank: 80), TableColumn("TOK/S", right: true, rank: 54, hidesWhenEmpty: true),
                TableColumn("LOAD TIME", right: true, rank: 53, hidesWhenEmpty: true),
                TableColumn("LOADS", minimum: 25, rank: 50, hidesWhenEmpty: true),
            ],
            rows: loaded.map { model in
                let slots = use[model.name]?.slots ?? endpoint.limit
                let flying = endpoint.inFlightByModel[model.name] ?? model.inFlight
                return [
                    .init(model.name, .value), .init(model.sizeVramBytes.map { Quantity.bytes(max(0, $0)) } ?? ""),
                    .init(model.loadedWith),
                    .init("\(flying)/\(slots)", flying <= 0 ? .dim : flying >= slots ? .barFull : .barUsed),
                    .init(model.expiresAt.map { Timestamp.until($0, wallS: wallS) } ?? ""),
                    .init(model.estimates?.shortRate ?? ""), .init(model.estimates?.shortLoad ?? ""),
                    .init(model.loads?.words ?? "", model.loads?.asked.isEmpty ?? true ? .dim : .warning),
                ]
            })
        return lines + listing.lines(columns: columns, theme)
    }

    /// Who has lately had models loaded anew because they are asked for with other options; nothing where nobody has.
    private func reloads(columns: Int, _ theme: Theme) -> [StyledLine] {
        let rows = endpoint.loadedModels.flatMap { model in (model.loads?.asked ?? []).map { (model: model.name, asked: $0) } }
        guard !rows.isEmpty else { return [] }
        let listing = Listing(
            columns: [
                TableColumn("MODEL", minimum: 8, rank: 90), TableColumn("ASKED FOR WITH", minimum: 12, rank: 100),
                TableColumn("BY", minimum: 10, rank: 80), TableColumn("TIMES", right: true, rank: 95),
            ],
            rows: rows.map { row in
                [.init(row.model, .value), .init(row.asked.options), .init(row.asked.asker), .init("\(row.asked.reloads)", .warning)]
            })
        let count = rows.reduce(0) { $0 + $1.asked.reloads }
        let heading = StyledLine.section("Loaded again for other options", "\(count) in 10 minutes", columns: columns, theme)
        return [heading] + listing.lines(columns: columns, theme)
    }

    private func requestLines(columns: Int, _ theme: Theme) -> [StyledLine] {
        let here = requests.filter { $0.endpoint == endpoint.name }
        let lines = [StyledLine.section("Requests", "\(here.count)", columns: columns, theme)]
        guard !here.isEmpty else { return lines + [StyledLine(" none", .dim, theme)] }
        let listing = Listing(
            columns: [
                TableColumn("ID", rank: 70), TableColumn("MODEL", minimum: 8, rank: 90), TableColumn("CLIENT", minimum: 9, rank: 50),
                TableColumn("PHASE", rank: 100), TableColumn("AGE", right: true, rank: 95), TableColumn("TOKENS", right: true, rank: 60),
                TableColumn("TOK/S", right: true, rank: 80), TableColumn("WHY", minimum: 16, rank: 20, hidesWhenEmpty: true),
            ],
            rows: here.map { request in
                [
                    .init(request.id, .dim), .init(request.model, .value), .init(request.key.isEmpty ? request.client : request.key),
                    .init(request.phase.words, request.phase == .streaming ? .good : .plain),
                    .init(Latency.age(ms: request.ageMs)), .init(Quantity.count(max(0, request.tokens))),
                    .init(request.tokensPerSecond.map { Quantity.rate($0) } ?? ""), .init(request.why, .dim),
                ]
            })
        return lines + listing.lines(columns: columns, theme)
    }

    private func eventLines(columns: Int, _ theme: Theme) -> [StyledLine] {
        let here = events.filter { $0.facts["endpoint"] == endpoint.name }.suffix(10)
        let lines = [StyledLine.section("Last events", columns: columns, theme)]
        guard !here.isEmpty else { return lines + [StyledLine(" none", .dim, theme)] }
        return lines
            + here.map { event in
                // Whose they are is known here.
                var event = event
                event.facts["endpoint"] = nil
                return EventLines.line(event, columns: columns, theme)
            }
    }

    private var weight: String {
        let own = Latency.decimal(endpoint.weight)
        return endpoint.configuredWeight.map { "\(own) by an operator (\(Latency.decimal($0)))" } ?? own
    }

    private func settings(columns: Int, _ theme: Theme) -> [StyledLine] {
        let facts = [
            LabelledValue("url", endpoint.url), LabelledValue("kind", endpoint.kind), LabelledValue("version", endpoint.version),
            LabelledValue("limit", "\(endpoint.limit) a model"), LabelledValue("weight", weight),
            LabelledValue("speed", endpoint.loadedModels.lazy.compactMap(\.estimates).first?.shortSpeed ?? ""),
            LabelledValue("key", endpoint.hasKey ? "set" : "none"),
            LabelledValue("memory", endpoint.vramBytes.map { Quantity.bytes(max(0, $0)) } ?? ""),
            LabelledValue("polled", endpoint.polledAgoMs.map { "\(Latency.age(ms: $0)) ago" } ?? ""),
        ]
        return [StyledLine.section("Settings", columns: columns, theme)]
            + indented(StyledLine.facts(facts, columns: columns - 2, perRow: 4, theme), theme)
    }
}

/// Times as text.
enum Latency {
    /// `85ms`, `1.2s`, `12s`; `-` for what is unknown.
    @Sendable static func text(_ ms: Double?) -> String {
        guard let ms = Resample.plain(ms) else { return "-" }
        return ms < 999.5 ? "\(Int(ms.rounded()))ms" : age(ms: Int(ms))
    }

    /// As `Quantity.duration`, for any number.
    static func age(ms: Int) -> String { Quantity.duration(ms: max(0, min(ms, 1_000_000_000_000_000))) }

    /// `1`, `0.5`, `0.25`.
    static func decimal(_ value: Double) -> String {
        guard let value = Resample.plain(value) else { return "-" }
        return value == value.rounded() ? "\(Int(value))" : "\((value * 1000).rounded() / 1000)"
    }
}
