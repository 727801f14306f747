// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix
import NIOConcurrencyHelpers

/// A model server for polls: on loopback, on a port of its own, with scripted answers to each path. One request a connection,
/// whose body is `{}` if it has one.
final class FakePollServer: Sendable {
    enum Answer: Sendable {
        case json(String)
        case status(Int, String)
        /// These bytes, then the end of the connection.
        case raw(String)
        case silence
    }

    let port: Int

    /// - Parameter port: 0 for any free one.
    static func start(_ answers: [String: Answer], host: String = "127.0.0.1", port: Int = 0) async throws -> FakePollServer {
        let shared = Shared(answers)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(shared))
                }
            }
            .bind(host: host, port: port).get()
        return FakePollServer(shared, channel)
    }

    private final class Shared: Sendable {
        let answers: NIOLockedValueBox<[String: Answer]>
        let requests = NIOLockedValueBox<[String]>([])

        init(_ answers: [String: Answer]) {
            self.answers = NIOLockedValueBox(answers)
        }
    }

    private let shared: Shared
    private let channel: any Channel

    private init(_ shared: Shared, _ channel: any Channel) {
        self.shared = shared
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
    }

    /// From now on.
    func answer(_ path: String, _ answer: Answer) {
        shared.answers.withLockedValue { $0[path] = answer }
    }

    /// The heads of all requests so far, as they came.
    var requests: [String] { shared.requests.withLockedValue { $0 } }

    func count(_ path: String) -> Int { requests.count { $0.hasPrefix("GET \(path) ") } }

    func stop() async {
        try? await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let shared: Shared
        private var text = ""

        init(_ shared: Shared) {
            self.shared = shared
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            guard text.hasSuffix("\r\n\r\n") || text.hasSuffix("\r\n\r\n{}") else { return }
            shared.requests.withLockedValue { $0.append(text) }
            let words = text.split(separator: " ")
            let path = words.count > 1 ? String(words[1]) : ""
            let bytes: String
            switch shared.answers.withLockedValue({ $0[path] }) ?? .status(404, "404 page not found") {
            case .silence: return
            case .raw(let raw): bytes = raw
            case .json(let body): bytes = response(200, body)
            case .status(let code, let body): bytes = response(code, body)
            }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
            context.close(promise: nil)
        }

        private func response(_ code: Int, _ body: String) -> String {
            "HTTP/1.1 \(code) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        }
    }
}

/// Waits until something is so, at most 10 seconds; whether it came to be.
func eventually(_ condition: () async -> Bool) async -> Bool {
    let end = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < end {
        if await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return await condition()
}
