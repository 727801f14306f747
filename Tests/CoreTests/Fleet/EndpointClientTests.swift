// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix
import Protocol
import TestSupport
import Testing

@testable import Core

private let group = MultiThreadedEventLoopGroup.singleton

private func endpoint(port: Int, basePath: String = "", key: String? = nil, host: String = "127.0.0.1") -> Endpoint {
    Endpoint(
        id: EndpointID(1), name: "e", address: EndpointAddress(host: host, port: port, basePath: basePath, url: "http://\(host):\(port)"),
        kind: .ollama, limit: 2, key: key.map(Secret.init))
}

private func failure(
    _ answer: FakePollServer.Answer, timeout: TimeAmount = .seconds(5), bodyLimit: Int = 1024, key: String? = nil
) async throws -> ProbeError? {
    let server = try await FakePollServer.start(["/x": answer])
    let client = EndpointClient(group: group, timeout: timeout, bodyLimit: bodyLimit)
    var failure: ProbeError?
    do {
        _ = try await client.get("/x", of: endpoint(port: server.port, key: key))
    } catch {
        failure = error
    }
    await server.stop()
    return failure
}

@Suite struct EndpointClientTests {
    @Test func asksWithBasePathKeyAndName() async throws {
        let server = try await FakePollServer.start(["/base/x": .json("{}")])
        let body = try await EndpointClient(group: group).get("/x", of: endpoint(port: server.port, basePath: "/base", key: "s3cret"))
        #expect(body == Array("{}".utf8))
        let request = try #require(server.requests.first).lowercased()
        #expect(request.hasPrefix("get /base/x http/1.1\r\n"))
        #expect(request.contains("\r\nhost: 127.0.0.1:\(server.port)\r\n"))
        #expect(request.contains("\r\nuser-agent: routerd/\(ProductVersion.current)\r\n"))
        #expect(request.contains("\r\nauthorization: bearer s3cret\r\n"))
        #expect(request.contains("\r\nconnection: close\r\n"))
        await server.stop()
    }

    @Test func sendsNoAuthorizationWithoutAKey() async throws {
        let server = try await FakePollServer.start(["/x": .json("{}")])
        _ = try await EndpointClient(group: group).get("/x", of: endpoint(port: server.port))
        #expect(server.requests.first?.lowercased().contains("authorization") == false)
        await server.stop()
    }

    @Test func readsChunkedAndUncountedBodies() async throws {
        let server = try await FakePollServer.start([
            "/chunked": .raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n"),
            "/uncounted": .raw("HTTP/1.1 200 OK\r\n\r\n{} "),
        ])
        for path in ["/chunked", "/uncounted"] {
            let body = try await EndpointClient(group: group).get(path, of: endpoint(port: server.port))
            #expect(body == Array("{} ".utf8))
        }
        await server.stop()
    }

    /// Breaks when nobody listening is told as something slower, so that the endpoint is not down at once.
    @Test(arguments: ["127.0.0.1", "localhost"]) func refusedIsRefused(host: String) async throws {
        let (socket, port) = try TCPSocket.boundAndDeaf()
        defer { socket.close() }
        await #expect(throws: ProbeError.refused) { try await EndpointClient(group: group).get("/x", of: endpoint(port: port, host: host)) }
    }

    /// The server stays silent for good: whoever does not keep the deadline never gets here.
    @Test(.timeLimit(.minutes(1))) func silenceEndsAtTheDeadline() async throws {
        let found = try await failure(.silence, timeout: .milliseconds(100))
        #expect(found == .timedOut(.milliseconds(100)))
    }

    @Test func statusComesWithItsMessage() async throws {
        let loading = try await failure(.status(503, #"{"error":{"code":503,"message":"Loading model"}}"#))
        #expect(loading == .status(503, message: "Loading model"))
        let refused = try await failure(.status(401, "<html>"))
        #expect(refused == .status(401, message: ""))
        let moved = try await failure(.status(302, ""))
        #expect(moved == .status(302, message: ""))
    }

    /// Breaks when an endpoint can fill our memory, told beforehand or not.
    @Test func largeAnswersAreCutOff() async throws {
        let counted = try await failure(.json(String(repeating: "x", count: 1025)))
        #expect(counted == .tooLarge(limit: 1024))
        let uncounted = try await failure(.raw("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 5000)))
        #expect(uncounted == .tooLarge(limit: 1024))
        let within = try await failure(.json(String(repeating: "x", count: 1024)))
        #expect(within == nil)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ])
    func whatIsNoWholeHTTPIsABadAnswer(raw: String) async throws {
        let found = try await failure(.raw(raw))
        guard case .badAnswer = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    /// Breaks when a key can smuggle headers, or when such a key makes the poll wait for its deadline.
    @Test func aKeyWithALineBreakIsNeverSent() async throws {
        let found = try await failure(.json("{}"), timeout: .seconds(8), key: "a\r\nX-Evil: 1")
        guard let found else {
            Issue.record("it was sent")
            return
        }
        if case .timedOut = found { Issue.record("the poll waited for its deadline") }
    }

    @Test func cancellationEndsACallAtOnce() async throws {
        let server = try await FakePollServer.start(["/x": .silence])
        let port = server.port
        let call = Task { try await EndpointClient(group: group, timeout: .seconds(60)).get("/x", of: endpoint(port: port)) }
        #expect(await eventually { server.requests.count == 1 })
        call.cancel()
        await #expect(throws: ProbeError.cancelled) { try await call.value }
        await server.stop()
    }
}
