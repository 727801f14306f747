// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// Keys of the seed system's configuration that this version reads and checks, but has nothing to do with yet. They are
/// told as notices: a configuration that works there must work here, and nothing is ignored in silence.
struct PlannedKey: Sendable {
    let name: String
    let check: @Sendable (inout ValueReader, Node) -> Void

    var variable: String { "NOMYO_ROUTER_\(name.uppercased())" }

    var notice: String { "\(name) has no effect yet: this version keeps answers to equal requests only" }

    static let table: [PlannedKey] = [
        PlannedKey(name: "cache_similarity") { reader, node in _ = reader.number(node, 0...1) },
        PlannedKey(name: "cache_history_weight") { reader, node in _ = reader.number(node, 0...1) },
    ]
}
