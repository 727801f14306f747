// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What requests, and those who change something, tell the fleet. All of it is synchronous and safe from any thread, but for `refresh`.
extension Fleet {
    /// A request could not connect to the endpoint: it is down until a poll, which follows soon, says otherwise. What was the router's own
    /// trouble (`IOFault.ours`) must not be reported here.
    public func reportFailure(_ id: EndpointID, _ reason: String) {
        guard let poller = poller(id) else { return }
        Task { await poller.trafficFailed(reason) }
    }

    /// Requests were answered: with an endpoint that answers, a poll that fails means less. Call it for many at once, a few times a second.
    ///
    /// - Parameter times: when each endpoint last sent something of an answer.
    public func trafficAnswered(_ times: [EndpointID: NIODeadline]) {
        guard !times.isEmpty else { return }
        state.withLockedValue { state in
            for (id, time) in times { state.members[id]?.poller.requestsWereAnswered(at: time) }
        }
    }

    /// The endpoints that are known to be down, each with the reason, whatever an operator wishes for them; not those in maintenance,
    /// which nobody looks at. Costs nothing while there is none.
    public func downEndpoints() -> [EndpointID: String] {
        guard downCount.load(ordering: .relaxed) > 0 else { return [:] }
        return state.withLockedValue { $0.down }
    }

    /// Something may have changed there: a request made it load a model, or was lost. Hints are gathered; there are at most four rounds of
    /// polls a second, and a service that others run is left to its intervals while it is up.
    ///
    /// - Parameter models: look at the list of models as well as at what is loaded.
    public func pollSoon(_ id: EndpointID, models: Bool = false) {
        poller(id)?.pollSoon(models ? .everything : .loaded)
    }

    /// Polls now, and returns when the sink has been told what came of it: whoever was told of a change by us finds it in the reports. It
    /// gives up after `patience`, when a hung endpoint must not hold the good news any longer. What a `Retry-After` forbids is not asked.
    ///
    /// - Parameters:
    ///   - ids: endpoints on which something has changed; another entry of the configuration for the same server is polled, too.
    ///   - models: look at the list of models as well as at what is loaded.
    public func refresh(_ ids: [EndpointID], models: Bool, patience: TimeAmount = Fleet.refreshPatience) async {
        let pollers = state.withLockedValue { state in
            let servers = Set(ids.compactMap { state.members[$0]?.endpoint.address }.map(Server.init))
            return state.members.values.filter { servers.contains(Server($0.endpoint.address)) }.map(\.poller)
        }
        await withTaskGroup(of: Bool.self) { group in
            for poller in pollers {
                group.addTask {
                    await poller.refresh(models: models)
                    return true
                }
            }
            group.addTask {
                try? await Task.sleep(for: .nanoseconds(patience.nanoseconds))
                return false
            }
            var left = pollers.count
            while left > 0, await group.next() == true { left -= 1 }
            group.cancelAll()
        }
    }

    /// As `refresh(_:models:patience:)`, for one endpoint.
    public func refresh(_ id: EndpointID, models: Bool) async { await refresh([id], models: models) }

    public static let refreshPatience = TimeAmount.seconds(2)

    private struct Server: Hashable {
        var host: String
        var port: Int

        init(_ address: EndpointAddress) {
            host = address.host
            port = address.port
        }
    }

    /// The endpoint has just answered that it does not have the model: the report has it no more, and a poll follows which tells whether
    /// that is so.
    ///
    /// - Parameter model: as its list has it.
    public func noteMissing(model: String, on id: EndpointID) {
        guard let poller = poller(id) else { return }
        Task { await poller.isMissing(model) }
    }

    /// A request was refused because no endpoint that is up is known to have its model: what is not known now may be by the next request.
    /// However many are refused, that makes one more round for each `poll_interval`.
    public func pollAllSoon() {
        let pollers = state.withLockedValue { $0.members.values.map(\.poller) }
        for poller in pollers { poller.pollSoon(.refused) }
    }

    /// A name that endpoints are reached by points elsewhere. From any thread.
    ///
    /// - Parameter dropIdle: closes what leads to where the endpoint was.
    func hostMoved(_ host: String, from: [String], to: [String], dropIdle: (EndpointID) -> Void) {
        let now = NIODeadline.now()
        let (moved, isNews) = state.withLockedValue { state in
            let moved = state.order.compactMap { state.members[$0] }.filter { $0.endpoint.address.host == host }
            // Some names point elsewhere all the time: that is told now and then.
            let isNews = state.movesTold[host].map { now - $0 > Self.movesToldEvery } ?? true
            if isNews, !moved.isEmpty { state.movesTold[host] = now }
            return (moved, isNews)
        }
        for member in moved {
            dropIdle(member.endpoint.id)
            logger.log(
                level: isNews ? .notice : .debug,
                "\(member.endpoint.name) now resolves to \(to.joined(separator: ", ")) (was \(from.joined(separator: ", ")))",
                metadata: ["endpoint": "\(member.endpoint.name)", "host": "\(host)"])
            Task { await member.poller.moved() }
        }
    }

    private static let movesToldEvery = TimeAmount.minutes(1)
}
