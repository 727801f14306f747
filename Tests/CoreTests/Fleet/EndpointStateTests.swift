// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

/// A machine that has been polled with success at second 1.
private func runningMachine() -> EndpointState.Machine {
    var machine = EndpointState.Machine(at: at(0))
    machine.polled(.succeeded, at: at(1))
    return machine
}

/// What one poll may come to at a moment's load.
private let softFailures: [ProbeError] = [
    .timedOut(.seconds(5)), .status(500, message: "boom"), .status(503, message: ""), .badAnswer("no JSON"), .tooLarge(limit: 1),
]

private let timeout = EndpointState.PollOutcome.failed(.timedOut(.seconds(5)))

@Suite struct EndpointStateTests {
    @Test func startsUnpolledAndComesUp() {
        var machine = EndpointState.Machine(at: at(0))
        #expect(machine.state == EndpointState(phase: .starting, since: at(0)))
        machine.polled(.succeeded, at: at(1))
        #expect(machine.state == EndpointState(phase: .up, since: at(1)))
    }

    /// Breaks when a poll that changes nothing, or only the reason, moves `since`.
    @Test func sinceMovesWithThePhaseOnly() {
        var machine = runningMachine()
        machine.polled(.succeeded, at: at(2))
        #expect(machine.state.since == at(1))
        machine.polled(.failed(.refused), at: at(3))
        machine.polled(.failed(.unreachable("no route")), at: at(4))
        #expect(machine.state == EndpointState(phase: .down, reason: "no route", since: at(3)))
    }

    @Test(arguments: softFailures) func aFailureBelowTheLimitDegradesAndTheLastTakesDown(failure: ProbeError) {
        var machine = runningMachine()
        for second in 2...3 as ClosedRange<Int64> {
            machine.polled(.failed(failure), at: at(second))
            #expect(machine.state == EndpointState(phase: .degraded, reason: failure.description, since: at(2)))
        }
        machine.polled(.failed(failure), at: at(4))
        #expect(machine.state == EndpointState(phase: .down, reason: failure.description, since: at(4)))
    }

    /// Breaks when an endpoint that serves its clients is taken away from them because a list was late.
    @Test(arguments: softFailures) func whatAnswersRequestsIsNeverDownForFailedPolls(failure: ProbeError) {
        var machine = runningMachine()
        for second in 2..<100 as Range<Int64> {
            machine.polled(.failed(failure), requestsWereAnswered: true, at: at(second))
            #expect(machine.state == EndpointState(phase: .degraded, reason: "\(failure); requests are answered", since: at(2)))
        }
        // The failures of all that time count as soon as nothing speaks for it any more.
        machine.polled(.failed(failure), requestsWereAnswered: false, at: at(100))
        #expect(machine.state.phase == .down)
        // What is down needs a good poll; an answer that began before it fell is none.
        machine.polled(.failed(failure), requestsWereAnswered: true, at: at(101))
        #expect(machine.state.phase == .down)
    }

    @Test(arguments: [ProbeError.refused, .unreachable("no route to host"), .status(401, message: ""), .status(403, message: "")])
    func whatCannotServeIsDownAtOnceWhateverIsStillAnswered(failure: ProbeError) {
        var machine = runningMachine()
        machine.polled(.failed(failure), requestsWereAnswered: true, at: at(2))
        #expect(machine.state == EndpointState(phase: .down, reason: failure.description, since: at(2)))
    }

    /// Breaks when an endpoint is blamed for the router's own lack of descriptors.
    @Test func theRoutersOwnTroubleSaysNothingOfAnEndpoint() {
        for outcome in [EndpointState.PollOutcome.succeeded, .partlyFailed("x"), .loading("y"), .failed(.refused)] {
            var machine = EndpointState.Machine(at: at(0))
            machine.polled(outcome, at: at(1))
            let before = machine
            for second in 2..<20 as Range<Int64> { machine.polled(.failed(.ours("the router has too many open files")), at: at(second)) }
            #expect(machine == before)
        }
        // What was never reached must not make requests wait for ever.
        var unknown = EndpointState.Machine(at: at(0))
        for second in 1...3 as ClosedRange<Int64> {
            #expect(unknown.state.phase == .starting)
            unknown.polled(.failed(.ours("the router has too many open files")), at: at(second))
        }
        #expect(unknown.state == EndpointState(phase: .down, reason: "the router has too many open files", since: at(3)))
    }

    /// Breaks when one lucky poll brings back what `poll_rise` wants to see twice.
    @Test func whatWasDownComesBackAfterSoManyGoodRounds() {
        var machine = runningMachine()
        machine.rise = 3
        machine.polled(.failed(.refused), at: at(2))
        for outcome in [EndpointState.PollOutcome.succeeded, .partlyFailed("x"), .failed(.timedOut(.seconds(5))), .succeeded, .succeeded] {
            machine.polled(outcome, at: at(3))
            #expect(machine.state.phase == .down, "\(outcome)")
        }
        machine.polled(.partlyFailed("x"), at: at(4))
        #expect(machine.state == EndpointState(phase: .degraded, reason: "x", since: at(4)))
        machine.polled(.succeeded, at: at(5))
        #expect(machine.state.phase == .up)
        // A start is no return.
        var fresh = EndpointState.Machine(at: at(0))
        fresh.rise = 3
        fresh.polled(.succeeded, at: at(1))
        #expect(fresh.state.phase == .up)
    }

