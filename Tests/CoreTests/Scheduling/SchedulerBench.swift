// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

@testable import Core

/// A fleet in few words, driven by hand.
final class SchedulerBench {
    var scheduler: Scheduler
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var endpoints: [Endpoint] = []

    init(queueLimit: Int = 512, queueTimeout: TimeAmount = .seconds(60), aliases: [String: String] = [:], seed: UInt64 = 1) {
        scheduler = Scheduler(settings: SchedulerSettings(queueLimit: queueLimit, queueTimeout: queueTimeout, aliases: aliases), seed: seed)
    }

    static func id(_ number: Int) -> EndpointID { EndpointID(number) }

    /// Adds endpoint number `endpoints.count`.
    func add(
        _ models: [String], loaded: [String] = [], limit: Int = 2, weight: Double = 1, kind: EndpointKind = .ollama, vram: Int? = nil,
        sizes: [String: Int] = [:], phase: EndpointState.Phase = .up
    ) {
        let number = endpoints.count
        endpoints.append(
            Endpoint(
                id: Self.id(number), name: "e\(number)", address: EndpointAddress(host: "h", port: number, url: "http://h:\(number)"), kind: kind,
                limit: limit, weight: weight, vramBytes: vram))
        _ = scheduler.setEndpoints(endpoints, now: now)
        _ = report(number, models, loaded: loaded, sizes: sizes, phase: phase)
    }

    func report(
        _ number: Int, _ models: [String], loaded: [String] = [], sizes: [String: Int] = [:], phase: EndpointState.Phase = .up
    ) -> [SchedulerAction] {
        let report = EndpointReport(
            state: EndpointState(phase: phase, reason: phase == .down ? "refused" : "", since: now),
            models: models.map { ModelListing(name: $0, sizeBytes: sizes[$0]) },
            loaded: loaded.map { LoadedModel(name: $0, sizeVramBytes: sizes[$0]) })
        return scheduler.report(Self.id(number), report, now: now)
    }

    func reload(_ change: (inout [Endpoint]) -> Void) -> [SchedulerAction] {
        change(&endpoints)
        return scheduler.setEndpoints(endpoints, now: now)
    }

    func submit(
        _ model: String, needs: Capabilities = .ollamaAPI, translated: Capabilities? = nil, tenant: String = "t", excluding: [Int] = []
    ) -> Admission {
        scheduler.submit(
            Ask(model: model, needs: RouteNeeds(needs, translated: translated), tenant: Tenant(tenant), excluding: excluding.map(Self.id)), now: now)
    }

    func release(
        _ grant: Grant, _ outcome: LeaseEnd.Outcome = .completed, service: TimeAmount = .milliseconds(50)
    ) -> [SchedulerAction] {
        scheduler.release(grant.lease, LeaseEnd(outcome: outcome, timeToFirstToken: .milliseconds(5), serviceTime: service, tokens: 3), now: now)
    }

    /// The endpoint that a request would get, or why none.
    func place(_ model: String, excluding: [Int] = []) -> String {
        switch submit(model, excluding: excluding) {
        case .granted(let grant): "e\(grant.endpoint.rawValue) \(grant.why.rawValue)"
        case .queued: "line"
        case .refused(let refusal): "\(refusal)"
        }
    }

    /// Requests that are given slots, in order: the endpoints' numbers.
    func fill(_ model: String, _ count: Int) -> [Int] {
        (0..<count).compactMap { _ in
            if case .granted(let grant) = submit(model) { return grant.endpoint.rawValue }
            return nil
        }
    }
}

/// Tests count endpoints and models as they add them.
extension RowIndex: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self.init(value) }
}

extension Admission {
    var grant: Grant? {
        if case .granted(let grant) = self { return grant }
        return nil
    }

    var ticket: TicketID? {
        if case .queued(let ticket, position: _) = self { return ticket }
        return nil
    }

    var refusal: Refusal? {
        if case .refused(let refusal) = self { return refusal }
        return nil
    }
}
