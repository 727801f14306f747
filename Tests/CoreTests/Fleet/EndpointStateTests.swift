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

    @Test func oneTimeoutDegradesAndTheSecondTakesDown() {
        var machine = runningMachine()
        machine.polled(timeout, at: at(2))
        #expect(machine.state == EndpointState(phase: .degraded, reason: "no answer within 5 s", since: at(2)))
        machine.polled(timeout, at: at(3))
        #expect(machine.state == EndpointState(phase: .down, reason: "no answer within 5 s", since: at(3)))
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
        machine.polled(timeout, at: at(1))
        #expect(machine.state.phase == .starting)
        machine.polled(timeout, at: at(2))
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
