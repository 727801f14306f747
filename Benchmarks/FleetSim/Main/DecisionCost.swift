// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Foundation
import NIOCore

/// What one decision costs with 64 endpoints, 200 models that all of them have, and 1,000 requests in line.
enum DecisionCost {
    /// - Returns: whether the bar is met.
    static func report() -> Bool {
        let models = (0..<200).map { "m\($0):latest" }
        var scheduler = Scheduler(settings: SchedulerSettings(queueLimit: 1000), seed: 1)
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let endpoints = (0..<64).map {
            Endpoint(
                id: EndpointID($0), name: "e\($0)", address: EndpointAddress(host: "h", port: $0, url: "http://h:\($0)"), kind: .ollama, limit: 2,
                vramBytes: 48 << 30)
        }
        _ = scheduler.setEndpoints(endpoints, now: now)
        let listing = models.map { ModelListing(name: $0, sizeBytes: 8 << 30) }
        for (number, endpoint) in endpoints.enumerated() {
            let loaded = (0..<4).map { LoadedModel(name: models[(number * 4 + $0) % models.count], sizeVramBytes: 10 << 30) }
            _ = scheduler.report(
                endpoint.id, EndpointReport(state: EndpointState(phase: .up, since: now), models: listing, loaded: loaded), now: now)
        }
        var held: [LeaseID] = []
        var next = 0
        func ask() -> Ask {
            next += 1
            let steps = (0..<8).map { PrefixChain.Step(hash: UInt64(next / 4 * 100 + $0), tokens: 100 * ($0 + 1)) }
            return Ask(
                model: models[next &* 7919 % models.count], needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t\(next % 5)"), prefix: PrefixChain(steps))
        }
        // Fill every slot that the rule gives, then the line.
        while true {
            switch scheduler.submit(ask(), now: now) {
            case .granted(let grant):
                held.append(grant.lease)
                continue
            case .queued: continue
            case .refused: break
            }
            break
        }
        let end = LeaseEnd(outcome: .completed, timeToFirstToken: .milliseconds(300), serviceTime: .seconds(5), tokens: 100)
        var decisions = 0
        var granted = 0
        // Made before: to read a request is no part of deciding about it.
        let asks = (0..<100_000).map { _ in ask() }
        // Processor time, as others may use the machine too.
        let began = clock()
        do {
            for (round, ask) in asks.enumerated() {
                now = now + .milliseconds(2)
                // One ends and the line moves up; one comes and waits.
                let lease = held.remove(at: round &* 31 % held.count)
                for action in scheduler.release(lease, end, now: now) {
                    if case .grant(_, let grant) = action {
                        held.append(grant.lease)
                        granted += 1
                    }
                }
                if case .granted(let grant) = scheduler.submit(ask, now: now) { held.append(grant.lease) }
                decisions += 2
                if held.isEmpty { break }
            }
        }
        let each = Double(clock() - began) / Double(CLOCKS_PER_SEC) * 1e6 / Double(decisions)
        let sweeping = clock()
        for _ in 0..<20 { _ = scheduler.expire(now: now) }
        let sweep = Double(clock() - sweeping) / Double(CLOCKS_PER_SEC) * 1e6 / 20
        print("decisions: 64 endpoints, 200 models, \(scheduler.snapshot().waiting) waiting, \(held.count) in flight, \(granted) from the line")
        print("\(Report.number(each)) µs a decision (bar: under 5: \(each < 5 ? "met" : "MISSED")); \(Report.number(sweep)) µs a sweep of the line")
        return each < 5
    }
}
