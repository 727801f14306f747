// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Changes the model as the event says, and tells what is to be done outside of it. Pure: no clock, no terminal, no daemon.
public func update(_ model: inout Model, _ event: Event) -> [Effect] {
    switch event {
    case .resize(let size):
        model.size = size
        model.reveal()
        return [.repaint]
    case .tick(let nowMs, let wallS):
        model.nowMs = nowMs
        model.wallS = wallS
        if let message = model.message, !message.isError, nowMs - message.sinceMs >= Model.messageMs { model.message = nil }
        return []
    case .snapshot(let snapshot, let topics):
        model.connection = .live
        if model.message?.text == Model.notConnected { model.message = nil }
        if !model.isPaused { accept(snapshot, topics, into: &model) }
        return []
    case .history(let history):
        if !model.isPaused { model.history = history }
        return []
    case .tokens(let tokens):
        guard !model.isPaused else { return [] }
        model.tokens = tokens
        model.arrange()
        return []
    case .lost(let reason):
        model.connection = .lost(reason)
        return []
    case .prepared(let commands, let answer):
        prepared(&model, commands, answer)
        return []
    case .progress(let job, let progress):
        if let index = model.jobs.firstIndex(where: { $0.id == job }) { model.jobs[index].progress = progress }
        return []
    case .answered(let job, let answers):
        model.jobs.removeAll { $0.id == job }
        show(&model, answers)
        return []
    case .mouse(let mouse): return update(&model, mouse)
    case .key(let key):
        if model.dialog != nil { return answerDialog(&model, key) }
        model.message = nil
        guard let binding = KeyTable.binding(for: key, in: model) else { return [] }
        if binding.changes, model.isReadOnly {
            model.refuse("Nothing can be changed: this console was started with --readonly")
            return []
        }
        return perform(&model, binding.action)
    }
}

/// Takes a picture over. Parts that were not asked for keep what they had.
private func accept(_ snapshot: SnapshotInfo, _ topics: Set<SnapshotTopic>, into model: inout Model) {
    var snapshot = snapshot
    if let before = model.snapshot {
        if !topics.contains(.requests) { snapshot.requests = before.requests }
        if !topics.contains(.queue) { snapshot.queue = before.queue }
        if !topics.contains(.models) { snapshot.models = before.models }
        // Another daemon counts its events from the beginning.
        if before.status.pid != snapshot.status.pid { model.events = [] }
    }
    let newest = model.events.last?.sequence ?? 0
    model.events += snapshot.events.filter { $0.sequence > newest }
    if model.events.count > Model.eventLimit { model.events.removeFirst(model.events.count - Model.eventLimit) }
    snapshot.events = []
    model.snapshot = snapshot
    model.snapshotMs = model.nowMs
    model.arrange()
}

private func perform(_ model: inout Model, _ action: Action) -> [Effect] {
    let page = max(1, (model.page != nil || model.opened != nil ? Layout(model).pageRows : Layout(model).tableRows) - 1)
    switch action {
    case .up: model.move(by: -1)
    case .down: model.move(by: 1)
    case .pageUp: model.move(by: -page)
    case .pageDown: model.move(by: page)
    case .home: model.move(by: -Int(Int32.max))
    case .end: model.move(by: Int(Int32.max))
    case .previousView: model.go(to: model.view.moved(by: -1))
    case .nextView: model.go(to: model.view.moved(by: 1))
    case .go(let view): model.go(to: view)
    case .open: model.open()
    case .back: model.back()
    case .mark: model.mark()
    case .unmark: model.table.marks = []
    case .filter:
        guard model.page == nil else { break }
        model.dialog = .prompt(Prompt(purpose: .filter(before: model.table.filter), text: model.table.filter.typed))
    case .search: model.dialog = model.page == nil ? .prompt(Prompt(purpose: .search, text: "")) : nil
    case .searchNext: model.search(model.searched, from: 1)
    case .sort: model.openSortChooser()
    case .reverse:
        model.table.isReversed.toggle()
        model.arrange()
    case .faults:
        model.faultsOnly.toggle()
        model.arrange()
    case .range:
        model.tokenRange = (model.tokenRange + 1) % TokensPage.Span.allCases.count
    case .level:
        let place = EventInfo.levels.firstIndex(of: model.eventLevel) ?? 0
        model.eventLevel = EventInfo.levels[(place + 1) % EventInfo.levels.count]
        model.arrange()
    case .pause: model.isPaused.toggle()
    case .faster: model.intervalMs = Model.intervals.last { $0 < model.intervalMs } ?? model.intervalMs
    case .slower: model.intervalMs = Model.intervals.first { $0 > model.intervalMs } ?? model.intervalMs
    case .refresh: return [.refresh]
    case .ask(let ask): return begin(&model, ask)
    case .help:
        model.page = model.page == nil ? .help : nil
        model.pageOffset = 0
    case .repaint: return [.repaint]
    case .suspend: return [.suspend]
    // As in a pager: who wants out of the console presses it again.
    case .leave:
        if model.page == nil, model.opened == nil { return [.quit] }
        model.back()
    case .quit: return [.quit]
    }
    return []
}
