// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Core

/// llama-server with several models answers before it has loaded one. What breaks without these: an operator is told that a model is
/// loaded which never will be.
@Suite struct ModelLoaderTests {
    /// - Parameter statuses: what the list says of the model, look after look; the last one stays.
    private static func load(_ statuses: [String], reply: (String, String) = (#"{"success":true}"#, "200 OK")) async throws -> ManagementOutcome
        .Failure?
    {
        let looks = NIOLockedValueBox(0)
        let server = try FakeEndpoint(available: []) { connection, request in
            guard request.path == "/v1/models" else {
                connection.answer(reply.0, status: reply.1)
                return
            }
            let look = looks.withLockedValue { looks in
                defer { looks += 1 }
                return min(looks, statuses.count - 1)
            }
            connection.answer(#"{"data":[{"id":"other","status":{"value":"loaded"}},{"id":"big","status":\#(statuses[look])}]}"#)
        }
        defer { server.die() }
        let endpoint = Endpoint(
            id: EndpointID(1), name: "llama", address: EndpointAddress(host: "127.0.0.1", port: server.port, url: server.url), kind: .llamaServer,
            limit: 1)
        let loader = ModelLoader(client: EndpointClient(group: MultiThreadedEventLoopGroup.singleton), endpoint: endpoint, model: "big")
        let failure = await loader.load(isLoaded: false, keepAlive: nil)
        #expect(server.requests.first?.path == "/models/load" && server.requests.first?.string("model") == "big")
        return failure
    }

    @Test func itIsWaitedFor() async throws {
        let failure = try await Self.load([#"{"value":"unloaded"}"#, #"{"value":"loading"}"#, #"{"value":"loaded"}"#])
        #expect(failure == nil)
    }

    @Test(arguments: [[#"{"value":"unloaded","failed":true,"exit_code":1}"#], [#"{"value":"loading"}"#, #"{"value":"unloaded"}"#]])
    func aFailureIsTold(_ statuses: [String]) async throws {
        let failure = try await Self.load(statuses)
        #expect(failure?.message == "it could not load the model")
    }

    @Test func aRefusalIsTold() async throws {
        let refused = try await Self.load([#"{"value":"unloaded"}"#], reply: (#"{"error":{"message":"model 'big' not found"}}"#, "400 Bad Request"))
        #expect(refused == ManagementOutcome.Failure(status: 400, message: "model 'big' not found"))
        let single = try await Self.load([#"{"value":"unloaded"}"#], reply: (#"{"error":{"message":"File Not Found"}}"#, "404 Not Found"))
        #expect(single?.status == 501)
    }
}
