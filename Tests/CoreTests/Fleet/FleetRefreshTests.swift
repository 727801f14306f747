// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOConcurrencyHelpers
import Testing

@testable import Core

/// What is looked at anew, at once.
@Suite(.timeLimit(.minutes(1))) struct FleetRefreshTests: FleetBench {
    /// Breaks when clients go on asking for a model that its endpoint has just denied, or when it is lost although it is there.
    @Test func whatAnEndpointDeniesIsGoneUntilAPollFindsItAgain() async throws {
        let server = try await FakePollServer.start(ollama.merging(["/api/ps": aIsLoaded]) { $1 })
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.models.count == 1 && fleet.only.loaded.count == 1 })
            fleet.noteMissing(model: "a:latest", on: id)
            // It denied it by mistake, and lists it still.
            #expect(await eventually { told.reports.withLockedValue { $0.map(\.1.models.count) } == [1, 0, 1] })
            #expect(told.reports.withLockedValue { $0.map(\.1.loaded.count) } == [1, 0, 1])
            server.answer("/api/tags", .json(#"{"models":[]}"#))
            server.answer("/api/ps", .json(#"{"models":[]}"#))
            fleet.noteMissing(model: "a:latest", on: id)
            #expect(await eventually { server.count("/api/tags") == 3 })
            #expect(fleet.only.models.isEmpty && fleet.only.state.phase == .up)
        }
        await server.stop()
    }

    /// Breaks when a client is told that a model is there, and its next request is told that it is not.
    @Test(arguments: EndpointKind.allCases) func afterARefreshTheReportSaysWhatIsThere(kind: EndpointKind) async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        func have(_ names: [String]) {
            server.answer("/api/tags", .json(#"{"models":[\#(names.map { #"{"name":"\#($0)"}"# }.joined(separator: ","))]}"#))
            server.answer("/v1/models", .json(#"{"data":[\#(names.map { #"{"id":"\#($0)"}"# }.joined(separator: ","))]}"#))
        }
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server, kind: kind)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for step in 1...5 {
                let names = (0..<step).map { "model-\($0)" }
                have(names)
                await fleet.refresh(id, models: true)
                #expect(fleet.only.models.map(\.name) == names, "at once, and not within an interval")
            }
            have(["last"])
            // Several who wait are told by the same round, or by one after it.
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { await fleet.refresh(id, models: true) } }
            }
            #expect(fleet.only.models.map(\.name) == ["last"])
        }
        await server.stop()
    }

    @Test func anEntryForTheSameServerIsRefreshedToo() async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        try await withFleet { fleet, _ in
            var other = config(server, name: "as-a-service", kind: .openAI)
            other.address = EndpointAddress(host: "127.0.0.1", port: server.port, url: "http://127.0.0.1:\(server.port)/v1")
            let ids = await fleet.apply([config(server), other], polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            server.answer("/v1/models", .json(#"{"data":[{"id":"new"}]}"#))
            await fleet.refresh(ids[0], models: true)
            #expect(fleet.reports()[1].1.models.map(\.name) == ["new"])
        }
        await server.stop()
    }

    /// Breaks when a hung endpoint holds the news of what went well, or when somebody waits for an endpoint that nobody asks.
    @Test func aRefreshHasAnEnd() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            let began = ContinuousClock.now
            await fleet.refresh([id], models: true, patience: .milliseconds(50))
            await fleet.refresh([EndpointID(99)], models: true, patience: .hours(1))
            await fleet.maintenance(id)
            await fleet.refresh([id], models: true, patience: .hours(1))
            #expect(ContinuousClock.now - began < .seconds(20))
            // Who waits for an endpoint that leaves the fleet is let go.
            await fleet.resume(id)
            async let refreshed: Void = fleet.refresh([id], models: true, patience: .hours(1))
            _ = await fleet.apply([], polling: rarely())
            await refreshed
        }
        await server.stop()
    }

    /// Breaks when requests still go to the old server after a name was given to another one, or when its models are taken for the new one's.
    @Test func aNameThatPointsElsewhereIsNoticedWithTheNextPoll() async throws {
        let old = try await FakePollServer.start(ollama)
        let new = try await FakePollServer.start(
            ollama.merging(["/api/tags": .json(#"{"models":[{"name":"b:latest","model":"b:latest"}]}"#)]) { $1 }, host: "127.0.0.2", port: old.port)
        let address = NIOLockedValueBox("127.0.0.1")
        let names = NameResolver { host throws(NameFault) in
            guard let found = try? SocketAddress(ipAddress: address.withLockedValue { $0 }, port: 0) else { throw .unknown(host, "") }
            return [found]
        }
        try await withFleet(names: names) { fleet, told in
            let dropped = NIOLockedValueBox<[EndpointID]>([])
            names.whenMoved { host, from, to in
                fleet.hostMoved(host, from: from, to: to) { id in dropped.withLockedValue { $0.append(id) } }
            }
            var named = config(old, name: "gpu-3")
            named.address = EndpointAddress(host: "gpu-3.test", port: old.port, url: "http://gpu-3.test:\(old.port)")
            let ids = await fleet.apply([named, config(old, name: "other")], polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports()[0].1.models.map(\.name) == ["a:latest"] })
            address.withLockedValue { $0 = "127.0.0.2" }
            // This asks for what is loaded only; that it is another server makes it ask for everything.
            fleet.pollSoon(ids[0])
            #expect(await eventually { fleet.reports()[0].1.models.map(\.name) == ["b:latest"] })
            #expect(dropped.withLockedValue { $0 } == [ids[0]])
            let line = "notice gpu-3 now resolves to 127.0.0.2 (was 127.0.0.1) endpoint=gpu-3 host=gpu-3.test"
            #expect(told.logged.contains(line), "\(told.logged)")
        }
        await old.stop()
        await new.stop()
    }
}
