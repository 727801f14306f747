// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(1000) + .milliseconds(milliseconds) }

private let everything: Set<PollPart> = [.version, .models, .loaded]

/// One whole round that begins and ends at `time`.
private func round(
    _ schedule: inout PollSchedule, _ outcome: EndpointState.PollOutcome, of kind: EndpointKind = .ollama, failed: [PollPart: ProbeError] = [:],
    at time: NIODeadline
) {
    let parts = schedule.next(of: kind, now: time).parts
    schedule.began(parts, at: time)
    schedule.ended(asked: parts, failed: failed, outcome, at: time, chance: 0)
}

@Suite struct PollScheduleTests {
    @Test func asksForEverythingAtOnceThenAtTheIntervals() {
        var schedule = PollSchedule(polling: Config.Polling())
        let first = schedule.next(of: .ollama, now: at(0))
        #expect(first.at == at(0) && first.parts == everything)
        round(&schedule, .succeeded, at: at(0))
        for second in stride(from: Int64(5000), through: 25000, by: 5000) {
            let next = schedule.next(of: .ollama, now: at(second - 4000))
            #expect(next.at == at(second) && next.parts == [.loaded])
            round(&schedule, .succeeded, at: at(second))
        }
        let full = schedule.next(of: .ollama, now: at(26000))
        #expect(full.at == at(30000) && full.parts == everything)
    }

    @Test func backsOffWhileDownAndAsksForEverything() {
        var schedule = PollSchedule(polling: Config.Polling())
        var now: Int64 = 0
        for expected in [1, 2, 4, 5, 5] as [Int64] {
            round(&schedule, .failed(.refused), failed: [.version: .refused], at: at(now))
            let next = schedule.next(of: .ollama, now: at(now))
            #expect(next.at == at(now + expected * 1000) && next.parts == everything)
            now += expected * 1000
        }
        round(&schedule, .succeeded, at: at(now))
        #expect(schedule.next(of: .ollama, now: at(now)).at == at(now + 5000))
        round(&schedule, .failed(.refused), at: at(now + 5000))
        #expect(schedule.next(of: .ollama, now: at(now + 5000)).at == at(now + 6000))
    }

    @Test(arguments: [(0.0, 30_000), (0.5, 28_500), (0.999, 27_003)]) func chanceTakesUpToATenth(chance: Double, milliseconds: Int64) {
        #expect(PollSchedule.backoff(9, max: .seconds(30), chance: chance) == .milliseconds(milliseconds))
        #expect(PollSchedule.backoff(Int.max, max: .seconds(30), chance: chance) == .milliseconds(milliseconds))
    }

