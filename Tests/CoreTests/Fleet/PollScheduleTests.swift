// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(1000) + .milliseconds(milliseconds) }

private let everything: Set<PollPart> = [.version, .models, .loaded]

/// One whole round that begins and ends at `time`.
private func round(_ schedule: inout PollSchedule, _ outcome: EndpointState.PollOutcome, failed: Set<PollPart> = [], at time: NIODeadline) {
    let parts = schedule.next(of: .ollama, now: time).parts
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
            round(&schedule, .failed(.refused), failed: [.version], at: at(now))
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
    @Test func theFirstTimeoutIsCheckedAtOnce() {
        var schedule = PollSchedule(polling: Config.Polling())
        round(&schedule, .succeeded, at: at(0))
        let parts = schedule.next(of: .ollama, now: at(5000)).parts
        schedule.began(parts, at: at(5000))
        schedule.ended(asked: parts, failed: [.loaded], .failed(.timedOut(.seconds(5))), at: at(10000), chance: 0)
        let next = schedule.next(of: .ollama, now: at(10000))
        #expect(next.at == at(10000) && next.parts == everything)
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
        round(&schedule, .partlyFailed("x"), failed: [.models], at: at(0))
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
            schedule.kick(everything: false, now: at(millisecond))
            let next = schedule.next(of: .ollama, now: at(millisecond))
            #expect(next.parts == [.loaded])
            if next.at <= at(millisecond) {
                round(&schedule, .succeeded, at: at(millisecond))
                rounds += 1
            }
        }
        #expect(rounds == 3)
        schedule.kick(everything: true, now: at(5000))
        #expect(schedule.next(of: .ollama, now: at(5000)).parts == everything)
    }

    /// Breaks when a kick that comes while a poll is under way is swallowed by that poll's end.
    @Test func aKickDuringARoundIsNotLost() {
        for outcome in [EndpointState.PollOutcome.succeeded, .failed(.refused)] {
            var schedule = PollSchedule(polling: Config.Polling())
            schedule.began(everything, at: at(0))
            schedule.kick(everything: false, now: at(10))
            schedule.ended(asked: everything, failed: [], outcome, at: at(20), chance: 0)
            #expect(schedule.next(of: .ollama, now: at(20)).at == at(250))
        }
    }

    @Test func aKickEndsTheBackoff() {
        var schedule = PollSchedule(polling: Config.Polling())
        for _ in 0..<6 { round(&schedule, .failed(.refused), at: at(0)) }
        schedule.kick(everything: false, now: at(500))
        #expect(schedule.next(of: .ollama, now: at(500)).at == at(500))
    }
}

/// Runs a round in which the given parts fail; what was asked, and what it came to.
private func run(_ kind: EndpointKind, due: Set<PollPart>, failing: [PollPart: ProbeError]) -> ([PollPart], EndpointState.PollOutcome) {
    var round = PollRound(kind: kind, due: due)
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
