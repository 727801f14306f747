// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// Keys about what becomes of requests whose endpoint fails them.
extension ConfigKey {
    static let retryKeys: [ConfigKey] = [
        integer("retries", \.retries.limit, 0...16),
        retryOn,
        duration("hold_head", \.holdHead, .zero...day),
        overdue,
        overdueAfter,
    ]

    private static let retryOn = ConfigKey(name: "retry_on", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.retries.reasons = [] }
        let nodes = node.sequence.map(Array.init) ?? [node]
        config.retries.reasons = Set(
            nodes.compactMap { reader.choice($0, Config.RetryReason.allCases.map(\.rawValue)).flatMap(Config.RetryReason.init(rawValue:)) })
    } show: {
        $0.retries.reasons.map(\.rawValue).sorted().joined(separator: ", ")
    }

    /// A factor, such as `8x`; `off`.
    private static let overdue = ConfigKey(name: "overdue", needsRestart: false) { reader, node, config in
        let expectation = "expected a factor from 1x to 1000x, such as 8x, or off"
        if ValueReader.isNull(node) || node.scalar?.string == "off" { return config.overdue = nil }
        guard let text = reader.text(node, expectation) else { return }
        guard let factor = Double(text.hasSuffix("x") ? text.dropLast() : Substring(text)), (1...1000).contains(factor) else {
            return reader.fault(node, "\(expectation), not \(ValueReader.quoted(text))")
        }
        var overdue = config.overdue ?? Overdue()
        overdue.factor = factor
        config.overdue = overdue
    } show: {
        $0.overdue.map { $0.factor == $0.factor.rounded() ? "\(Int($0.factor))x" : "\($0.factor)x" } ?? "off"
    }

    private static let overdueAfter = ConfigKey(name: "overdue_after", needsRestart: false) { reader, node, config in
        guard let least = reader.duration(node, .milliseconds(1)...day, zeroMeansNone: false) else { return }
        config.overdue?.least = least
    } show: {
        $0.overdue.map { DurationText.format($0.least) } ?? "off"
    }
}
