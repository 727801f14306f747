// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging

/// A breaker has opened or closed, for the log.
public struct BreakerEvent: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case opened
        /// One request is sent there to see how it is.
        case probing
        /// The probe has failed, too.
        case reopened
        case closed
    }

    public var kind: Kind
    public var endpoint: String
    /// As the endpoint spells it; nil for the endpoint as a whole.
    public var model: String?
    public var reason: String
    /// Until the next probe, seconds.
    public var seconds: Double
}

extension BreakerEvent {
    func log(to logger: Logger) {
        var metadata: Logger.Metadata = ["endpoint": "\(endpoint)"]
        if let model { metadata["model"] = "\(model)" }
        if !reason.isEmpty { metadata["reason"] = "\(reason)" }
        if seconds > 0 { metadata["seconds"] = "\(Int(seconds.rounded(.up)))" }
        switch kind {
        case .opened: logger.warning("set aside", metadata: metadata)
        case .probing: logger.info("one request probes what is set aside", metadata: metadata)
        case .reopened: logger.info("set aside for longer", metadata: metadata)
        case .closed: logger.info("back in service", metadata: metadata)
        }
    }
}
