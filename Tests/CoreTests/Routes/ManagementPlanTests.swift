// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import Testing

@testable import Core

/// What breaks without these: a model is deleted where nobody meant it, or pulled to half of the fleet in silence.
@Suite struct ManagementPlanTests {
    private static func member(
        _ name: String, _ kind: EndpointKind = .ollama, _ models: [String] = [], phase: EndpointState.Phase = .up
    ) -> (Endpoint, EndpointReport) {
        (
            Endpoint(
                id: EndpointID(name.hashValue), name: name, address: EndpointAddress(host: name, port: 1, url: "http://\(name):1"), kind: kind,
                limit: 1),
            EndpointReport(state: EndpointState(phase: phase, since: .now()), models: models.map { ModelListing(name: $0) })
        )
    }

    private static let fleet = [
        member("a", .ollama, ["m:latest", "x:1b"]), member("b", .llamaServer, ["m"]), member("c", .ollama, ["m:latest"]),
        member("d", .ollama, ["m:latest"], phase: .down), member("e", .ollama, phase: .draining),
    ]

    private func targets(
        _ operation: ModelOperation, _ model: String? = "m", chosen: String? = nil, _ policy: Config.ModelManagement = .all
    ) throws -> [String] {
        try ManagementPlan.targets(operation, model: model, chosen: chosen, policy: policy, fleet: Self.fleet).map(\.name)
    }

    @Test func allAreThoseThatAreUpAndOllama() throws {
        #expect(try targets(.pull) == ["a", "c"])
        #expect(try targets(.create) == ["a", "c"])
        #expect(try targets(.pull, .some("m"), .first) == ["a"])
        #expect(try targets(.pull, chosen: "d") == ["d"], "the operator knows better")
    }

    private func targets(_ operation: ModelOperation, _ model: String?, _ policy: Config.ModelManagement) throws -> [String] {
        try targets(operation, model, chosen: nil, policy)
    }

    @Test func whatIsAboutAModelGoesWhereItIs() throws {
        #expect(try targets(.delete, "x:1b") == ["a"])
        #expect(try targets(.copy, "M:latest") == ["a", "c"])
        #expect(try targets(.push) == ["a"], "the registry gets it once")
        #expect(throws: RouterError.refused(.unknownModel(known: ["m:latest", "x:1b"], unreachable: []), model: "y", path: "/api/delete")) {
            try targets(.delete, "y")
        }
    }

    @Test func whatCannotBeIsTold() throws {
        #expect(throws: RouterError.managementIsOff) { try targets(.pull, "m", .off) }
        #expect(throws: RouterError.managementIsOff) { try targets(.pull, "m", chosen: "a", .off) }
        #expect(throws: RouterError.noSuchEndpoint("z", known: ["a", "b", "c", "d", "e"])) { try targets(.pull, chosen: "z") }
        #expect(throws: RouterError.refused(.unsupportedRoute(endpoints: ["b"]), model: "m", path: "/api/pull")) { try targets(.pull, chosen: "b") }
    }

    @Test func bothHalvesOfAPartialFailureAreTold() {
        var outcome = ManagementOutcome()
        outcome.note("a", nil)
        outcome.note("b", .init(status: 507, message: "disk full"))
        #expect(outcome.status == 200)
        #expect(outcome.ending(.pull).text == #"{"error":"pulled on a; failed on b: disk full","succeeded":["a"],"failed":{"b":"disk full"}}"#)
        var nothing = ManagementOutcome()
        nothing.note("a", .init(status: 404, message: "no such model"))
        nothing.note("b", .init(status: 500, message: "x"))
        #expect(nothing.status == 404 && nothing.fault(.pull) == "failed everywhere: a: no such model; b: x")
        var good = ManagementOutcome()
        good.note("a", nil)
        #expect(good.ending(.pull) == ["status": "success"])
    }
}
