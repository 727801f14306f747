// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The help: written from the key table, so that it cannot miss a key.
enum HelpPage {
    static func lines(_ model: Model, ascii: Bool) -> [(key: String, text: String)] {
        let keys = KeyTable.bindings(in: model, page: false).map { binding in
            let refusal = model.isReadOnly && binding.changes ? " (not with --readonly)" : ""
            return (binding.keys.map { KeyTable.name($0, ascii: ascii) }.joined(separator: " "), binding.help + refusal)
        }
        return keys + [
            ("y n", "Answer a question"), ("Tab", "Where a model is asked for: the next name that fits"),
            ("Mouse", "Click selects, again opens; a heading sorts; a view's name goes there; the wheel scrolls"),
        ]
    }
}

extension HelpPage {
    /// What the view's figures mean, where their names do not say it all.
    static func figures(_ view: View) -> [(key: String, text: String)] {
        switch view {
        case .endpoints:
            [
                ("IN FLIGHT", "Requests there, of the slots of all its models in memory: one model's may be taken while others are free"),
                ("WAIT", "Requests in line that it could serve; one that several could serve counts at each"),
                ("TTFT P95", "To the first token of a streamed answer, over the last 5 minutes: half within, and 95 of 100 within"),
                ("LOAD TIME", "On its page, beside TOK/S and speed: brackets count what it was measured by, ~ marks a guess"),
                ("ERR", "Failed by its doing, since the daemon started; RETRY: tried again elsewhere; ABORT: the client left"),
            ]
        case .models:
            [
                ("BUSY", "Requests for it at all endpoints; WAIT: in line for it"),
                ("REQS", "Requests for it since the daemon started, those there now among them"),
                ("RELOADS", "Loads in 10 minutes because it was there with other options than a request asked for; Enter says for whom"),
            ]
        case .requests:
            [
                ("PHASE", "receiving, waiting (in line), connecting, loading (the model), first token (it is awaited), streaming"),
                (
                    "WHY",
                    "loaded: the model is in memory there; affinity: and its conversation is known; loading: a load is under way; fits: it is loaded beside others; load: others go for it; overcommit: no slot was free"
                ),
                ("CACHE", "hit, semantic, miss, bypass; shared: it reads the answer to an equal request"),
            ]
        case .queue: [("AHEAD", "Requests for the same model that go first: 0 is next"), ("BEHIND", "The first few of those")]
        case .cache, .tokens, .events: []
        }
    }

    static func styled(_ model: Model, columns: Int, _ theme: Theme) -> [StyledLine] {
        let keys = lines(model, ascii: theme.isASCII)
        let figures = figures(model.view)
        let lines = keys + figures
        let names = lines.map { DisplayText.width($0.key) }.max() ?? 0
        let isWide = columns >= 40
        return lines.enumerated().flatMap { index, row in
            let (key, text) = row
            var line = StyledLine(isWide ? "  " : "", .plain, theme)
            line.add(key, .keyName)
            // On a narrow screen the text follows its key, as there is no room for two columns.
            if isWide { line.pad(to: names + 4) } else { line.add(" ") }
            line.add(text)
            let heading = index == keys.count ? [StyledLine(theme), StyledLine(isWide ? "  Columns" : "Columns", .heading, theme)] : []
            return heading + line.wrapped(to: columns - 1, indent: isWide ? names + 4 : 1, theme)
        }
    }
}

/// The lines of whichever page is open: the help, an answer, all about a row. Empty while the table is shown.
func pageLines(_ model: Model, in area: Area, _ theme: Theme) -> [StyledLine] {
    switch model.page {
    case .help: return HelpPage.styled(model, columns: area.columns, theme)
    case .model(let info): return TextPage.model(info, columns: area.columns, theme)
    case .text(_, let lines): return TextPage.lines(lines.map { StyledLine($0, .plain, theme) }, columns: area.columns, theme)
    case nil: return model.opened.map { DetailPage.lines(model, of: $0, in: area, theme) } ?? []
    }
}

/// The page of the selected row where the table leaves room for it.
func drawPreview(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty, let selected = model.table.selected else { return }
    let body = area.rows(from: 1)
    let lines = DetailPage.lines(model, of: selected, in: body, theme)
    screen.put(StyledLine.section(DetailPage.title(model, selected), columns: area.columns, theme), in: area, row: 0, theme)
    screen.put(lines, in: body, offset: 0, theme)
}