    @Test func theReasonForBeingDownIsKnownWhateverTheOperatorWishes() {
        var machine = runningMachine()
        #expect(machine.downReason == nil)
        machine.polled(.failed(.refused), at: at(2))
        #expect(machine.downReason == "connection refused")
        machine.wished(.drain, at: at(3))
        #expect(machine.downReason == "connection refused")
        // What runs ends there, and nobody looks.
        machine.wished(.maintenance, at: at(4))
        #expect(machine.downReason == nil)
    }

    /// Breaks when timeouts are counted over a success.
    @Test func timeoutsMustBeInARow() {
        var machine = runningMachine()
        for second in stride(from: Int64(2), to: 20, by: 2) {
            machine.polled(timeout, at: at(second))
            #expect(machine.state.phase == .degraded)
            machine.polled(.succeeded, at: at(second + 1))
            #expect(machine.state.phase == .up)
        }
    }

    /// Breaks when an endpoint that has never answered would be given work after a timeout.
    @Test func aTimeoutNeverMakesAnUnknownEndpointUsable() {
        var machine = EndpointState.Machine(at: at(0))
        for second in 1...2 as ClosedRange<Int64> {
            machine.polled(timeout, at: at(second))
            #expect(machine.state.phase == .starting)
        }
        machine.polled(timeout, at: at(3))
        #expect(machine.state.phase == .down)
    }

    @Test(arguments: [401, 403]) func aRefusedKeyIsAFaultOfTheConfiguration(status: Int) {
        var machine = runningMachine()
        machine.polled(.failed(.status(status, message: "Invalid API Key")), at: at(2))
        #expect(machine.state.phase == .down)
        #expect(machine.state.reason.contains("api_keys"))
        #expect(machine.state.reason.contains("\(status)"))
    }

    @Test func loadingIsNoFailureAndTakesNoWork() {
        var machine = EndpointState.Machine(at: at(0))
        machine.polled(.loading("Loading model"), at: at(1))
        #expect(machine.state == EndpointState(phase: .loading, reason: "Loading model", since: at(1)))
        #expect(!machine.state.phase.takesWork)
        machine.polled(.succeeded, at: at(2))
        #expect(machine.state == EndpointState(phase: .up, since: at(2)))
    }

    @Test func partialFailureDegradesWithItsReason() {
        var machine = runningMachine()
        machine.polled(.partlyFailed("/api/ps: status 500"), at: at(2))
        #expect(machine.state == EndpointState(phase: .degraded, reason: "/api/ps: status 500", since: at(2)))
        #expect(machine.state.phase.takesWork)
    }

    @Test func trafficTakesDownAtOnce() {
        var machine = runningMachine()
        machine.trafficFailed("connection refused", at: at(2))
        #expect(machine.state == EndpointState(phase: .down, reason: "connection refused", since: at(2)))
    }

    @Test func aCancelledPollSaysNothing() {
        var machine = runningMachine()
        let before = machine
        machine.polled(.failed(.cancelled), at: at(2))
        #expect(machine == before)
    }

    /// Breaks when a poll overrides the operator, or when the truth is lost under the wish.
    @Test func theWishIsShownAndTheObservationGoesOn() {
        var machine = runningMachine()
        machine.wished(.drain, at: at(2))
        #expect(machine.state == EndpointState(phase: .draining, since: at(2)))
        #expect(machine.isPolled)
        machine.polled(.succeeded, at: at(3))
        machine.polled(.failed(.refused), at: at(4))
        #expect(machine.state == EndpointState(phase: .draining, reason: "connection refused", since: at(2)))
        machine.wished(nil, at: at(5))
        #expect(machine.state == EndpointState(phase: .down, reason: "connection refused", since: at(5)))
    }

    @Test func maintenanceStopsPollsUntilResumed() {
        var machine = runningMachine()
        machine.wished(.maintenance, at: at(2))
        #expect(machine.state == EndpointState(phase: .maintenance, since: at(2)))
        #expect(!machine.isPolled)
        machine.wished(nil, at: at(3))
        #expect(machine.isPolled)
        #expect(machine.state == EndpointState(phase: .up, since: at(3)))
    }

    /// Breaks when the same wish twice looks like a change.
    @Test func aRepeatedWishChangesNothing() {
        var machine = runningMachine()
        machine.wished(.drain, at: at(2))
        machine.wished(.drain, at: at(3))
        #expect(machine.state.since == at(2))
    }
}
