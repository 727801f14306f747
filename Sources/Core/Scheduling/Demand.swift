// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Requests per second for a model, decayed with a half-life: what of it is wanted lately.
public struct Demand: Sendable, Equatable {
    /// Seconds.
    static let halfLife = 300.0

    private var weight = 0.0
    private var at = NIODeadline.uptimeNanoseconds(0)

    mutating func record(now: NIODeadline) {
        weight = decayed(now) + 1
        at = now
    }

    /// A steady rate r gives a decayed count of r * halfLife / ln 2.
    public func perSecond(now: NIODeadline) -> Double { decayed(now) * 0.693_147 / Self.halfLife }

    private func decayed(_ now: NIODeadline) -> Double {
        weight == 0 ? 0 : weight * Arithmetic.powerOfTwo(-(now - at).seconds / Self.halfLife)
    }
}