    /// Breaks when it takes half a minute to find out that a server hangs.
    @Test func timeoutsAreCheckedAtOnceUntilItIsDown() {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, .succeeded, at: at(0))
        for start in [5000, 10000, 15000] as [Int64] {
            let next = schedule.next(of: .ollama, now: at(start))
            #expect(next.at == at(start))
            schedule.began(next.parts, at: at(start))
            let error = ProbeError.timedOut(.seconds(5))
            schedule.ended(asked: next.parts, failed: [.loaded: error], .failed(error), at: at(start + 5000), chance: 0)
            #expect(schedule.next(of: .ollama, now: at(start + 5000)).parts == everything)
        }
        #expect(schedule.next(of: .ollama, now: at(20000)).at == at(24000))
    }

    @Test func aLoadingServerIsAskedEverySecond() {
        var schedule = PollSchedule(polling: Config.Polling())
        for second in 0..<50 as Range<Int64> {
            round(&schedule, .loading(""), at: at(second * 1000))
            #expect(schedule.next(of: .ollama, now: at(second * 1000)).at == at(second * 1000 + 1000))
        }
    }

    /// Breaks when one good answer hides another part's failure, so that a degraded endpoint flips to up and back.
    @Test func whatFailedIsInEveryRoundUntilItWorks() {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, .partlyFailed("x"), failed: [.models: .badAnswer("x")], at: at(0))
        #expect(schedule.next(of: .ollama, now: at(0)).at == at(5000))
        #expect(schedule.next(of: .ollama, now: at(0)).parts == [.loaded, .models])
        round(&schedule, .succeeded, at: at(5000))
        #expect(schedule.next(of: .ollama, now: at(5000)).parts == [.loaded])
    }

    @Test func kicksComeSoonButNotMoreThanFourASecond() {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, .succeeded, at: at(0))
        var rounds = 0
        for millisecond in 0..<1000 as Range<Int64> {
            schedule.kick(.loaded, now: at(millisecond))
            let next = schedule.next(of: .ollama, now: at(millisecond))
            #expect(next.parts == [.loaded])
            if next.at <= at(millisecond) {
                round(&schedule, .succeeded, at: at(millisecond))
                rounds += 1
            }
        }
        #expect(rounds == 3)
        schedule.kick(.everything, now: at(5000))
        #expect(schedule.next(of: .ollama, now: at(5000)).parts == everything)
    }

    /// Breaks when a kick that comes while a poll is under way is swallowed by that poll's end.
    @Test func aKickDuringARoundIsNotLost() {
        for outcome in [EndpointState.PollOutcome.succeeded, .failed(.refused)] {
            var schedule = PollSchedule(polling: Config.Polling())
            schedule.began(everything, at: at(0))
            schedule.kick(.loaded, now: at(10))
            schedule.ended(asked: everything, failed: [:], outcome, at: at(20), chance: 0)
            #expect(schedule.next(of: .ollama, now: at(20)).at == at(250))
        }
    }

    @Test func aKickEndsTheBackoff() {
        var schedule = PollSchedule(polling: Config.Polling())
        for _ in 0..<6 { round(&schedule, .failed(.refused), at: at(0)) }
        schedule.kick(.loaded, now: at(500))
        #expect(schedule.next(of: .ollama, now: at(500)).at == at(500))
    }

    /// When there are polls within ten seconds after the first one, in which somebody asks for one every millisecond.
    private func rounds(_ kind: EndpointKind, _ hint: PollHint, _ outcome: EndpointState.PollOutcome, _ error: ProbeError?) -> [Int64] {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, outcome, of: kind, failed: error.map { [.models: $0] } ?? [:], at: at(0))
        var times: [Int64] = []
        for millisecond in 1...10_000 as ClosedRange<Int64> {
            schedule.kick(hint, now: at(millisecond))
            guard schedule.next(of: kind, now: at(millisecond)).at <= at(millisecond) else { continue }
            round(&schedule, outcome, of: kind, failed: error.map { [.models: $0] } ?? [:], at: at(millisecond))
            times.append(millisecond)
        }
        return times
    }

    /// Breaks when clients that are refused hammer the endpoints through the router.
    @Test func refusedRequestsBringOneMoreRoundForEachInterval() {
        #expect(rounds(.ollama, .refused, .succeeded, nil) == [250, 5250])
        #expect(rounds(.llamaServer, .refused, .succeeded, nil).count == 2)
    }

    /// Breaks when a service that others run is polled faster than the configuration says, whatever is wrong with it and whoever asks.
    @Test(arguments: [PollHint.loaded, .everything, .missing, .refused])
    func aServiceThatOthersRunIsLeftAlone(hint: PollHint) {
        // Nothing of it is in memory or not.
        let usual: [Int64] = hint == .loaded ? [] : [5000, 10_000]
        #expect(rounds(.openAI, hint, .succeeded, nil) == usual)
        #expect(rounds(.openAI, hint, .failed(.refused), .refused) == [5000, 10_000])
        let broken = ProbeError.status(500, message: "")
        #expect(rounds(.openAI, hint, .failed(broken), broken) == [5000, 10_000])
    }

    /// Breaks when a part is asked for although its last answer said not to, or others with it.
    @Test func retryAfterIsKept() {
        var schedule = PollSchedule(polling: Config.Polling())
        let busy = ProbeError.status(429, message: "slow down", retryAfter: .seconds(30))
        round(&schedule, .partlyFailed("x"), failed: [.models: busy], at: at(0))
        #expect(schedule.held(now: at(1)) == [.models: "status 429: slow down"])
        for second in stride(from: Int64(5000), to: 30000, by: 5000) {
            schedule.kick(.everything, now: at(second))
            schedule.demand(everything)
            #expect(schedule.next(of: .ollama, now: at(second)).parts == [.version, .loaded])
            round(&schedule, .partlyFailed("x"), at: at(second))
        }
        #expect(schedule.next(of: .ollama, now: at(30000)).parts.contains(.models))
        round(&schedule, .succeeded, at: at(30000))
        #expect(schedule.held(now: at(30000)).isEmpty)
    }

    @Test func whoseOnlyPartIsHeldIsNotAskedAtAll() {
        var schedule = PollSchedule(polling: Config.Polling())
        let busy = ProbeError.status(503, message: "", retryAfter: .seconds(30))
        round(&schedule, .failed(busy), of: .openAI, failed: [.models: busy], at: at(0))
        for second in 1..<30 as Range<Int64> {
            for hint in [PollHint.loaded, .everything, .missing, .refused] { schedule.kick(hint, now: at(second * 1000)) }
            schedule.demand([.models])
            #expect(schedule.next(of: .openAI, now: at(second * 1000)).at == at(30000))
        }
        #expect(schedule.next(of: .openAI, now: at(30000)).parts == [.models])
    }

    /// Breaks when whoever waits for what a change came to has to wait for an interval.
    @Test(arguments: EndpointKind.allCases) func whatIsDemandedIsAskedAtOnce(kind: EndpointKind) {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, .succeeded, of: kind, at: at(0))
        schedule.demand([.models])
        let next = schedule.next(of: kind, now: at(1))
        #expect(next.at == at(1) && next.parts == [.models])
        // A round that began before the demand does not answer it.
        schedule.began(Set(PollPart.all(of: kind)), at: at(10))
        schedule.demand([.models])
        schedule.ended(asked: Set(PollPart.all(of: kind)), failed: [:], .succeeded, at: at(20), chance: 0)
        #expect(schedule.next(of: kind, now: at(20)).at == at(20))
    }
}

