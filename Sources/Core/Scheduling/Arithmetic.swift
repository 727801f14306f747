// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the standard library leaves to the system's.
enum Arithmetic {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
    static func binaryLogarithm(_ value: Double) -> Double { log2(value) }
    static func powerOfTwo(_ exponent: Double) -> Double { exp2(exponent) }
}
