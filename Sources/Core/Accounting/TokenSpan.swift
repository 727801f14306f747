// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A time to look back at token counts, in steps. Pure.
struct TokenSpan: Sendable, Equatable {
    enum Grouping: String, Sendable, CaseIterable {
        case endpoint, model, both
    }

    /// Counts are stored by the minute.
    private static let minute = 60
    private static let longest = 10 * 366 * 86_400
    private static let mostSteps = 5000
    private static let usualSteps = 60

    /// Unix seconds of the first step's beginning.
    let from: Int
    /// Seconds.
    let since: Int
    let step: Int
    let count: Int
    let grouping: Grouping

    /// - Throws: `RPCError` for what makes no sense.
    init(_ params: TokensParams, now: Int) throws {
        guard let grouping = Grouping(rawValue: params.by ?? "both") else {
            throw RPCError(.invalidParams, "by must be endpoint, model or both, not '\(params.by ?? "")'")
        }
        self.grouping = grouping
        let since = params.sinceS ?? 3600
        guard since >= Double(Self.minute), since <= Double(Self.longest) else {
            throw RPCError(.invalidParams, "since_s must be from \(Self.minute) to \(Self.longest), not \(since)")
        }
        let wanted = params.stepS ?? (since / Double(Self.usualSteps)).rounded(.up)
        guard params.stepS == nil || wanted >= Double(Self.minute), wanted <= Double(Self.longest) else {
            throw RPCError(.invalidParams, "step_s must be from \(Self.minute) to \(Self.longest), not \(wanted)")
        }
        // Whole minutes, so that each minute is in one step.
        step = max(1, (Int(wanted) + Self.minute - 1) / Self.minute) * Self.minute
        count = (Int(since) + step - 1) / step
        guard count <= Self.mostSteps else {
            throw RPCError(.invalidParams, "that would be \(count) steps, and \(Self.mostSteps) are the most: make step_s longer")
        }
        self.since = count * step
        // The last step ends with the minute that is now.
        from = (now / Self.minute + 1) * Self.minute - count * step
    }

    /// - Parameters:
    ///   - points: sums of each step, or of parts of it.
    ///   - totals: of all time.
    ///   - names: of the endpoints by their URL; one that is not configured any more goes by its URL.
    func info(_ points: [TokenPoint], totals: [TokenSum], names: [String: String]) -> TokensInfo {
        var info = TokensInfo(sinceS: Double(since), stepS: Double(step), from: from)
        info.input = Array(repeating: 0, count: count)
        info.output = info.input
        var rows: [TokenKey: TokenSum] = [:]
        for point in points where point.timestamp >= from {
            let index = min((point.timestamp - from) / step, count - 1)
            info.input[index] += point.sum.input
            info.output[index] += point.sum.output
            let endpoint = names[point.key.endpoint] ?? point.key.endpoint
            let key = TokenKey(endpoint: grouping == .model ? "" : endpoint, model: grouping == .endpoint ? "" : point.key.model)
            rows[key, default: TokenSum()] += point.sum
        }
        info.rows = rows.sorted { ($1.value.total, $0.key) < ($0.value.total, $1.key) }.map { key, sum in
            TokensInfo.Row(endpoint: key.endpoint, model: key.model, inputTokens: sum.input, outputTokens: sum.output)
        }
        for sum in totals {
            info.totalInput += sum.input
            info.totalOutput += sum.output
        }
        return info
    }
}