/// Runs a round in which the given parts fail; what was asked, and what it came to.
private func run(
    _ kind: EndpointKind, due: Set<PollPart>, held: [PollPart: String] = [:], failing: [PollPart: ProbeError]
) -> ([PollPart], EndpointState.PollOutcome) {
    var round = PollRound(kind: kind, due: due, held: held)
    var asked: [PollPart] = []
    while let part = round.next() {
        asked.append(part)
        if let error = failing[part] { round.failed(part, error) } else { round.answered(.healthy) }
    }
    return (asked, round.outcome)
}

@Suite struct PollRoundTests {
    private let broken = ProbeError.status(500, message: "boom")
    private let slow = ProbeError.timedOut(.seconds(5))

    @Test func asksForWhatIsDueAndNoMore() {
        let (asked, outcome) = run(.ollama, due: [.loaded, .version], failing: [:])
        #expect(asked == [.version, .loaded])
        #expect(outcome == .succeeded)
    }

    /// Breaks when one broken route takes a working server down.
    @Test func aLoneFailureIsCheckedAgainstTheRest() {
        let (asked, outcome) = run(.ollama, due: [.loaded], failing: [.loaded: broken])
        #expect(asked == [.loaded, .version, .models])
        #expect(outcome == .partlyFailed("/api/ps: status 500: boom"))
        let all = run(.ollama, due: [.loaded], failing: [.loaded: broken, .version: broken, .models: .badAnswer("x")])
        #expect(all.1 == .failed(.badAnswer("x")))
    }

