// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a reload changes, in words.
struct ConfigDiff: Sendable, Equatable {
    /// One line per change, such as `queue_limit: 512 -> 100`. Never a secret.
    private(set) var changes: [String] = []
    /// Names of the changed keys that need a restart.
    private(set) var needsRestart: [String] = []
    private(set) var removedEndpoints: [String] = []

    init(from old: Config, to new: Config) {
        for key in ConfigKey.table {
            let (before, after) = (key.show(old), key.show(new))
            guard before != after else { continue }
            changes.append("\(key.name): \(Self.shown(before)) -> \(Self.shown(after))")
            if key.needsRestart { needsRestart.append(key.name) }
        }
        if let before = old.routerKey, let after = new.routerKey, before != after { changes.append("nomyo-router-api-key: changed") }
        compareEndpoints(old.endpoints, new.endpoints)
    }

    /// Endpoints are the same where their URL is.
    private mutating func compareEndpoints(_ old: [Config.EndpointConfig], _ new: [Config.EndpointConfig]) {
        let before = Dictionary(old.map { ($0.address.url, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Set(new.map(\.address.url))
        for endpoint in old where !after.contains(endpoint.address.url) {
            changes.append("endpoint \(endpoint.name): removed (\(endpoint.address.url))")
            removedEndpoints.append(endpoint.name)
        }
        for endpoint in new {
            guard let former = before[endpoint.address.url] else {
                changes.append("endpoint \(endpoint.name): added (\(endpoint.address.url))")
                continue
            }
            compare(former, endpoint)
        }
    }

    private mutating func compare(_ old: Config.EndpointConfig, _ new: Config.EndpointConfig) {
        func note(_ key: String, _ before: String, _ after: String) {
            if before != after { changes.append("endpoint \(new.name): \(key) \(before) -> \(after)") }
        }
        note("name", old.name, new.name)
        note("kind", old.kindIsOpen ? "found out" : old.kind.rawValue, new.kindIsOpen ? "found out" : new.kind.rawValue)
        if old.tls != new.tls { changes.append("endpoint \(new.name): tls changed") }
        note("max_concurrent_connections", "\(old.limit)", "\(new.limit)")
        note("weight", "\(old.weight)", "\(new.weight)")
        note("vram", old.vramBytes.map(SizeText.format) ?? "unknown", new.vramBytes.map(SizeText.format) ?? "unknown")
        note("words", old.words?.text ?? "found out", new.words?.text ?? "found out")
        note("context", old.context?.rawValue ?? "as for all", new.context?.rawValue ?? "as for all")
        if old.key != new.key {
            changes.append("endpoint \(new.name): api_key \(old.key == nil ? "added" : new.key == nil ? "removed" : "changed")")
        }
    }

    private static func shown(_ text: String) -> String {
        text.isEmpty ? "none" : text
    }
}
