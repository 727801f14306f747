// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import TestSupport

/// A model that the endpoint has on its disk. What its name does not say is derived from it, always in the same way.
struct SimulatedModel: Sendable {
    /// With its tag, as lists show it.
    let name: String
    let digest: String
    /// Bytes on disk.
    let size: Int
    let parameters: String
    let family: String
    let embeds: Bool

    init(_ given: String) {
        name = Self.normalized(given)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let part = String(hash, radix: 16)
        digest = String(repeating: "0", count: 16 - part.count) + part + String(repeating: part.first ?? "a", count: 48)
        family = String(name.prefix { $0.isLetter })
        embeds = name.contains("embed") || name.contains("minilm")
        // "8b" in the tag, or a small model.
        let tag = name.split(separator: ":").last ?? ""
        let billions = tag.split(separator: "-").compactMap { $0.last == "b" ? Double($0.dropLast()) : nil }.first ?? (embeds ? 0.14 : 3.2)
        parameters = billions < 1 ? "\(Int(billions * 1000))M" : String(format: "%.1fB", billions)
        size = Int(billions * 630_000_000) + Int(hash % 1_000_000)
    }

    var details: String {
        let family = GoJSON.quote(family)
        return #"{"parent_model":"","format":"gguf","family":\#(family),"families":[\#(family)],"parameter_size":"\#(parameters)","#
            + #""quantization_level":"Q4_K_M"}"#
    }

    var capabilities: String { embeds ? #"["embedding"]"# : #"["completion","tools"]"# }

    /// How names are compared: lower case, without the default host and namespace, with a tag.
    static func normalized(_ given: String) -> String {
        var name = given.trimmingCharacters(in: .whitespaces).lowercased()
        for prefix in ["registry.ollama.ai/", "library/"] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        let last = name.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        return last.contains(":") ? name : name + ":latest"
    }
}

/// What is in the memory of the simulated machine: loads take time, so many fit, and an idle model leaves after a while.
final class ModelMemory: Sendable {
    struct Limits: Sendable {
        /// Seconds from a request for a model that is not loaded to its first token.
        var loadTime: Double
        /// Models at once.
        var models: Int
        /// Requests at once for each model; more of them wait.
        var parallel: Int
        /// Seconds that an unused model stays.
        var keepAlive: Double = 300
        /// Requests that may wait.
        var queue = 512
    }

    struct Resident: Sendable {
        let model: SimulatedModel
        /// Seconds since 1970; infinite if it stays forever.
        var expires: Double
    }

    private struct Entry {
        let model: SimulatedModel
        var ready: Double
        var active = 0
        var expires: Double
        var lastUsed: Double
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var waiting = 0
    }

    private let limits: Limits
    private let state: NIOLockedValueBox<State>

    init(limits: Limits, loaded: [SimulatedModel]) {
        self.limits = limits
        let now = Self.now
        var state = State()
        for model in loaded {
            state.entries[model.name] = Entry(model: model, ready: now, expires: now + limits.keepAlive, lastUsed: now)
        }
        self.state = NIOLockedValueBox(state)
    }

    private static var now: Double { Date().timeIntervalSince1970 }

    /// What is loaded, the latest to leave first.
    var residents: [Resident] {
        state.withLockedValue { state in
            Self.expire(&state)
            return state.entries.values.filter { $0.ready <= Self.now }
                .map { Resident(model: $0.model, expires: $0.active > 0 ? max($0.expires, Self.now + limits.keepAlive) : $0.expires) }
                .sorted { ($1.expires, $0.model.name) < ($0.expires, $1.model.name) }
        }
    }

    /// Waits until the model is loaded and free, and holds it. `release` gives it back.
    ///
    /// - Returns: the seconds that took, or nil if the client left meanwhile.
    /// - Throws: `OllamaError` 503 when too many wait.
    func acquire(_ model: SimulatedModel, for connection: FakeConnection) throws -> Double? {
        let start = Self.now
        if tryAcquire(model) { return Self.now - start }
        let mayWait = state.withLockedValue { state in
            guard state.waiting < limits.queue else { return false }
            state.waiting += 1
            return true
        }
        guard mayWait else { throw OllamaError(503, "server busy, please try again.  maximum pending requests exceeded") }
        defer { state.withLockedValue { $0.waiting -= 1 } }
        while connection.pause(0.005) {
            if tryAcquire(model) { return Self.now - start }
        }
        return nil
    }

    /// - Parameter keepAlive: seconds from now on, zero unloads it as soon as nobody uses it; nil for the default.
    func release(_ model: SimulatedModel, keepAlive: Double?) {
        state.withLockedValue { state in
            state.entries[model.name]?.active -= 1
            state.entries[model.name]?.lastUsed = Self.now
            state.entries[model.name]?.expires = Self.now + (keepAlive ?? limits.keepAlive)
            Self.expire(&state)
        }
    }

    /// Unloads it as soon as nobody uses it.
    func unload(_ model: SimulatedModel) {
        state.withLockedValue { state in
            state.entries[model.name]?.expires = Self.now
            Self.expire(&state)
        }
    }

    private func tryAcquire(_ model: SimulatedModel) -> Bool {
        state.withLockedValue { state in
            Self.expire(&state)
            let now = Self.now
            if let entry = state.entries[model.name] {
                guard entry.ready <= now, entry.active < limits.parallel else { return false }
                state.entries[model.name]?.active += 1
                return true
            }
            if state.entries.count >= limits.models {
                let idle = state.entries.values.filter { $0.active == 0 && $0.ready <= now }.min { $0.lastUsed < $1.lastUsed }
                guard let idle else { return false }
                state.entries[idle.model.name] = nil
            }
            state.entries[model.name] = Entry(
                model: model, ready: now + limits.loadTime, expires: now + limits.loadTime + limits.keepAlive, lastUsed: now)
            return false
        }
    }

    private static func expire(_ state: inout State) {
        state.entries = state.entries.filter { $0.value.active > 0 || $0.value.expires > now }
    }
}
