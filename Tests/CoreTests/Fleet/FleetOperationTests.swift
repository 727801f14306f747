// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What operators and reloads do to a fleet that runs.
@Suite(.timeLimit(.minutes(1))) struct FleetOperationTests: FleetBench {
    @Test func drainIsPolledMaintenanceIsNotAndResumePollsAtOnce() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let drained = await fleet.drain(id)
            #expect(drained && fleet.only.state.phase == .draining)
            server.answer("/api/ps", aIsLoaded)
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.loaded.count == 1 })
            #expect(fleet.only.state.phase == .draining)

            await fleet.maintenance(id)
            #expect(fleet.only.state.phase == .maintenance)
            let polls = server.requests.count
            fleet.pollSoon(id)
            fleet.reportFailure(id, "connection refused")
            // Longer than the spacing of kicks: a poll would have come by now.
            try await Task.sleep(for: .milliseconds(400))
            #expect(server.requests.count == polls)

            server.answer("/api/ps", .json(#"{"models":[]}"#))
            await fleet.resume(id)
            #expect(await eventually { fleet.only.state.phase == .up && fleet.only.loaded.isEmpty })
            let unknown = await fleet.drain(EndpointID(99))
            #expect(!unknown)
        }
        await server.stop()
    }

    /// Breaks when a reload forgets what was known or wished, reuses an id, or keeps polling what is gone.
    @Test func reloadKeepsWhatItCan() async throws {
        let first = try await FakePollServer.start(ollama)
        let second = try await FakePollServer.start(ollama)
        let third = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let before = await fleet.apply([config(first, name: "one"), config(second, name: "two")], polling: rarely())
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            await fleet.drain(before[0].id)

            var renamed = config(first, name: "uno")
            renamed.limit = 7
            let after = await fleet.apply([config(third, name: "three"), renamed], polling: rarely())
            #expect(after.map(\.name) == ["three", "uno"])
            #expect(after[1].id == before[0].id && after[1].limit == 7)
            #expect(!before.map(\.id).contains(after[0].id))
            #expect(fleet.reports().map(\.0) == after)
            #expect(fleet.reports()[1].1.state.phase == .draining && fleet.reports()[1].1.models.count == 1)
            #expect(await eventually { fleet.reports()[0].1.state.phase == .up })

            // The one that left is not known, and comes back as a new one.
            let wasKnown = await fleet.drain(before[1].id)
            #expect(!wasKnown)
            let again = await fleet.apply([config(second)], polling: rarely())
            #expect(!(before + after).map(\.id).contains(again[0].id))
        }
        for server in [first, second, third] { await server.stop() }
    }

    /// Breaks when what was read as one kind's is kept for another.
    @Test func anotherKindAtTheSameURLStartsAnew() async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        try await withFleet { fleet, _ in
            let before = await fleet.apply([config(server)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .up })
            let after = await fleet.apply([config(server, kind: .llamaServer)], polling: rarely())
            #expect(after[0].id == before[0].id)
            #expect(await eventually { fleet.only.models.map(\.name) == ["smol"] && fleet.only.version.isEmpty })
        }
        await server.stop()
    }

    @Test func aNewKeyIsTriedAtOnce() async throws {
        let server = try await FakePollServer.start(ollama.mapValues { _ in .status(401, "") })
        try await withFleet { fleet, _ in
            await fleet.apply([config(server)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(fleet.only.state.reason.contains("api_keys"))
            for (path, answer) in ollama { server.answer(path, answer) }
            var keyed = config(server)
            keyed.key = Secret("k")
            await fleet.apply([keyed], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(server.requests.last?.contains("Bearer k") == true)
        }
        await server.stop()
    }
}
