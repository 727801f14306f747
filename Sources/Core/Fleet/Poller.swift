// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOHTTP1

/// Keeps the report on one endpoint fresh. What it decides is decided by the pure parts (`PollSchedule`, `PollRound`,
/// `EndpointState.Machine`); it waits, asks and tells.
///
/// An actor, so that reports go out in the order in which things happened, also while a poll is under way.
actor Poller {
    typealias Sink = @Sendable (EndpointID, EndpointReport) -> Void

    private(set) var endpoint: Endpoint
    private let client: EndpointClient
    private let sink: Sink
    private let logger: Logger
    private var machine: EndpointState.Machine
    private var schedule: PollSchedule
    /// What the endpoint is, as far as is known.
    private var kind: EndpointKind { report.kind ?? endpoint.kind }
    private var report: EndpointReport
    /// What was told last, or was known from the start; nil makes the next report news.
    private var published: EndpointReport?
    private var isStopped = false
    private var routesAreKnown = false
    /// Found out since the endpoint was last down.
    private var kindIsKnown = false
    /// Raised when the endpoint turns into another server: answers of a round that began before mean nothing.
    private var generation = 0
    /// The wait between two rounds, cancelled to end it early.
    private var pause: Task<Void, Never>?
    /// When the last round began, and how many have.
    private var roundBegan: NIODeadline?
    private var rounds = 0
    private var waiters = RoundWaiters()
    private let inbox = PollerInbox()
    /// When a poll was last answered. No part of the report: a report that says nothing new is no news.
    nonisolated var lastAnswer: NIODeadline? { inbox.pollAnsweredAt }

    /// Told at each report whether the endpoint is known to be down, and why.
    private let downSink: @Sendable (EndpointID, String?) -> Void

    init(
        endpoint: Endpoint, client: EndpointClient, polling: Config.Polling, logger: Logger, initial: EndpointReport,
        downSink: @escaping @Sendable (EndpointID, String?) -> Void = { _, _ in }, sink: @escaping Sink
    ) {
        self.endpoint = endpoint
        self.client = client
        self.sink = sink
        self.downSink = downSink
        self.logger = logger
        self.machine = EndpointState.Machine(at: initial.state.since)
        self.schedule = PollSchedule(polling: polling)
        self.report = initial
        self.published = initial
        (machine.fall, machine.rise) = (polling.fall, polling.rise)
    }

    /// Polls until the task is cancelled or `stop` is called.
    func run() async {
        while !isStopped, !Task.isCancelled {
            guard machine.isPolled else {
                await wait(.hours(1))
                continue
            }
            let now = NIODeadline.now()
            let (start, parts) = schedule.next(of: kind, now: now)
            if start > now {
                await wait(start - now)
            } else {
                await poll(parts)
            }
        }
        waiters.endAll()
    }

    func stop() {
        isStopped = true
        pause?.cancel()
        waiters.endAll()
    }

    // MARK: What others ask of it

    /// From any thread, at any rate: polls again soon, where that is allowed.
    nonisolated func pollSoon(_ hint: PollHint) {
        if inbox.add(hint) { Task { await takeHints() } }
    }

    private func takeHints() {
        for hint in inbox.takeHints() {
            // A service that others run is asked when it is due, and not because somebody asked us for a model that nobody has.
            guard kind.isPolledAtWill || machine.observed != .up || hint == .missing else { continue }
            schedule.kick(hint, now: .now())
        }
        pause?.cancel()
    }

    /// From any thread: requests were answered there.
    nonisolated func requestsWereAnswered(at time: NIODeadline) { inbox.requestWasAnswered(at: time) }

    /// Polls now, and returns when the sink has been told what is there, or that it cannot be known; at once where nothing may be asked.
    func refresh(models: Bool) async {
        let parts = Set(PollPart.all(of: kind).filter { models || $0.isFrequent })
        guard machine.isPolled, !isStopped, schedule.mayAsk(parts, now: .now()) else { return }
        schedule.demand(parts)
        pause?.cancel()
        // A round that is under way may have asked already.
        let (number, ended) = waiters.wait(for: rounds + 1)
        await withTaskCancellationHandler {
            await ended.value
        } onCancel: {
            Task { await giveUp(number) }
        }
    }

    private func giveUp(_ waiter: Int) { waiters.end(waiter) }

    /// A request could not connect.
    func trafficFailed(_ reason: String) {
        // An operator's maintenance often stops the server; what is not polled could not come back either.
        guard machine.isPolled else { return }
        machine.trafficFailed(reason, at: .now())
        publish()
        schedule.kick(.everything, now: .now())
        pause?.cancel()
    }

    /// It has denied a model.
    func isMissing(_ model: String) {
        guard machine.isPolled, !isStopped else { return }
        let isListed = report.models.contains { $0.name == model }
        report.models.removeAll { $0.name == model }
        report.loaded.removeAll { $0.name == model }
        publish()
        // What it never listed is no news of its list.
        schedule.kick(isListed ? .missing : .refused, now: .now())
        pause?.cancel()
    }

    /// Its name points elsewhere: another server may listen there, with other models.
    func moved() {
        guard machine.isPolled else { return }
        kindIsKnown = false
        routesAreKnown = false
        schedule.kick(.everything, now: .now())
        pause?.cancel()
    }

    func wish(_ wish: EndpointState.Wish?) {
        let wasPolled = machine.isPolled
        machine.wished(wish, at: .now())
        publish()
        if machine.isPolled, !wasPolled || wish == nil { schedule.demand(Set(PollPart.all(of: kind))) }
        pause?.cancel()
    }

    /// A reload changed the endpoint's settings or the intervals.
    func update(_ endpoint: Endpoint, polling: Config.Polling) {
        let isOtherServer = endpoint.kind != self.endpoint.kind || endpoint.kindIsOpen != self.endpoint.kindIsOpen
        let isOtherKey = endpoint.key != self.endpoint.key
        self.endpoint = endpoint
        schedule.polling = polling
        (machine.fall, machine.rise) = (polling.fall, polling.rise)
        if isOtherServer {
            // What was known was read as another kind's.
            generation += 1
            let wish = machine.wish
            machine = EndpointState.Machine(at: .now())
            (machine.fall, machine.rise) = (polling.fall, polling.rise)
            machine.wished(wish, at: .now())
            report = EndpointReport(state: machine.state)
            routesAreKnown = false
            kindIsKnown = false
            published = nil
            publish()
        }
        if isOtherServer || isOtherKey {
            schedule.forgetHolds()
            schedule.demand(Set(PollPart.all(of: kind)))
        }
        pause?.cancel()
    }

    // MARK: Polling

    private func poll(_ due: Set<PollPart>) async {
        let endpoint = endpoint
        let inquiry = PollInquiry(client: client, endpoint: endpoint)
        let began = generation
        let since = roundBegan
        roundBegan = .now()
        rounds += 1
        let number = rounds
        defer { waiters.ended(number) }
        if endpoint.kindIsOpen, !kindIsKnown {
            schedule.began(due, at: .now())
            let (found, failure) = await inquiry.kind()
            if isStopped || Task.isCancelled || generation != began { return }
            if let found {
                report.kind = found
                kindIsKnown = true
            }
            if let failure {
                return ended(asked: due, failed: Dictionary(uniqueKeysWithValues: due.map { ($0, failure) }), .failed(failure), [], since: since)
            }
        }
        let kind = kind
        let due = due.filter(PollPart.all(of: kind).contains)
        schedule.began(due, at: .now())
        var round = PollRound(kind: kind, due: due, held: schedule.held(now: .now()))
        var asked: Set<PollPart> = []
        while let part = round.next() {
            asked.insert(part)
            do {
                let body = try await client.get(part.path(kind), of: endpoint)
                round.answered(await detailed(try part.read(body, kind), by: inquiry))
            } catch {
                round.failed(part, error)
            }
            if isStopped || Task.isCancelled { return }
        }
        // It has become another server meanwhile.
        guard generation == began else { return }
        ended(asked: asked, failed: round.failed, round.outcome, round.answers, since: since)
    }

    private func ended(
        asked: Set<PollPart>, failed: [PollPart: ProbeError], _ outcome: EndpointState.PollOutcome, _ answers: [PollAnswer], since: NIODeadline?
    ) {
        schedule.ended(asked: asked, failed: failed, outcome, at: .now(), chance: .random(in: 0..<1))
        // An operator's maintenance began meanwhile.
        guard machine.isPolled else { return }
        if !answers.isEmpty { inbox.pollWasAnswered(at: .now()) }
        for answer in answers { answer.store(in: &report) }
        machine.polled(outcome, requestsWereAnswered: since.map { inbox.requestAnsweredAt > $0 } ?? false, at: .now())
        if machine.observed == .down {
            // Whatever listens there next may be something else.
            kindIsKnown = false
            routesAreKnown = false
        }
        publish()
    }

    /// What one answer leads on to: the slots of llama-server's loaded models, the routes of a service of OpenAI's kind.
    private func detailed(_ answer: PollAnswer, by inquiry: PollInquiry) async -> PollAnswer {
        switch answer {
        case .modelsAndLoaded(let models, let loaded):
            return await inquiry.loadedModels(models, loaded)
        case .models(let models) where kind == .openAI && !routesAreKnown:
            let (found, isCertain) = await inquiry.optionalRoutes(known: report.found)
            routesAreKnown = isCertain
            return .modelsAndRoutes(models, found)
        default:
            return answer
        }
    }

    /// Tells of the report if it is not what was told last. The sink runs within the actor, so that nothing overtakes.
    private func publish() {
        var next = report
        next.state = machine.state
        // A server that went down or starts again holds nothing in memory. What it has on disk is still worth knowing.
        if machine.observed == .down || machine.observed == .loading { next.loaded = [] }
        let before = published ?? report
        report = next
        guard !isStopped else { return }
        downSink(endpoint.id, machine.downReason)
        guard published != next else { return }
        published = next
        if before.state.phase != next.state.phase { log(from: before.state, to: next.state) }
        sink(endpoint.id, next)
    }

    private func log(from: EndpointState, to: EndpointState) {
        let level: Logger.Level = to.phase == .down || to.phase == .degraded ? .warning : .info
        var metadata: Logger.Metadata = [
            "endpoint": "\(endpoint.name)", "url": "\(endpoint.address.url)", "from": "\(from.phase.rawValue)", "to": "\(to.phase.rawValue)",
        ]
        if !to.reason.isEmpty { metadata["reason"] = "\(to.reason)" }
        logger.log(level: level, "endpoint changed its state", metadata: metadata)
    }

    /// Until the time is over, the task is cancelled, or something cancels `pause`.
    private func wait(_ time: TimeAmount) async {
        let pause = Task<Void, Never> { try? await Task.sleep(for: .nanoseconds(time.nanoseconds)) }
        self.pause = pause
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
        self.pause = nil
    }
}
