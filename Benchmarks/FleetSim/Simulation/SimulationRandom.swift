// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Foundation

/// Chance of the simulation: the same seed gives the same numbers on every machine.
struct SimulationRandom: RandomNumberGenerator, Sendable {
    private var source: SplitMix64

    init(seed: UInt64) { source = SplitMix64(seed: seed &* 0x2545_f491_4f6c_dd1d &+ 0x1234_5678) }

    mutating func next() -> UInt64 { source.next() }

    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func exponential(mean: Double) -> Double { -mean * log(1 - unit()) }

    mutating func logNormal(mean: Double, sigma: Double) -> Double {
        let normal = (-2 * log(1 - unit())).squareRoot() * cos(2 * .pi * unit())
        return mean * exp(sigma * normal - sigma * sigma / 2)
    }
}

func exponential(_ value: Double) -> Double { exp(value) }
