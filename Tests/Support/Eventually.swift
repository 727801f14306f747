// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A point of the monotonic clock by which something has to have happened.
public struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    public init(_ seconds: Double) { end = ContinuousClock.now + .seconds(seconds) }

    /// Two cores, a debug build and other tests beside this one: what takes this long is broken, not slow.
    public static var generous: Deadline { Deadline(20) }

    public var hasPassed: Bool { ContinuousClock.now >= end }

    /// Milliseconds that are left, at least zero.
    public var milliseconds: Int {
        let left = end - ContinuousClock.now
        return max(0, Int(left / .milliseconds(1)))
    }
}

/// What a helper of the tests throws, with a text that says what was missing.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Asks again and again until the answer is yes, or throws when the time is up.
///
/// - Parameters:
///   - what: completes the sentence "not in time: ...".
///   - seconds: until it gives up.
public func eventually(_ what: @autoclosure () -> String, within seconds: Double = 20, _ holds: () throws -> Bool) throws {
    let deadline = Deadline(seconds)
    while true {
        if try holds() { return }
        if deadline.hasPassed { throw TestFailure("not in time (\(seconds) s): \(what())") }
        usleep(10_000)
    }
}

/// As `eventually`, for a value that appears.
public func eventualValue<T>(_ what: @autoclosure () -> String, within seconds: Double = 20, _ find: () throws -> T?) throws -> T {
    let deadline = Deadline(seconds)
    while true {
        if let value = try find() { return value }
        if deadline.hasPassed { throw TestFailure("not in time (\(seconds) s): \(what())") }
        usleep(10_000)
    }
}

/// A turnstile between a test and a scripted endpoint: each `open` lets one `pass` through.
public final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    public init() {}

    public func open(_ times: Int = 1) {
        for _ in 0..<times { semaphore.signal() }
    }

    /// - Returns: false if nobody opened it in time.
    @discardableResult
    public func pass(within seconds: Double = 20) -> Bool {
        semaphore.wait(timeout: .now() + seconds) == .success
    }
}

/// A fact that a test and its scripts share.
public final class SharedFlag: Sendable {
    private let box: NIOLockedValueBox<Bool>

    public init(_ value: Bool = false) { box = NIOLockedValueBox(value) }

    public var value: Bool { box.withLockedValue { $0 } }
    public func set(_ value: Bool) { box.withLockedValue { $0 = value } }
}