    @Test func severalFailuresAreAllTold() {
        let (_, outcome) = run(.ollama, due: [.version, .models, .loaded], failing: [.models: broken, .loaded: .badAnswer("y")])
        #expect(outcome == .partlyFailed("/api/tags: status 500: boom; /api/ps: unusable answer: y"))
    }

    @Test(arguments: [ProbeError.refused, .unreachable("no host"), .status(401, message: ""), .timedOut(.seconds(5))])
    func aServerOutOfReachIsAskedOnce(error: ProbeError) {
        let (asked, outcome) = run(.ollama, due: [.version, .models, .loaded], failing: [.version: error, .models: error, .loaded: error])
        #expect(asked == [.version])
        #expect(outcome == .failed(error))
    }

    @Test func aTimeoutAfterAnAnswerOnlyDegrades() {
        let (asked, outcome) = run(.ollama, due: [.version, .models, .loaded], failing: [.models: slow])
        #expect(asked == [.version, .models, .loaded])
        #expect(outcome == .partlyFailed("/api/tags: no answer within 5 s"))
    }

    /// Breaks when a server that has no time for polls is taken for one that is broken.
    @Test func tooManyRequestsIsNoFailureOfTheServer() {
        let busy = ProbeError.status(429, message: "slow down", retryAfter: .seconds(30))
        #expect(run(.openAI, due: [.models], failing: [.models: busy]).1 == .partlyFailed("/v1/models: status 429: slow down"))
        let (asked, outcome) = run(.ollama, due: [.loaded], failing: [.version: busy, .models: busy, .loaded: busy])
        #expect(asked == [.loaded, .version, .models])
        guard case .partlyFailed = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(run(.ollama, due: [.loaded], failing: [.version: busy, .models: broken, .loaded: busy]).1 == .failed(broken))
    }

    /// Breaks when what may not be asked for now is asked for all the same, or is taken to be well again.
    @Test func whatIsHeldIsNotAskedForAndStaysFailed() {
        let (asked, outcome) = run(.ollama, due: [.models, .loaded], held: [.models: "status 429"], failing: [:])
        #expect(asked == [.loaded])
        #expect(outcome == .partlyFailed("/api/tags: status 429"))
        let (all, failed) = run(.ollama, due: [.loaded], held: [.models: "status 429"], failing: [.loaded: broken, .version: broken])
        #expect(all == [.loaded, .version])
        #expect(failed == .failed(broken))
        // What was held of the kind that it was taken for says nothing of what it is.
        #expect(run(.openAI, due: [.models], held: [.loaded: "status 429"], failing: [:]).1 == .succeeded)
    }

    @Test func theRoutersOwnTroubleEndsTheRound() {
        let (asked, outcome) = run(.ollama, due: [.version, .models, .loaded], failing: [.models: .ours("no descriptors")])
        #expect(asked == [.version, .models])
        #expect(outcome == .failed(.ours("no descriptors")))
    }

    /// Breaks when llama-server's open `/health` hides that our key is wrong.
    @Test func aRefusedKeyIsTheWholeTruth() {
        let (_, outcome) = run(.llamaServer, due: [.health, .models], failing: [.models: .status(401, message: "Invalid API Key")])
        #expect(outcome == .failed(.status(401, message: "Invalid API Key")))
    }

    @Test func loadingEndsTheRound() {
        let loading = ProbeError.status(503, message: "Loading model")
        let (asked, outcome) = run(.llamaServer, due: [.health, .models], failing: [.health: loading])
        #expect(asked == [.health])
        #expect(outcome == .loading("Loading model"))
        // For Ollama a 503 means nothing of the kind.
        #expect(run(.ollama, due: [.loaded], failing: [.loaded: loading]).1 == .partlyFailed("/api/ps: status 503: Loading model"))
    }
}
