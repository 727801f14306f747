// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The whole screen for a model. Pure.
public func draw(_ model: Model, theme: Theme) -> Screen {
    var screen = Screen(size: model.size, isASCII: theme.isASCII)
    guard model.size.columns > 0, model.size.rows > 0 else { return screen }
    let layout = Layout(model)
    drawHeader(model, in: layout.header, theme, on: &screen)
    drawTabs(model, in: layout.tabs, theme, on: &screen)
    if let status = model.snapshot?.status {
        OverviewStrip(status: status, history: model.history, requestsPerSecond: model.requestsPerSecond, tokensPerSecond: model.tokensPerSecond)
            .draw(in: layout.overview, theme, on: &screen)
    }
    drawTitle(model, layout, theme, on: &screen)
    if model.page != nil || model.opened != nil {
        screen.put(pageLines(model, in: layout.body, theme), in: layout.body, offset: model.pageOffset, theme)
    } else {
        screen.put(summaryLines(model, columns: layout.charts.columns, rows: layout.chartRoom, theme), in: layout.charts, theme)
        drawTable(model, in: layout.body, theme, on: &screen)
        drawDetail(model, in: layout.detail, theme, on: &screen)
        drawPreview(model, in: layout.preview, theme, on: &screen)
    }
    drawBar(model, in: layout.bar, theme, on: &screen)
    if let dialog = model.dialog { drawDialog(dialog, model, theme, on: &screen) }
    return screen
}

/// What the views of the cache and of tokens have above their table, on a page of so many rows.
func summaryLines(_ model: Model, columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
    switch model.view {
    case .cache:
        guard let cache = model.snapshot?.status.cache else { return [] }
        return CachePage(cache: cache, history: model.history).lines(columns: columns, rows: rows, theme)
    case .tokens:
        let span = TokensPage.Span(rawValue: model.tokenRange) ?? .hour
        return TokensPage(tokens: model.tokens, span: span).lines(columns: columns, rows: rows, theme)
    case .endpoints, .models, .requests, .queue, .events: return []
    }
}
