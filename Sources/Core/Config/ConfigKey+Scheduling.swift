// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// Keys that tell the scheduler how to choose, who waits, and where models stay.
extension ConfigKey {
    static let schedulingKeys: [ConfigKey] = [
        integer("queue_limit", \.queueLimit, 0...1_000_000),
        duration("queue_timeout", \.queueTimeout, .milliseconds(1)...(.hours(24))),
        choice("queue", \.queue),
        bool("affinity", \.affinity),
        choice("placement", \.placement),
        pins,
        context,
        contextMinimum,
    ]

    /// One word for all, or one for each model, `"*"` being those that are not named.
    private static let context = ConfigKey(name: "context", needsRestart: false) { reader, node, config in
        (config.context, config.contextByModel) = (.asAsked, [:])
        if ValueReader.isNull(node) { return }
        guard let mapping = node.mapping else {
            if let policy: ContextPolicy = reader.choice(node) { config.context = policy }
            return
        }
        for (key, value) in mapping {
            guard let model = reader.text(key, "expected a model's name"), let policy: ContextPolicy = reader.choice(value) else { continue }
            if model == "*" { config.context = policy } else { config.contextByModel[model] = policy }
        }
    } show: {
        let models = $0.contextByModel.sorted { $0.key < $1.key }.map { "\($0): \($1.rawValue)" }
        return ([$0.context.rawValue] + models).joined(separator: ", ")
    }

    /// The most that a model may have: more than any was trained with.
    private static let mostContext = 100_000_000

    private static let contextMinimum = ConfigKey(name: "context_minimum", needsRestart: false) { reader, node, config in
        config.contextMinimum = [:]
        if ValueReader.isNull(node) { return }
        guard let mapping = node.mapping else {
            return reader.fault(
                node, "expected a mapping of models to tokens of context, such as 'llama3.2: 16384', not \(ValueReader.kind(node))")
        }
        for (key, value) in mapping {
            guard let model = reader.text(key, "expected a model's name"), let tokens = reader.integer(value, 4...mostContext) else { continue }
            config.contextMinimum[model] = Int32(tokens)
        }
    } show: {
        $0.contextMinimum.sorted { $0.key < $1.key }.map { "\($0): \($1)" }.joined(separator: ", ")
    }

    private static let pins = ConfigKey(name: "pin", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.pins = [:] }
        if let models = node.sequence {
            config.pins = Dictionary(
                models.compactMap { reader.text($0, "expected a model's name") }.map { ($0, .everywhere) }, uniquingKeysWith: { first, _ in first })
            return
        }
        guard let mapping = node.mapping else {
            return reader.fault(
                node, "expected a list of models, or a mapping of a model to endpoints, such as 'llama3.1:8b: [gpu-1]', not \(ValueReader.kind(node))"
            )
        }
        var pins: [String: SchedulerSettings.Pin] = [:]
        for (key, value) in mapping {
            guard let model = reader.text(key, "expected a model's name") else { continue }
            // `model:` alone means every endpoint that has it.
            if ValueReader.isNull(value) {
                pins[model] = .everywhere
            } else {
                pins[model] = .on((value.sequence.map(Array.init) ?? [value]).compactMap { reader.text($0, "expected the name of an endpoint") })
            }
        }
        config.pins = pins
    } show: {
        $0.pins.sorted { $0.key < $1.key }.map { model, pin in
            switch pin {
            case .everywhere: model
            case .on(let endpoints): "\(model) on \(endpoints.joined(separator: " and "))"
            }
        }.joined(separator: ", ")
    }
}
