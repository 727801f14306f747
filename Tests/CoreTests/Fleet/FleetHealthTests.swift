// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Core

/// When a server counts as down, and what is told of it.
@Suite(.timeLimit(.minutes(1))) struct FleetHealthTests: FleetBench {
    @Test func trafficThatCannotConnectTakesDownUntilAPollSaysOtherwise() async throws {
        let server = try await FakePollServer.start(ollama.merging(["/api/ps": aIsLoaded]) { $1 })
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.loaded.count == 1 })
            fleet.reportFailure(id, "connection refused")
            #expect(await eventually { told.phases == [.up, .down, .up] })
            let down = told.reports.withLockedValue { $0[1].1 }
            // What was in memory may be gone; what was on disk is still known.
            #expect(down.loaded.isEmpty && down.models.count == 1 && down.state.reason == "connection refused")
            #expect(fleet.only.loaded.count == 1)
        }
        await server.stop()
    }

    @Test func aHungServerIsDownAfterTheThirdTimeout() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet(timeout: .milliseconds(800)) { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(told.phases.suffix(3) == [.up, .degraded, .down])
            for (path, answer) in ollama { server.answer(path, answer) }
            #expect(await eventually { fleet.only.state.phase == .up })
        }
        await server.stop()
    }

    /// Breaks when a server that is busy with its clients is taken away from them because its lists are late.
    @Test func aServerThatAnswersRequestsIsNotDownForLatePolls() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet(timeout: .milliseconds(600)) { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            fleet.pollSoon(id)
            let polls = server.requests.count
            #expect(
                await eventually {
                    fleet.trafficAnswered([id: .now(), EndpointID(99): .now()])
                    return server.requests.count > polls + 6
                })
            #expect(fleet.only.state.phase == .degraded && fleet.only.state.reason == "no answer within 600 ms; requests are answered")
            #expect(!told.phases.contains(.down) && fleet.downEndpoints().isEmpty)
            // And without traffic it is.
            #expect(await eventually { fleet.only.state.phase == .down })
        }
        await server.stop()
    }

    /// Breaks when a service that asks for patience is declared down, or is asked again by all who were refused because of that.
    @Test func aServiceThatSaysWhenToComeBackIsLeftAlone() async throws {
        let server = try await FakePollServer.start(["/v1/models": .json(#"{"data":[{"id":"m"}]}"#)])
        try await withFleet { fleet, told in
            var polling = rarely()
            polling.loadedInterval = .milliseconds(50)
            polling.modelsInterval = .milliseconds(50)
            let id = await fleet.apply([config(server, kind: .openAI)], polling: polling)[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let body = #"{"error":{"message":"slow down"}}"#
            server.answer(
                "/v1/models", .raw("HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"))
            #expect(await eventually { fleet.only.state.phase == .degraded })
            #expect(fleet.only.state.reason == "/v1/models: status 429: slow down")
            #expect(fleet.only.models.map(\.name) == ["m"], "what was known is still worth knowing")
            let polls = server.requests.count
            // Ten times as long as an interval, which is what there would be a poll in.
            for _ in 0..<100 {
                fleet.pollAllSoon()
                fleet.pollSoon(id, models: true)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(server.requests.count == polls && !told.phases.contains(.down))
        }
        await server.stop()
    }

    /// Breaks when a request waits for an endpoint that is known to be gone, or when an endpoint that left the fleet is told of for ever.
    @Test func whatIsDownIsToldWithItsReason() async throws {
        let first = try await FakePollServer.start(ollama)
        let second = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let configs = [config(first, name: "one"), config(second, name: "two")]
            let ids = await fleet.apply(configs, polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            #expect(fleet.downEndpoints().isEmpty)
            await first.stop()
            await fleet.drain(ids[0])
            fleet.pollSoon(ids[0])
            #expect(await eventually { fleet.downEndpoints() == [ids[0]: "connection refused"] })
            #expect(fleet.reports()[0].1.state.phase == .draining)
            await fleet.maintenance(ids[0])
            #expect(fleet.downEndpoints().isEmpty)
            await fleet.resume(ids[0])
            #expect(await eventually { fleet.downEndpoints().count == 1 })
            await fleet.apply([configs[1]], polling: rarely())
            #expect(fleet.downEndpoints().isEmpty)
        }
        await second.stop()
    }
}
