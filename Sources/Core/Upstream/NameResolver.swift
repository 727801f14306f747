// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Finds the addresses of host names, on threads of its own: a name server that is slow holds nobody but those who wait for it.
///
/// Every new connection to a name asks anew, so that it goes to where the name points now. Whoever must know that a name points
/// elsewhere than before is told; as polls make connections of their own, that is noticed with the next poll.
final class NameResolver: Sendable {
    /// Blocks until it knows.
    typealias LookUp = @Sendable (_ host: String) throws(NameFault) -> [SocketAddress]
    /// Called on a thread of the resolver when an address that a name had is no longer among those that it has.
    typealias Moved = @Sendable (_ host: String, _ from: [String], _ to: [String]) -> Void

    private struct State {
        /// Those who wait for a name that is being looked up: one question for all of them.
        var waiting: [String: [EventLoopPromise<[SocketAddress]>]] = [:]
        /// What each name stood for when somebody last knew. Names come from the configuration: there are few.
        var last: [String: [SocketAddress]] = [:]
        var moved: Moved?
    }

    /// Few: one question for each name is under way at most, and all of them go to the same few name servers.
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()
    /// More than this wait for no name: it is that of an endpoint, which has fewer slots.
    private static let waitingLimit = 10_000

    private let state = NIOLockedValueBox(State())
    private let lookUp: LookUp

    init(lookUp: @escaping LookUp = SystemNames.lookUp) {
        self.lookUp = lookUp
    }

    /// Who is told from now on.
    func whenMoved(_ moved: @escaping Moved) {
        state.withLockedValue { $0.moved = moved }
    }

    /// In the order in which they are to be tried, with port 0. Fails with `NameFault`.
    func addresses(of host: String, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        let place = state.withLockedValue { state -> Int in
            let place = state.waiting[host]?.count ?? 0
            if place < Self.waitingLimit { state.waiting[host, default: []].append(promise) }
            return place
        }
        if place >= Self.waitingLimit {
            promise.fail(NameFault.unavailable(host, "too many wait for it"))
        } else if place == 0 {
            Self.threads.submit { _ in self.resolve(host) }
        }
        return promise.futureResult
    }

    private func resolve(_ host: String) {
        let found: Result<[SocketAddress], NameFault>
        do throws(NameFault) {
            found = .success(try lookUp(host))
        } catch {
            found = .failure(error)
        }
        let (waiting, result, before, moved) = state.withLockedValue { state in
            let before = state.last[host]
            var result = found
            switch found {
            case .success(let addresses): state.last[host] = addresses
            // Where nobody can be asked, the last that was known is better than nothing: a name server that is down ends no service.
            case .failure(.unavailable): if let before { result = .success(before) }
            case .failure: break
            }
            return (state.waiting.removeValue(forKey: host) ?? [], result, before, state.moved)
        }
        if case .success(let now) = result, let before {
            let (from, to) = (Self.texts(before), Self.texts(now))
            // Told before anybody connects, so that what is kept of the old ones is gone by then.
            if !Set(to).isSuperset(of: from) { moved?(host, from, to) }
        }
        for promise in waiting { promise.completeWith(result.mapError { $0 as any Error }) }
    }

    private static func texts(_ addresses: [SocketAddress]) -> [String] { addresses.compactMap(\.ipAddress).sorted() }
}

/// Why a name stands for no address.
enum NameFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// Whoever answers for the name says that it has none.
    case unknown(String, String)
    /// Nobody could be asked.
    case unavailable(String, String)
    /// The router itself lacks what a question needs.
    case ours(String)

    var description: String {
        switch self {
        case .unknown(let host, let why), .unavailable(let host, let why): "cannot resolve \(host): \(why)"
        case .ours(let what): what
        }
    }
}

/// One name on its way through NIO's connection attempts, which ask for both families of addresses. Used once.
final class NameQuery: Resolver, Sendable {
    private let names: NameResolver
    private let v4: EventLoopPromise<[SocketAddress]>
    private let v6: EventLoopPromise<[SocketAddress]>

    init(_ names: NameResolver, on eventLoop: any EventLoop) {
        self.names = names
        v4 = eventLoop.makePromise()
        v6 = eventLoop.makePromise()
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { v4.futureResult }

    /// NIO asks for this one first; one question finds out both.
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        names.addresses(of: host, on: v6.futureResult.eventLoop).whenComplete { [v4, v6] result in
            switch result {
            case .success(let addresses):
                let there = addresses.map { address in
                    var address = address
                    address.port = port
                    return address
                }
                v6.succeed(there.filter { $0.protocol == .inet6 })
                v4.succeed(there.filter { $0.protocol == .inet })
            case .failure(let error):
                v6.fail(error)
                v4.fail(error)
            }
        }
        return v6.futureResult
    }

    /// A question that is under way cannot be taken back.
    func cancelQueries() {}
}
