// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Core

/// What is found out about servers, and when it is told.
@Suite(.timeLimit(.minutes(1))) struct FleetTests: FleetBench {
    @Test func findsOutWhatAnOllamaHas() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, told in
            let endpoints = await fleet.apply([config(server)], polling: rarely())
            #expect(fleet.only.state.phase == .starting)
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(fleet.only.version == "0.12.3")
            #expect(fleet.only.models.map(\.name) == ["a:latest"])
            #expect(fleet.only.loaded.isEmpty)
            #expect(told.reports.withLockedValue { $0.map(\.0) } == [endpoints[0].id])
            #expect(told.logged == ["info endpoint changed its state endpoint=one from=starting to=up url=http://127.0.0.1:\(server.port)"])
        }
        await server.stop()
    }

    /// The sight of a daemon started before its Ollama: one warning, and service as soon as there is one.
    @Test func saysOnceThatNobodyIsThereAndServesWhenSomebodyComes() async throws {
        let gone = try await FakePollServer.start(ollama)
        await gone.stop()
        try await withFleet { fleet, told in
            await fleet.apply([config(gone)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(fleet.only.state.reason == "connection refused")
            let back = try await FakePollServer.start(ollama, port: gone.port)
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(back.requests.count >= 3)
            #expect(told.logged.map { String($0.prefix { $0 != " " }) } == ["warning", "info"])
            #expect(told.logged[0].contains("reason=connection refused"))
            await back.stop()
        }
    }

    /// Breaks when a load is seen only at the next interval, or when polls that change nothing are told.
    @Test func aKickShowsALoadSoonAndNothingNewIsNotTold() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            fleet.pollSoon(id)
            #expect(await eventually { server.count("/api/ps") == 2 })
            server.answer("/api/ps", aIsLoaded)
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.loaded.map(\.name) == ["a:latest"] })
            // It is told a moment after it can be read.
            #expect(await eventually { told.reports.withLockedValue { $0.count } >= 2 })
            #expect(told.reports.withLockedValue { $0.count } == 2)
            #expect(server.count("/api/tags") == 1)
            fleet.pollSoon(id, models: true)
            #expect(await eventually { server.count("/api/tags") == 2 })
        }
        await server.stop()
    }

    @Test func aThousandKicksMakeFewPolls() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let start = ContinuousClock.now
            for _ in 0..<1000 { fleet.pollSoon(id) }
            #expect(await eventually { server.count("/api/ps") >= 2 })
            let seconds = Double((ContinuousClock.now - start).components.seconds) + 1
            #expect(Double(server.count("/api/ps")) <= 2 + 4 * seconds)
        }
        await server.stop()
    }

    @Test func aLyingServerIsDegradedAndKeepsWhatWasKnown() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            server.answer("/api/tags", .json("<html>"))
            fleet.pollSoon(id, models: true)
            #expect(await eventually { fleet.only.state.phase == .degraded })
            #expect(fleet.only.state.reason.hasPrefix("/api/tags: unusable answer: "))
            #expect(fleet.only.models.count == 1)
            // A round without that part must not make it look mended.
            let polls = server.count("/api/ps")
            fleet.pollSoon(id)
            #expect(await eventually { server.count("/api/ps") > polls })
            #expect(fleet.only.state.phase == .degraded)
        }
        await server.stop()
    }

    @Test func aLlamaServerLoadsThenServesItsModel() async throws {
        let loading = FakePollServer.Answer.status(503, #"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#)
        let server = try await FakePollServer.start(["/health": loading, "/v1/models": loading])
        try await withFleet { fleet, told in
            await fleet.apply([config(server, kind: .llamaServer)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .loading })
            for (path, answer) in llama { server.answer(path, answer) }
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(fleet.only.loaded.map(\.name) == ["smol"])
            #expect(told.phases == [.loading, .up])
            #expect(server.count("/api/tags") == 0)
        }
        await server.stop()
    }
}
