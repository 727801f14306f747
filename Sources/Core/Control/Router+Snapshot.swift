// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

extension Router {
    /// What subscribers see, with the parts that they asked for.
    ///
    /// - Parameter after: the newest event that they know; nil if they know none.
    func snapshot(topics: Set<SnapshotTopic>, after: Int?) async -> SnapshotInfo {
        var snapshot = await snapshot(sequence: 0, after: after)
        if !topics.contains(.requests) { snapshot.requests = [] }
        if !topics.contains(.queue) { snapshot.queue = [] }
        if !topics.contains(.models) { snapshot.models = [] }
        if !topics.contains(.events) { snapshot.events = [] }
        return snapshot
    }
}
