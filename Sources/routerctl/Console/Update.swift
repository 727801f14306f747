// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Changes the model as the event says, and tells what is to be done outside of it. Pure: no clock, no terminal, no daemon.
public func update(_ model: inout Model, _ event: Event) -> [Effect] {
    switch event {
    case .resize(let size):
        model.size = size
        return [.repaint]
    case .tick(let nowMs):
        model.nowMs = nowMs
        if let message = model.message, !message.isError, nowMs - message.sinceMs >= Model.messageMs { model.message = nil }
        return []
    case .snapshot(let snapshot):
        accept(snapshot, into: &model)
        return []
    case .lost(let reason):
        model.connection = .lost(reason)
        return []
    case .answered(let change, let endpoint, let answer):
        model.message = message(about: change, endpoint, answer, nowMs: model.nowMs)
        return []
    case .key(let key):
        if model.question != nil { return answerQuestion(&model, key) }
        model.message = nil
        guard let action = KeyTable.action(for: key) else {
            if model.showsHelp, key == .escape || key == .enter { model.showsHelp = false }
            return []
        }
        return model.showsHelp ? performInHelp(&model, action) : perform(&model, action)
    }
}

private func accept(_ snapshot: SnapshotInfo, into model: inout Model) {
    let endpointBefore = model.endpointIndex
    let requestBefore = model.requestIndex
    model.snapshot = snapshot
    model.snapshotMs = model.nowMs
    model.connection = .live
    model.rates.add(snapshot)
    // A selected row that is gone: the one that took its place.
    if model.endpointIndex == nil {
        let endpoints = model.endpoints
        model.selectedEndpoint = endpoints.isEmpty ? nil : endpoints[min(endpointBefore ?? 0, endpoints.count - 1)].name
    }
    if model.requestIndex == nil {
        let requests = model.requests
        model.selectedRequest = requests.isEmpty ? nil : requests[min(requestBefore ?? 0, requests.count - 1)].id
    }
}

private func perform(_ model: inout Model, _ action: Action) -> [Effect] {
    let page = max(1, Layout(model).rows(of: model.pane) - 1)
    switch action {
    case .up: move(&model, by: -1)
    case .down: move(&model, by: 1)
    case .pageUp: move(&model, by: -page)
    case .pageDown: move(&model, by: page)
    case .home: move(&model, by: -Int(Int32.max))
    case .end: move(&model, by: Int(Int32.max))
    case .switchPane: model.pane = model.pane == .endpoints ? .requests : .endpoints
    case .change(let change): ask(&model, change)
    case .help:
        model.showsHelp = true
        model.helpOffset = 0
    case .repaint: return [.repaint]
    case .quit: return [.quit]
    }
    return []
}

private func performInHelp(_ model: inout Model, _ action: Action) -> [Effect] {
    let last = max(0, HelpPage.lines(ascii: false).count - HelpPage.visibleRows(model.size))
    switch action {
    case .up: model.helpOffset = max(0, model.helpOffset - 1)
    case .down: model.helpOffset = min(last, model.helpOffset + 1)
    case .pageUp: model.helpOffset = max(0, model.helpOffset - HelpPage.visibleRows(model.size))
    case .pageDown: model.helpOffset = min(last, model.helpOffset + HelpPage.visibleRows(model.size))
    case .home: model.helpOffset = 0
    case .end: model.helpOffset = last
    case .repaint: return [.repaint]
    // Here `q` leaves the help only: who wants out presses it again.
    case .help, .quit: model.showsHelp = false
    case .switchPane, .change: break
    }
    return []
}

private func move(_ model: inout Model, by step: Int) {
    switch model.pane {
    case .endpoints:
        let endpoints = model.endpoints
        guard !endpoints.isEmpty else { return }
        model.selectedEndpoint = endpoints[min(max(0, (model.endpointIndex ?? 0) + step), endpoints.count - 1)].name
    case .requests:
        let requests = model.requests
        guard !requests.isEmpty else { return }
        model.selectedRequest = requests[min(max(0, (model.requestIndex ?? 0) + step), requests.count - 1)].id
    }
}

private func ask(_ model: inout Model, _ change: Change) {
    func refuse(_ text: String) { model.message = .init(text: text, isError: true, sinceMs: model.nowMs) }
    if case .lost = model.connection { return refuse("Not connected: nothing can be changed now") }
    guard let index = model.endpointIndex else { return refuse("No endpoint is selected") }
    let endpoint = model.endpoints[index]
    let isOut = endpoint.state == "draining" || endpoint.state == "maintenance"
    switch change {
    case .drain where endpoint.state == "draining": return refuse("\(endpoint.name) is already draining")
    case .maintenance where endpoint.state == "maintenance": return refuse("\(endpoint.name) is already in maintenance")
    case .resume where !isOut: return refuse("\(endpoint.name) is in service (\(endpoint.state))")
    default: model.question = .init(change: change, endpoint: endpoint.name, inFlight: endpoint.inFlight)
    }
}

private func answerQuestion(_ model: inout Model, _ key: Key) -> [Effect] {
    guard let question = model.question else { return [] }
    switch key {
    case .character("y"), .character("Y"):
        model.question = nil
        model.message = .init(text: "Asking routerd: \(question.change.rawValue) \(question.endpoint)", isError: false, sinceMs: model.nowMs)
        return [.ask(question.change, endpoint: question.endpoint)]
    case .character("n"), .character("N"), .character("q"), .escape:
        model.question = nil
        return []
    case .character("\u{03}"), .function(10):
        return [.quit]
    // Anything else may be a slip of the finger, and is no answer.
    default: return []
    }
}

private func message(
    about change: Change, _ name: String, _ answer: Result<EndpointInfo, AnswerFailure>, nowMs: Int
) -> Model.Message {
    switch answer {
    case .success(let endpoint):
        let rest = endpoint.inFlight == 0 ? "nothing in flight" : "\(endpoint.inFlight) in flight"
        return .init(text: "\(endpoint.name) is \(endpoint.state), \(rest)", isError: false, sinceMs: nowMs)
    case .failure(let failure):
        let text = failure.message.split(whereSeparator: \.isNewline).joined(separator: " / ")
        return .init(text: "\(change.rawValue) \(name): \(text)", isError: true, sinceMs: nowMs)
    }
}
