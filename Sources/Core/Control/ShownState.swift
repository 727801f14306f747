// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

extension EndpointState {
    /// The state that operators see: what polls say, and what requests have met with.
    ///
    /// An endpoint that answers its polls and fails its requests is degraded until it answers one. If it gets none, it is what polls say again
    /// a minute after it might have got one, and the reason tells what is known.
    func shown(with setAside: [SetAside], now: NIODeadline) -> EndpointState {
        guard phase.takesWork, let first = setAside.first(where: { $0.isDoubtful(now: now) }) ?? setAside.first else { return self }
        var shown = self
        if first.isDoubtful(now: now), phase != .degraded {
            shown.phase = .degraded
            shown.since = setAside.map(\.since).min() ?? since
        }
        var words = first.reason
        if let model = first.model { words += " (\(model)" + Self.others(setAside.count - 1) + ")" }
        shown.reason = reason.isEmpty ? words : "\(reason); \(words)"
        return shown
    }

    private static func others(_ count: Int) -> String {
        switch count {
        case ...0: ""
        case 1: " and 1 other model"
        default: " and \(count) other models"
        }
    }
}
