// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Protocol

@testable import Console

/// Models as the tests need them.
enum ModelSample {
    static let theme = Theme(hasColours: false, isASCII: false)

    static func snapshot(
        endpoints: [EndpointInfo] = Sample.endpoints, requests: [RequestInfo] = Sample.requests, models: [ModelInfo] = Sample.models
    ) -> SnapshotInfo {
        var status = Sample.status
        status.endpoints = endpoints
        var snapshot = SnapshotInfo(sequence: 1, atMs: 1000, status: status, requests: requests)
        snapshot.models = models
        snapshot.queue = Sample.queue
        snapshot.events = Sample.events
        return snapshot
    }

    static func show(_ model: inout Model, _ snapshot: SnapshotInfo, topics: Set<SnapshotTopic> = Set(SnapshotTopic.allCases)) {
        _ = update(&model, .snapshot(snapshot, topics: topics))
    }

    /// The small fleet of the fake daemon.
    static func model(_ view: View = .endpoints, columns: Int = 80, rows: Int = 24) -> Model {
        var model = Model(size: Size(columns: columns, rows: rows))
        _ = update(&model, .tick(nowMs: 50_000, wallS: SimulatedFleet.wallS))
        show(&model, snapshot())
        _ = update(&model, .tokens(Sample.tokens))
        model.go(to: view)
        return model
    }

    static func keys(_ model: inout Model, _ keys: Key...) -> [Effect] {
        keys.flatMap { update(&model, .key($0)) }
    }

    /// Each character as a key.
    static func type(_ model: inout Model, _ text: String) -> [Effect] {
        text.flatMap { update(&model, .key(.character($0))) }
    }

    static func lines(_ model: Model, _ theme: Theme = theme) -> [String] { draw(model, theme: theme).lines }

    /// The question that is open.
    static func question(_ model: Model) -> Question? {
        if case .question(let question)? = model.dialog { question } else { nil }
    }

    static func prompt(_ model: Model) -> Prompt? {
        if case .prompt(let prompt)? = model.dialog { prompt } else { nil }
    }

    /// Answers what the daemon is asked before a question can be answered.
    static func prepared(_ model: inout Model, _ notes: [String] = []) {
        guard let question = question(model) else { return }
        _ = update(&model, .prepared(question.commands, .success(notes)))
    }
}
