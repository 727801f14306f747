// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Core

/// Names that are what a test says, and who was told of a move.
private final class FakeNames: Sendable {
    private let answers = NIOLockedValueBox<[String: Result<[String], NameFault>]>([:])
    private let asked = NIOLockedValueBox<[String]>([])
    private let moved = NIOLockedValueBox<[String]>([])
    /// Held while it is closed.
    let gate = DispatchSemaphore(value: 0)
    let isGated: Bool

    init(gated: Bool = false) {
        isGated = gated
    }

    subscript(host: String) -> Result<[String], NameFault>? {
        get { answers.withLockedValue { $0[host] } }
        set { answers.withLockedValue { $0[host] = newValue } }
    }

    var questions: [String] { asked.withLockedValue { $0 } }
    var moves: [String] { moved.withLockedValue { $0 } }

    func resolver() -> NameResolver {
        let resolver = NameResolver { [self] host throws(NameFault) in
            asked.withLockedValue { $0.append(host) }
            if isGated { gate.wait() }
            guard let answer = self[host] else { throw .unknown(host, "no such name") }
            return try answer.get().compactMap { try? SocketAddress(ipAddress: $0, port: 0) }
        }
        resolver.whenMoved { [self] host, from, to in
            moved.withLockedValue { $0.append("\(host): \(from.joined(separator: " ")) > \(to.joined(separator: " "))") }
        }
        return resolver
    }
}

private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

extension NameResolver {
    fileprivate func texts(_ host: String) async throws -> [String] {
        try await addresses(of: host, on: eventLoop).get().compactMap(\.ipAddress)
    }
}

@Suite(.timeLimit(.minutes(1))) struct NameResolverTests {
    /// Breaks when nobody learns that a name points elsewhere, or when somebody is told of what concerns no connection.
    @Test func aMoveIsToldWhenAnAddressIsGone() async throws {
        let names = FakeNames()
        let resolver = names.resolver()
        let steps: [(addresses: [String], moves: Int)] = [
            (["10.0.0.4"], 0), (["10.0.0.4"], 0), (["10.0.0.9"], 1), (["10.0.0.9", "10.0.0.10"], 1), (["10.0.0.10", "10.0.0.9"], 1),
            (["10.0.0.10", "::1"], 2),
        ]
        for step in steps {
            names["gpu"] = .success(step.addresses)
            let found = try await resolver.texts("gpu")
            #expect(found == step.addresses, "in the order in which they came")
            #expect(names.moves.count == step.moves, "\(step.addresses)")
        }
        #expect(names.moves == ["gpu: 10.0.0.4 > 10.0.0.9", "gpu: 10.0.0.10 10.0.0.9 > 10.0.0.10 ::1"])
    }

    /// Breaks when a name server that is down takes all endpoints with it that have names.
    @Test func whereNobodyCanBeAskedTheLastThatWasKnownHolds() async throws {
        let names = FakeNames()
        let resolver = names.resolver()
        names["gpu"] = .failure(.unavailable("gpu", "timeout"))
        await #expect(throws: NameFault.unavailable("gpu", "timeout")) { try await resolver.texts("gpu") }
        names["gpu"] = .success(["10.0.0.4"])
        _ = try await resolver.texts("gpu")
        names["gpu"] = .failure(.unavailable("gpu", "timeout"))
        let held = try await resolver.texts("gpu")
        #expect(held == ["10.0.0.4"] && names.moves.isEmpty)
        // Whoever answers for the name knows better.
        names["gpu"] = .failure(.unknown("gpu", "no such name"))
        await #expect(throws: NameFault.unknown("gpu", "no such name")) { try await resolver.texts("gpu") }
        names["gpu"] = .failure(.ours("no descriptors"))
        await #expect(throws: NameFault.ours("no descriptors")) { try await resolver.texts("gpu") }
    }

    /// Breaks when a slow name server gets a question for each connection that waits for it, or when one slow name holds the others.
    @Test func thoseWhoWaitForANameShareItsQuestion() async throws {
        let names = FakeNames(gated: true)
        let resolver = names.resolver()
        names["slow"] = .success(["10.0.0.1"])
        names["other"] = .success(["10.0.0.2"])
        let waiting = (0..<100).map { _ in resolver.addresses(of: "slow", on: eventLoop) }
        let other = resolver.addresses(of: "other", on: eventLoop)
        #expect(await eventually { names.questions.sorted() == ["other", "slow"] })
        names.gate.signal()
        names.gate.signal()
        for future in waiting {
            let found = try await future.get()
            #expect(found.compactMap(\.ipAddress) == ["10.0.0.1"])
        }
        let found = try await other.get()
        #expect(found.compactMap(\.ipAddress) == ["10.0.0.2"])
        // The next one asks anew.
        names.gate.signal()
        _ = try await resolver.texts("slow")
        #expect(names.questions.count == 3)
    }

    @Test func aConnectionGoesWhereTheNamePointsNowAndALiteralIsNotLookedUp() async throws {
        let first = try await FakePollServer.start([:])
        let second = try await FakePollServer.start([:], host: "127.0.0.2", port: first.port)
        let names = FakeNames()
        let dialer = Dialer(names: names.resolver())
        func peer(_ host: String) async throws -> String? {
            let place = Dialer.Place.tcp(host: host, port: first.port)
            let channel = try await dialer.connect(to: place, tls: nil, within: .seconds(5), on: eventLoop) { _ in }.get()
            let address = channel.remoteAddress?.ipAddress
            try? await channel.close()
            return address
        }
        for address in ["127.0.0.1", "127.0.0.2", "127.0.0.1"] {
            names["gpu"] = .success([address])
            let reached = try await peer("gpu")
            #expect(reached == address)
        }
        #expect(names.questions.count == 3)
        let literal = try await peer("127.0.0.2")
        #expect(literal == "127.0.0.2" && names.questions.count == 3)
        await first.stop()
        await second.stop()
    }

    /// Breaks when an operator is not told what is wrong with a name, or when the router's own trouble is held against the endpoint.
    @Test func aFaultIsToldAsItIs() async throws {
        let names = FakeNames()
        let dialer = Dialer(names: names.resolver())
        func fault() async -> IOFault? {
            do {
                _ = try await dialer.connect(to: .tcp(host: "gpu", port: 1), tls: nil, within: .seconds(5), on: eventLoop) { _ in }.get()
                return nil
            } catch {
                return IOFault(error)
            }
        }
        names["gpu"] = .failure(.unknown("gpu", "Name or service not known"))
        #expect(await fault() == .endpoint("cannot resolve gpu: Name or service not known"))
        names["gpu"] = .failure(.ours("no descriptors"))
        #expect(await fault() == .ours("no descriptors"))
    }

    @Test func theSystemKnowsItsOwnNameAndNoInvention() throws {
        let own = try SystemNames.lookUp("localhost").compactMap(\.ipAddress)
        #expect(own.contains("127.0.0.1") || own.contains("::1"))
        #expect(throws: NameFault.self) { try SystemNames.lookUp("no-such-name.invalid") }
    }
}
