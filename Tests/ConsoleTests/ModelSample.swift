// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Protocol

@testable import Console

/// Models as the tests need them.
enum ModelSample {
    static let theme = Theme(hasColours: false, isASCII: false)

    static func snapshot(
        sequence: Int = 1, atMs: Int = 1000, endpoints: [EndpointInfo] = Sample.endpoints, requests: [RequestInfo] = Sample.requests,
        total: Int = 2010
    ) -> SnapshotInfo {
        var status = Sample.status
        status.endpoints = endpoints
        status.requests.total = total
        return SnapshotInfo(sequence: sequence, atMs: atMs, status: status, requests: requests)
    }

    /// Two snapshots, a second apart: 12 requests and, at the first endpoint, 100 tokens more.
    static func model(columns: Int = 80, rows: Int = 24) -> Model {
        var model = Model(size: Size(columns: columns, rows: rows))
        _ = update(&model, .tick(nowMs: 50_000))
        _ = update(&model, .snapshot(snapshot()))
        var endpoints = Sample.endpoints
        endpoints[0].requestsTotal += 12
        endpoints[0].tokensTotal += 100
        _ = update(&model, .tick(nowMs: 51_000))
        _ = update(&model, .snapshot(snapshot(sequence: 2, atMs: 2000, endpoints: endpoints, total: 2022)))
        return model
    }

    static func keys(_ model: inout Model, _ keys: Key...) -> [Effect] {
        keys.flatMap { update(&model, .key($0)) }
    }

    static func lines(_ model: Model, _ theme: Theme = theme) -> [String] { draw(model, theme: theme).lines }
}
