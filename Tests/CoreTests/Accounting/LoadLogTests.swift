// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Logging
import NIOCore
import Protocol
import Testing

@testable import Core

/// Models that come and go, in the log. What breaks without these: a load is told twice or never, or what another client did is taken for
/// ours.
@Suite struct LoadLogTests {
    private static let gpu = Endpoint(
        id: EndpointID(1), name: "gpu", address: EndpointAddress(host: "h", port: 1, url: "http://h:1"), kind: .ollama, limit: 2)

    private static func at(_ seconds: Double) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000 + UInt64(seconds * 1e9)) }

    private static func report(_ loaded: [String], _ phase: EndpointState.Phase = .up) -> EndpointReport {
        EndpointReport(state: EndpointState(phase: phase, since: at(0)), models: [], loaded: loaded.map { LoadedModel(name: $0) })
    }

    /// What the log has after `body`: message, model, then the fact that tells.
    private static func told(_ body: (LoadLog) -> Void) -> [String] {
        let events = EventLog()
        body(LoadLog(logger: Logger(label: "test") { _ in EventLogHandler(events) }))
        return events.events().map { event in
            #expect(event.facts["endpoint"] == "gpu")
            let parts = [event.message, event.facts["model"], event.facts["for"], event.facts["seconds"], event.facts["reason"]]
            return parts.compactMap { $0 }.joined(separator: ", ")
        }
    }

    @Test func aLoadOfOursIsToldOnceWithItsTimeWhoeverSeesItsEndFirst() {
        let byAnswer = Self.told { log in
            let load = log.begin("m", on: Self.gpu, for: .request("r-1"), now: Self.at(0))
            load.ended(now: Self.at(4.26))
            log.polled(Self.gpu, from: Self.report([]), to: Self.report(["m"]), now: Self.at(5))
        }
        #expect(byAnswer == ["model load began, m, request r-1", "model loaded, m, 4.3"])
        let byPoll = Self.told { log in
            let load = log.begin("m", on: Self.gpu, for: .operator, now: Self.at(0))
            log.polled(Self.gpu, from: Self.report([]), to: Self.report(["m"]), now: Self.at(3))
            load.ended(now: Self.at(4))
        }
        #expect(byPoll == ["model load began, m, an operator", "model loaded, m, 3.0"])
    }

    @Test func aLoadForOtherOptionsSaysWhich() {
        let events = EventLog()
        let log = LoadLog(logger: Logger(label: "test") { _ in EventLogHandler(events) })
        let large = RunnerOptions(contextLength: 32768)
        log.begin("m", on: Self.gpu, for: .request("r-1"), .configuration, large, now: Self.at(0)).ended(now: Self.at(1))
        log.begin("m", on: Self.gpu, for: .request("r-2"), .configuration, nil, now: Self.at(0)).ended(now: Self.at(1))
        log.begin("m", on: Self.gpu, for: .request("r-3"), .first, large, now: Self.at(0)).ended(now: Self.at(1))
        let began = events.events().filter { $0.message == "model load began" }
        #expect(began.map { $0.facts["cause"] } == ["configuration", "configuration", nil])
        #expect(began.map { $0.facts["options"] } == ["num_ctx 32768", "the server's own", nil])
    }

    /// As the daemon writes it, with the endpoint and the model as facts.
    @Test func whoMakesAnEndpointLoadAgainAndAgainIsNamed() {
        let events = EventLog()
        let log = LoadLog(logger: Logger(label: "test") { _ in EventLogHandler(events) })
        for number in 0..<7 {
            let asker = Asker(peer: "10.0.0.\(number % 2):5", userAgent: number % 2 == 0 ? "continue/1" : nil)
            let options = RunnerOptions(contextLength: number % 2 == 0 ? 8192 : 32768)
            log.begin("m", on: Self.gpu, for: .request("r", by: asker), .configuration, options, now: Self.at(Double(number)))
                .ended(now: Self.at(Double(number) + 0.5))
        }
        let began = events.events().filter { $0.message == "model load began" }
        #expect(began.map { "\($0.facts["client"] ?? "") \($0.facts["agent"] ?? "")" }.prefix(2) == ["10.0.0.0 continue", "10.0.0.1 "])
        let warnings = events.events().filter { $0.level == "warning" }
        #expect(warnings.map(\.message).count == 1 && warnings.first?.facts == ["endpoint": "gpu", "model": "m", "reloads": "5", "avoidable": "3"])
        #expect(warnings.first?.message.hasPrefix("gpu reloaded m 5 times in 10 minutes: num_ctx 8192 (10.0.0.0, continue)") ?? false)
        #expect(log.histories()[EndpointID(1)]?["m"]?.counts == [.configuration: 7])
    }

    @Test func severalWhoWantItMakeOneLoadAndAFailureIsToldOnce() {
        let told = Self.told { log in
            let first = log.begin("m", on: Self.gpu, for: .request("r-1"), now: Self.at(0))
            let second = log.begin("m", on: Self.gpu, for: .request("r-2"), now: Self.at(1))
            first.failed("status 500")
            second.failed("status 500")
            log.begin("m", on: Self.gpu, for: .placement, now: Self.at(9)).ended(now: Self.at(10))
        }
        #expect(
            told == [
                "model load began, m, request r-1", "model load failed, m, status 500", "model load began, m, placement", "model loaded, m, 1.0",
            ])
    }

    @Test func aLoadWhoseClientLeftIsSeenByAPollOrBegunAnew() {
        let goesOn = Self.told { log in
            log.begin("m", on: Self.gpu, for: .request("r-1"), now: Self.at(0)).left()
            log.polled(Self.gpu, from: Self.report([]), to: Self.report(["m"]), now: Self.at(6))
        }
        #expect(goesOn.last == "model loaded, m, 6.0")
        let begunAnew = Self.told { log in
            log.begin("m", on: Self.gpu, for: .request("r-1"), now: Self.at(0)).left()
            log.begin("m", on: Self.gpu, for: .request("r-2"), now: Self.at(50)).ended(now: Self.at(52))
        }
        #expect(begunAnew.dropFirst() == ["model load began, m, request r-2", "model loaded, m, 2.0"])
    }

    @Test func whatOthersLoadAndUnloadIsFoundByAPoll() {
        let told = Self.told { log in
            // At the first look it may have been there for long.
            log.polled(Self.gpu, from: Self.report([], .starting), to: Self.report(["old"]))
            log.polled(Self.gpu, from: Self.report(["old"]), to: Self.report(["new"]))
            // A server that went down says so by its state.
            log.polled(Self.gpu, from: Self.report(["new"]), to: Self.report([], .down))
            log.polled(Self.gpu, from: Self.report([], .down), to: Self.report(["new"]))
        }
        #expect(told == ["model left memory, old", "model found in memory, new"])
    }

    @Test func aPollThatWasAskedBeforeTheEndDoesNotTellItAgain() {
        let told = Self.told { log in
            log.begin("m", on: Self.gpu, for: .request("r"), now: Self.at(0)).ended(now: Self.at(2))
            log.polled(Self.gpu, from: Self.report(["x"]), to: Self.report(["x"]))
            log.polled(Self.gpu, from: Self.report(["x"]), to: Self.report(["x", "m"]))
            log.polled(Self.gpu, from: Self.report(["x", "m"]), to: Self.report(["x"]))
            log.polled(Self.gpu, from: Self.report(["x"]), to: Self.report(["x", "m"]))
        }
        #expect(told == ["model load began, m, request r", "model loaded, m, 2.0", "model left memory, m", "model found in memory, m"])
    }
}
