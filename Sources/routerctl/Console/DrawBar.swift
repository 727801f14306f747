// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A line with all about the selected row that the list has no room for.
func drawDetail(_ model: Model, row: Int, _ theme: Theme, on screen: inout Screen) {
    let parts: [String]
    var role = Role.dim
    switch model.pane {
    case .endpoints:
        guard let index = model.endpointIndex else { return }
        let endpoint = model.endpoints[index]
        if !endpoint.reason.isEmpty { role = theme.role(state: endpoint.state) }
        parts = [
            endpoint.name, endpoint.reason.isEmpty ? endpoint.state : "\(endpoint.state): \(endpoint.reason)", endpoint.url,
            endpoint.version.isEmpty ? endpoint.kind : "\(endpoint.kind) \(endpoint.version)", "since \(endpoint.since)",
            endpoint.failuresTotal > 0 ? "\(endpoint.failuresTotal) failed" : "",
        ]
    case .requests:
        guard let index = model.requestIndex else { return }
        let request = model.requests[index]
        parts = [
            request.id, "\(request.method) \(request.route)", "from \(request.client)",
            "\(request.phase.rawValue) for \(Quantity.duration(ms: request.phaseMs))", "\(Quantity.bytes(request.bytesSent)) sent", request.model,
        ]
    }
    let text = DisplayText.clean(parts.filter { !$0.isEmpty }.joined(separator: theme.separator), ascii: theme.isASCII)
    screen.put(DisplayText.truncate(text, to: screen.size.columns - 3, ellipsis: theme.ellipsis), row: row, column: 2, role: role)
}

/// The bottom row: a question, or a message, or what the keys do.
func drawBar(_ model: Model, row: Int, _ theme: Theme, on screen: inout Screen) {
    let width = screen.size.columns
    if let question = model.question {
        screen.fill(row: row, role: .question)
        screen.put(fitting(questions(question), width - 2), row: row, column: 1, role: .question)
    } else if let message = model.message {
        let role: Role = message.isError ? .error : .message
        if message.isError { screen.fill(row: row, role: role) }
        let text = DisplayText.clean(message.text, ascii: theme.isASCII)
        screen.put(DisplayText.truncate(text, to: width - 2, ellipsis: theme.ellipsis), row: row, column: 1, role: role)
    } else if case .lost(let reason) = model.connection, !model.showsHelp {
        let text = DisplayText.clean("\(reason); trying again (q leaves)", ascii: theme.isASCII)
        screen.put(DisplayText.truncate(text, to: width - 2, ellipsis: theme.ellipsis), row: row, column: 1, role: .warning)
    } else {
        drawKeys(row: row, theme, on: &screen)
    }
}

/// The question in the words that there is room for. The name comes first: it must not be what is cut.
private func questions(_ question: Model.Question) -> [String] {
    let name = DisplayText.clean(question.endpoint)
    let ends = question.inFlight == 0 ? "nothing is in flight there" : "the \(question.inFlight) in flight will finish"
    let verb: String
    let what: String
    switch question.change {
    case .drain: (verb, what) = ("Drain", "it gets nothing new, \(ends)")
    case .maintenance: (verb, what) = ("Maintenance of", "nothing new, no polling, \(ends)")
    case .resume: (verb, what) = ("Resume", "it gets requests again")
    }
    return ["\(verb) \(name)?  (\(what))  y yes  n no", "\(verb) \(name)?  y yes  n no", "\(verb) \(name)? y/n", "\(name)? y/n"]
}

private func fitting(_ texts: [String], _ width: Int) -> String {
    if let text = texts.first(where: { DisplayText.width($0) <= width }) { return text }
    let end = "? y/n"
    let name = String((texts.last ?? "").dropLast(end.count))
    return DisplayText.truncate(name, to: max(1, width - end.count), ellipsis: "..") + end
}

private func drawKeys(row: Int, _ theme: Theme, on screen: inout Screen) {
    var shown = KeyTable.bindings.filter { $0.bar != nil }
    func name(_ binding: KeyBinding) -> String { binding.keys.first.map { KeyTable.name($0, ascii: theme.isASCII) } ?? "" }
    func width() -> Int { shown.reduce(0) { $0 + DisplayText.width(name($1)) + 1 + ($1.bar ?? "").count } + 3 * max(0, shown.count - 1) }
    while shown.count > 1, width() > screen.size.columns - 2, let least = shown.indices.min(by: { shown[$0].rank < shown[$1].rank }) {
        shown.remove(at: least)
    }
    var column = 1
    for binding in shown {
        column = screen.put(name(binding), row: row, column: column, role: .keyName)
        column = screen.put(" \(binding.bar ?? "")", row: row, column: column, role: .keyText) + 3
    }
}
