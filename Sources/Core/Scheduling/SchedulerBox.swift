// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOConcurrencyHelpers

/// The scheduler behind one short lock: state changes under it, everything else after it.
final class SchedulerBox: Sendable {
    /// What a waiting request is told, exactly once, on any thread, never under the lock.
    typealias Decision = @Sendable (Result<Lease, RefusalError>) -> Void

    /// An endpoint, a model as the endpoint spells it, and the options to load it with; called on any thread, never under the lock.
    typealias LoadWish = @Sendable (EndpointID, String, RunnerOptions?) -> Void

    /// Called on any thread, never under the lock.
    typealias BreakerSink = @Sendable (BreakerEvent) -> Void

    enum Answer {
        case granted(Lease)
        case queued(TicketID, position: Int)
        case refused(Refusal)
    }

    private struct State {
        var scheduler: Scheduler
        var waiting: [TicketID: Decision] = [:]
        private var sweptAt: NIODeadline?

        init(scheduler: Scheduler) { self.scheduler = scheduler }

        /// True once in a while: whoever hears it sweeps.
        mutating func isSweepDue(_ now: NIODeadline) -> Bool {
            if let sweptAt, now < sweptAt + SchedulerBox.sweepInterval { return false }
            sweptAt = now
            return true
        }
    }

    /// A little less than an event loop's tick, so that with one loop each tick sweeps.
    static let sweepInterval = TimeAmount.milliseconds(200)

    private let state: NIOLockedValueBox<State>
    private let clock: @Sendable () -> NIODeadline
    private let onLoad: LoadWish
    private let onBreaker: BreakerSink
    let forecasts = NIOLockedValueBox(Forecasts())

    /// - Parameters:
    ///   - onLoad: told of models to load ahead of need; whoever carries it out answers with `loadEnded`.
    ///   - onBreaker: told of breakers that open and close.
    init(
        settings: SchedulerSettings, seed: UInt64, clock: @escaping @Sendable () -> NIODeadline = { .now() },
        onLoad: @escaping LoadWish = { _, _, _ in }, onBreaker: @escaping BreakerSink = { _ in }
    ) {
        self.onLoad = onLoad
        self.onBreaker = onBreaker
        state = NIOLockedValueBox(State(scheduler: Scheduler(settings: settings, seed: seed)))
        self.clock = clock
    }

    /// - Parameter onDecision: called only if the answer is `queued`, and not after a `withdraw` that returned true.
    func submit(_ ask: Ask, onDecision: @escaping Decision) -> Answer {
        let now = clock()
        let (admission, news) = state.withLockedValue { state in
            let admission = state.scheduler.submit(ask, now: now)
            if case .queued(let ticket, position: _) = admission { state.waiting[ticket] = onDecision }
            return (admission, state.scheduler.takeBreakerEvents())
        }
        for event in news { onBreaker(event) }
        switch admission {
        case .granted(let grant): return .granted(Lease(grant, box: self))
        case .queued(let ticket, let position): return .queued(ticket, position: position)
        case .refused(let refusal): return .refused(refusal)
        }
    }

    func locate(_ ask: Ask) -> Result<Placement, RefusalError> { state.withLockedValue { $0.scheduler.locate(ask) } }

    @discardableResult
    func withdraw(_ ticket: TicketID) -> Bool {
        state.withLockedValue { state in
            guard state.scheduler.withdraw(ticket) else { return false }
            state.waiting[ticket] = nil
            return true
        }
    }

    func release(_ lease: LeaseID, _ end: LeaseEnd) { run { $0.release(lease, end, now: $1) } }

    func report(_ id: EndpointID, _ report: EndpointReport) { run { $0.report(id, report, now: $1) } }

    func setEndpoints(_ endpoints: [Endpoint]) { run { $0.setEndpoints(endpoints, now: $1) } }

    func setSettings(_ settings: SchedulerSettings) { run { $0.setSettings(settings, now: $1) } }

    func began(_ lease: LeaseID) { run { $0.began(lease, now: $1) } }

    func loadEnded(_ id: EndpointID, model: String, _ end: LoadEnd) { run { $0.loadEnded(id, model: model, end, now: $1) } }

    /// Closes the breakers of the endpoint and of its models.
    func resume(_ id: EndpointID) { run { $0.resume(id, now: $1) } }

    func explain(_ ask: Ask) -> Explanation {
        let now = clock()
        return state.withLockedValue { $0.scheduler.explain(ask, now: now) }
    }

    /// Refuses who has waited for too long and decides anew for the others. To be called by every event loop at each of its ticks: one of
    /// them does it, so that none that is late holds it up, and the others find it done.
    func sweep() {
        let now = clock()
        guard state.withLockedValue({ $0.isSweepDue(now) }) else { return }
        run { $0.expire(now: $1) }
    }

    func whereTo(_ ask: Ask) -> Result<Placement, RefusalError> {
        let now = clock()
        return state.withLockedValue { $0.scheduler.whereTo(ask, now: now) }
    }

    /// With what the model, as the endpoint spells it, is loaded that no request is for; nil for the server's own.
    func usualOptions(_ id: EndpointID, model: String) -> RunnerOptions? { state.withLockedValue { $0.scheduler.usualOptions(id, model: model) } }

    /// Those of the models that no endpoint in service but `id` has.
    func models(_ models: [String], onlyOn id: EndpointID) -> [String] {
        state.withLockedValue { state in models.filter { !state.scheduler.isServed($0, without: id) } }
    }

    func snapshot() -> SchedulerSnapshot { state.withLockedValue { $0.scheduler.snapshot() } }

    var time: NIODeadline { clock() }

    func scheduler<Value>(_ look: (inout Scheduler) -> Value) -> Value { state.withLockedValue { look(&$0.scheduler) } }

    private func run(_ event: (inout Scheduler, NIODeadline) -> [SchedulerAction]) {
        let now = clock()
        let (told, loads, news) = state.withLockedValue {
            state -> ([(Decision, SchedulerAction)], [(EndpointID, String, RunnerOptions?)], [BreakerEvent]) in
            let actions = event(&state.scheduler, now)
            var told: [(Decision, SchedulerAction)] = []
            var loads: [(EndpointID, String, RunnerOptions?)] = []
            for action in actions {
                switch action {
                case .grant(let ticket, _), .refuse(let ticket, _):
                    if let decide = state.waiting.removeValue(forKey: ticket) { told.append((decide, action)) }
                case .load(let endpoint, let model, let options): loads.append((endpoint, model, options))
                }
            }
            return (told, loads, state.scheduler.takeBreakerEvents())
        }
        for (decide, action) in told {
            switch action {
            case .grant(_, let grant): decide(.success(Lease(grant, box: self)))
            case .refuse(_, let refusal): decide(.failure(RefusalError(refusal: refusal)))
            case .load: break
            }
        }
        for (endpoint, model, options) in loads { onLoad(endpoint, model, options) }
        for event in news { onBreaker(event) }
    }
}
