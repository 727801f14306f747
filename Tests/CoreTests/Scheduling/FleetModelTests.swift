// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Thousands of random events through the pure scheduler, with the books kept beside it.
@Suite struct FleetModelTests {
    private static let models = ["a:latest", "b:latest", "c:latest", "d:latest"]

    /// One life of a fleet.
    private struct Life {
        var random: SplitMix64
        var scheduler: Scheduler
        let model = FleetModel()
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let servers: Int
        /// Those whose answers fail at the moment.
        var ill: Set<Int> = []
        /// What requests ask for.
        var options: [RunnerOptions?] = [nil]

        private static let successes: [LeaseEnd.Outcome] = [.completed, .completed, .completed, .completed, .refused, .aborted]
        private static let failures: [LeaseEnd.Outcome] = [.failed, .failed, .failed, .busy, .notHere, .unreachable, .refused, .aborted]

        init(seed: UInt64, options: [RunnerOptions?]) {
            self.options = options
            random = SplitMix64(seed: seed)
            scheduler = Scheduler(settings: SchedulerSettings(queueLimit: 20, queueTimeout: .seconds(5)), seed: seed)
            servers = Int.random(in: 1...5, using: &random)
        }

        mutating func pick(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

        mutating func someModels() -> Set<String> { Set(FleetModelTests.models.filter { _ in Bool.random(using: &random) }) }

        // MARK: Events

        mutating func start() throws {
            for number in 0..<servers { model.servers[number] = FleetModel.Server(limit: 1 + pick(3), models: someModels()) }
            try configure()
            for number in 0..<servers { try report(number) }
        }

        mutating func configure() throws {
            let endpoints = model.servers.filter(\.value.isConfigured).sorted { $0.key < $1.key }.map { number, server in
                Endpoint(
                    id: EndpointID(number), name: "e\(number)", address: EndpointAddress(host: "h", port: number, url: "http://h:\(number)"),
                    kind: .ollama,
                    limit: server.limit)
            }
            try model.apply(scheduler.setEndpoints(endpoints, now: now))
        }

        mutating func report(_ number: Int) throws {
            guard let server = model.servers[number] else { return }
            let report = EndpointReport(
                state: EndpointState(phase: server.phase, since: now), models: server.models.sorted().map { ModelListing(name: $0) },
                loaded: server.loaded.sorted().map { LoadedModel(name: $0) })
            try model.apply(scheduler.report(EndpointID(number), report, now: now))
        }

        mutating func arrive() throws {
            let name = FleetModelTests.models[pick(FleetModelTests.models.count)]
            // Any spelling of the name is the same model.
            let asked = [name, String(name.dropLast(7)), name.uppercased()][pick(3)]
            let options = options.count > 1 ? options[pick(options.count)] : options[0]
            let ask = Ask(model: asked, needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t\(pick(3))"), options: options)
            switch scheduler.submit(ask, now: now) {
            case .granted(let grant):
                try model.take(grant, model: name)
                try model.checkProbe(grant, model: name, scheduler)
            case .queued(let ticket, position: _): try model.wait(ticket, model: name, options: options, since: now)
            case .refused: break
            }
        }

        mutating func end() throws {
            guard let lease = model.held.keys.sorted(by: { $0.rawValue < $1.rawValue }).randomElement(using: &random) else { return }
            // A server is well or ill for a while; nothing but what clients do is left to chance.
            let isIll = model.held[lease].map { ill.contains($0.server) } ?? false
            let outcome = (isIll ? Self.failures : Self.successes).randomElement(using: &random) ?? .completed
            try model.giveBack(lease)
            let end = LeaseEnd(
                outcome: outcome, serviceTime: .milliseconds(Int64(pick(900))), retryAfter: pick(3) == 0 ? .milliseconds(Int64(pick(9000))) : nil)
            try model.apply(scheduler.release(lease, end, now: now))
            // Now and then somebody gives it back again.
            if pick(20) == 0 { try model.apply(scheduler.release(lease, LeaseEnd(outcome: .completed), now: now)) }
        }

        mutating func disconnect() throws {
            guard let ticket = model.waiting.keys.sorted(by: { $0.rawValue < $1.rawValue }).randomElement(using: &random) else { return }
            guard scheduler.withdraw(ticket) else { throw FleetModel.Impossible(description: "\(ticket) was not in line") }
            try model.leave(ticket)
        }

        mutating func change() throws {
            let number = pick(servers)
            switch pick(9) {
            case 0: model.servers[number]?.phase = .down
            case 1: model.servers[number]?.phase = .draining
            case 2: model.servers[number]?.phase = .maintenance
            case 3, 4: model.servers[number]?.phase = .up
            case 5: model.servers[number]?.models = someModels()
            case 6: model.servers[number]?.loaded = someModels()
            case 7 where pick(4) == 0: return try model.apply(scheduler.resume(EndpointID(number), now: now))
            default:
                model.servers[number]?.limit = 1 + pick(4)
                model.servers[number]?.isConfigured = pick(4) > 0
                return try configure()
            }
            // What is down tells nothing of its models; the rest is as it was.
            if model.servers[number]?.phase == .down { model.servers[number]?.loaded = [] }
            try report(number)
        }

        mutating func pass() throws {
            now = now + .milliseconds(Int64(pick(1500)))
            if pick(20) == 0 { ill.formSymmetricDifference([pick(servers)]) }
            try model.apply(scheduler.expire(now: now))
            try model.checkNobodyIsForgotten(scheduler)
            try model.checkSomebodyIsAsked(scheduler, now: now)
            for (ticket, waiter) in model.waiting where now - waiter.since >= .seconds(5) {
                throw FleetModel.Impossible(description: "\(ticket) waits beyond its deadline")
            }
        }

        mutating func step() throws {
            switch pick(10) {
            case 0...3: try arrive()
            case 4...6: try end()
            case 7: try disconnect()
            case 8: try change()
            default: try pass()
            }
            try model.check(&scheduler)
        }

        /// Traffic stops; what runs ends, and nothing may be left.
        mutating func settle() throws {
            while !model.held.isEmpty {
                try end()
                try model.check(&scheduler)
            }
            now = now + .seconds(10)
            try model.apply(scheduler.expire(now: now))
            try model.check(&scheduler)
            let snapshot = scheduler.snapshot()
            guard snapshot.inFlight == 0, snapshot.waiting == 0,
                snapshot.endpoints.values.allSatisfy({ $0.inFlight == 0 && $0.waiting == 0 && $0.loading.isEmpty })
            else {
                throw FleetModel.Impossible(description: "not at zero: \(snapshot)")
            }
            try letAllBackIn()
        }

        /// However ill it was: after a minute everybody may be asked again, and one answer is enough.
        mutating func letAllBackIn() throws {
            now = now + Breaker.longestBackOff
            for pair in scheduler.pairs.indices where scheduler.pairs[pair].isPresent {
                guard scheduler.admits(pair, RouteNeeds(.ollamaAPI), now: now) else {
                    throw FleetModel.Impossible(description: "\(scheduler.pairs[pair].name) is left out after a minute")
                }
            }
            let isSetAside = scheduler.pairs.indices.filter { scheduler.pairs[$0].isSetAside }
            guard isSetAside.count == scheduler.setAsideCount else {
                throw FleetModel.Impossible(description: "it counts \(scheduler.setAsideCount) that are set aside, not \(isSetAside.count)")
            }
        }
    }

    /// What breaks without it: a slot given twice, a slot lost for ever, a request that waits beside a free slot.
    @Test(arguments: [[nil], [nil, RunnerOptions(contextLength: 8192), RunnerOptions(contextLength: 32768)]])
    func theBooksAgreeWhateverHappens(_ options: [RunnerOptions?]) {
        var granted = 0
        for seed in 0..<300 as Range<UInt64> {
            var life = Life(seed: seed, options: options)
            var events = 0
            do {
                try life.start()
                for _ in 0..<400 {
                    events += 1
                    try life.step()
                }
                try life.settle()
            } catch {
                Issue.record("seed \(seed), event \(events): \(error)")
                return
            }
            granted += life.model.granted
        }
        #expect(granted > 10_000, "a fleet that serves nobody proves nothing")
    }
}
