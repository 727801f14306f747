// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What the configuration says to the scheduler.
public struct SchedulerSettings: Sendable, Equatable {
    /// How much the scheduler does about where models are.
    public enum Placement: String, Sendable, CaseIterable {
        /// A load goes to the least busy endpoint, whatever it pushes out.
        case off
        /// A load that a request needs goes where it costs least.
        case passive
        /// As passive, and models are loaded ahead of need where memory is idle.
        case active
    }

    /// Where a model stays in memory.
    public enum Pin: Sendable, Equatable {
        case everywhere
        /// On the endpoints of these names, as far as they have the model.
        case on([String])
    }

    /// Most requests in line.
    public var queueLimit: Int
    /// Longest wait in line.
    public var queueTimeout: TimeAmount
    /// Asked name to the name that is looked for instead.
    public var aliases: [String: String]
    public var placement: Placement
    /// By the model's name, in any spelling that a request may use.
    public var pins: [String: Pin]
    /// With every slot taken a request goes to the least busy endpoint instead of waiting in line.
    public var overcommits: Bool
    /// A tenant's share of the line beside others'; whoever is not named has 1. Values below 0.001 count as that.
    public var keyWeights: [Tenant: Double]
    /// Whether a conversation goes back to where its beginning is warm.
    public var affinity: Bool
    /// What becomes of requests for less context than there is, where neither the model's entry nor the endpoint's says so.
    public var context = ContextPolicy.asAsked
    /// By the model's name, in any spelling that a request may use.
    public var contextByModel: [String: ContextPolicy] = [:]
    /// The least context that a model is loaded with, by its key (`ModelName.ollamaKey`).
    public var contextMinimums: [String: Int32] = [:]

    public init(
        queueLimit: Int = 512, queueTimeout: TimeAmount = .seconds(300), aliases: [String: String] = [:], placement: Placement = .passive,
        pins: [String: Pin] = [:], overcommits: Bool = false, keyWeights: [Tenant: Double] = [:], affinity: Bool = true
    ) {
        self.queueLimit = queueLimit
        self.queueTimeout = queueTimeout
        self.aliases = aliases
        self.placement = placement
        self.pins = pins
        self.overcommits = overcommits
        self.keyWeights = keyWeights
        self.affinity = affinity
    }
}
