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

    var notice: String { "\(name) has no effect yet: this version has no cache" }

    static let table: [PlannedKey] = [
        PlannedKey(name: "cache_enabled") { reader, node in _ = reader.bool(node) },
        PlannedKey(name: "cache_backend") { reader, node in _ = reader.choice(node, ["memory", "sqlite", "redis"]) },
        PlannedKey(name: "cache_similarity") { reader, node in _ = reader.number(node, 0...1) },
        PlannedKey(name: "cache_ttl") { reader, node in
            if !ValueReader.isNull(node) { _ = reader.duration(node, .zero ... .hours(24 * 3650), zeroMeansNone: true) }
        },
        PlannedKey(name: "cache_db_path") { reader, node in _ = reader.text(node, "expected a path") },
        // May hold a password: no message repeats it.
        PlannedKey(name: "cache_redis_url") { reader, node in
            if let text = reader.text(node, "expected a URL"), !["redis://", "rediss://", "unix://"].contains(where: text.hasPrefix) {
                reader.fault(node, "expected a URL that begins with redis://")
            }
        },
        PlannedKey(name: "cache_history_weight") { reader, node in _ = reader.number(node, 0...1) },
    ]
}
