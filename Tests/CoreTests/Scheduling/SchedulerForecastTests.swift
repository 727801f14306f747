// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Core

/// When those who wait are told that they will begin. What breaks without these: people are told to come back in ten seconds, whether the line
/// takes a second or an hour. How good it is on whole fleets, `FleetSimulationTests` says.
@Suite struct SchedulerForecastTests {
    /// One endpoint with one slot, whose answers take ten seconds, and that has just been given a request.
    private static func busy(queueTimeout: TimeAmount = .seconds(300), limit: Int = 1, queueLimit: Int = 512) throws -> SchedulerBench {
        let bench = SchedulerBench(queueLimit: queueLimit, queueTimeout: queueTimeout)
        bench.add(["m"], loaded: ["m"], limit: limit)
        for _ in 0..<50 {
            let grant = try #require(bench.submit("m").grant)
            // So rarely that nobody is expected to come.
            bench.now = bench.now + .hours(1)
            _ = bench.release(grant, service: .seconds(10))
        }
        for _ in 0..<limit { _ = try #require(bench.submit("m").grant) }
        return bench
    }

    @Test func thoseInLineBeginOneAfterTheOther() throws {
        let bench = try Self.busy()
        let tickets = try (0..<6).map { _ in try #require(bench.submit("m").ticket) }
        let begins = bench.scheduler.forecast(now: bench.now).begins
        let times = try tickets.map { try #require(begins[$0]) }
        #expect(times == times.sorted())
        for (number, time) in times.enumerated() {
            let truth = 10 * Double(number + 1)
            #expect(time > truth / 2 && time < truth * 2, "\(times)")
        }
    }

    /// What has taken long is likely to end before what has just begun; and what takes longer than most is not expected to end at once.
    @Test func whatIsUnderWayCountsByHowLongItHasTaken() throws {
        let bench = try Self.busy()
        let ticket = try #require(bench.submit("m").ticket)
        func begins() throws -> Double { try #require(bench.scheduler.forecast(now: bench.now).begins[ticket]) }
        let first = try begins()
        bench.now = bench.now + .seconds(6)
        let second = try begins()
        #expect(second < 0.8 * first && second > 0.5)
        bench.now = bench.now + .seconds(60)
        #expect(try begins() > 2)
    }

    @Test func severalSlotsAreFreedSooner() throws {
        let one = try Self.busy()
        let four = try Self.busy(limit: 4)
        let ticket = try #require(one.submit("m").ticket)
        let other = try #require(four.submit("m").ticket)
        let times = (one.scheduler.forecast(now: one.now).begins[ticket], four.scheduler.forecast(now: four.now).begins[other])
        #expect(try #require(times.1) < #require(times.0))
    }

    @Test func whoWaitsForALoadBeginsWhenItEnds() throws {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 1, sizes: ["m": 30 << 30])
        let grant = try #require(bench.submit("m").grant)
        #expect(grant.loadCause == .first)
        let load = bench.scheduler.loadTime(0)
        let ticket = try #require(bench.submit("m").ticket)
        let begin = try #require(bench.scheduler.forecast(now: bench.now).begins[ticket])
        // The slot is taken by the one that has it loaded, whose answer comes first.
        #expect(begin > load && begin < load + 4 * ModelBook.priorService)
    }

    @Test func whoWillHaveWaitedForTooLongIsNotToldATime() throws {
        let bench = try Self.busy(queueTimeout: .seconds(30))
        let tickets = try (0..<20).map { _ in try #require(bench.submit("m").ticket) }
        let begins = bench.scheduler.forecast(now: bench.now).begins
        #expect(begins[tickets[0]] != nil && begins[tickets[19]] == nil)
    }

    @Test func oneMoreWouldWaitBehindThem() throws {
        let bench = try Self.busy(queueLimit: 3)
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let first = try #require(bench.scheduler.forecast(newcomer: ask, now: bench.now).newcomer)
        for _ in 0..<3 { _ = bench.submit("m") }
        // The line is full: it counts all the same.
        #expect(bench.submit("m").refusal == .lineFull(limit: 3))
        let last = try #require(bench.scheduler.forecast(newcomer: ask, now: bench.now).newcomer)
        #expect(last > 2 * first && last < 80)
        let idle = SchedulerBench()
        idle.add(["m"], loaded: ["m"])
        #expect(idle.scheduler.forecast(newcomer: ask, now: idle.now).newcomer == 0)
        let unknown = Ask(model: "other", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        #expect(idle.scheduler.forecast(newcomer: unknown, now: idle.now).newcomer == nil)
    }

    /// A long line is not played through for each refused request: its mean speed tells.
    @Test func inALongLineOneMoreWaitsForItsLength() throws {
        let bench = try Self.busy(queueTimeout: .hours(2))
        for _ in 0..<150 { _ = bench.submit("m") }
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let wait = try #require(bench.scheduler.expectedWait(ask, now: bench.now))
        #expect(wait > 1500 / 1.5 && wait < 1500 * 1.5)
        let impatient = try Self.busy(queueTimeout: .minutes(5))
        for _ in 0..<150 { _ = impatient.submit("m") }
        #expect(impatient.scheduler.expectedWait(ask, now: impatient.now) == nil)
    }

    /// To look changes nothing, and the same look sees the same.
    @Test func aForecastChangesNothing() throws {
        let bench = try Self.busy()
        for _ in 0..<5 { _ = bench.submit("m") }
        let before = bench.scheduler.snapshot()
        let forecast = bench.scheduler.forecast(now: bench.now)
        #expect(bench.scheduler.forecast(now: bench.now) == forecast && forecast.begins.count == 5)
        #expect(bench.scheduler.snapshot() == before)
        // Those who only come in a forecast have no tickets, whatever numbers come next.
        let next = try #require(bench.submit("m").ticket)
        #expect(forecast.begins[next] == nil)
    }

    /// A flood of refusals makes one forecast in a second.
    @Test func refusedRequestsMakeFewForecasts() throws {
        let time = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000))
        let box = SchedulerBox(settings: SchedulerSettings(queueLimit: 1), seed: 1, clock: { time.withLockedValue { $0 } })
        box.setEndpoints([
            Endpoint(id: EndpointID(0), name: "e", address: EndpointAddress(host: "h", port: 1, url: "http://h:1"), kind: .ollama, limit: 1)
        ])
        let models = ["m", "n"].map { ModelListing(name: $0) }
        box.report(
            EndpointID(0), EndpointReport(state: EndpointState(phase: .up, since: .now()), models: models, loaded: [LoadedModel(name: "m")]))
        func ask(_ model: String) -> Ask { Ask(model: model, needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t")) }
        guard case .granted(let lease) = box.submit(ask("m"), onDecision: { _ in }) else { return #expect(Bool(false)) }
        guard case .queued = box.submit(ask("m"), onDecision: { _ in }) else { return #expect(Bool(false)) }
        let wait = try #require(box.expectedWait(ask("m")))
        #expect(wait > 1 && wait < 60)
        #expect(box.queue().first?.beginsIn != nil)
        #expect(box.expectedWait(ask("n")) == nil, "two in a second")
        #expect(box.expectedWait(ask("m")) == wait)
        time.withLockedValue { $0 = $0 + .milliseconds(1100) }
        #expect(box.expectedWait(ask("n")) != nil)
        #expect(box.expectedWait(ask("m")) == wait, "better than none")
        lease.release(LeaseEnd(outcome: .completed))
    }
}
