// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix

/// Commands to one Redis server, over one connection that is opened when it is needed and again after it was lost. After a
/// failure the next attempt waits, longer each time up to `maxBackoff`; until then calls fail at once, so that nobody waits for a
/// server that is gone.
///
/// `@unchecked Sendable`: everything but constants is only touched on `eventLoop`.
final class RedisClient: @unchecked Sendable {
    private enum State {
        case idle
        case connecting(EventLoopFuture<RedisConnection>.Isolated)
        case open(RedisConnection)
        case closed
    }

    static let patience = TimeAmount.milliseconds(500)
    static let maxBackoff = TimeAmount.seconds(5)

    let address: RedisAddress
    private let eventLoop: any EventLoop
    private let dialer: Dialer
    private let logger: Logger
    private var state = State.idle
    private var failures = 0
    private var notBefore = NIODeadline.uptimeNanoseconds(0)
    private var fault = ""

    init(_ address: RedisAddress, group: any EventLoopGroup, dialer: Dialer = Dialer(), logger: Logger) {
        self.address = address
        self.eventLoop = group.next()
        self.dialer = dialer
        self.logger = logger
    }

    /// - Returns: a reply for each command. A reply that is an error is one; only `commands` that could not be sent or answered throw.
    func send(_ commands: [RedisCommand]) async throws -> [RESPValue] {
        try await eventLoop.flatSubmit { self.sendOnLoop(commands) }.get()
    }

    /// - Throws: `RedisConnection.Closed` also for a reply that is an error.
    func send(_ command: RedisCommand) async throws -> RESPValue {
        let replies = try await send([command])
        guard let reply = replies.first else { throw RedisConnection.Closed(reason: "no reply") }
        if let error = reply.error { throw RedisConnection.Closed(reason: error) }
        return reply
    }

    func close() async {
        try? await eventLoop.submit {
            if case .open(let connection) = self.state { connection.close("closed") }
            self.state = .closed
        }.get()
    }

    // MARK: On the event loop

    private func sendOnLoop(_ commands: [RedisCommand]) -> EventLoopFuture<[RESPValue]> {
        switch state {
        case .open(let connection):
            return connection.send(commands) ?? eventLoop.makeFailedFuture(RedisConnection.Closed(reason: "the connection was closed"))
        case .connecting(let future):
            return future.flatMap {
                $0.send(commands) ?? self.eventLoop.makeFailedFuture(RedisConnection.Closed(reason: "the connection was closed"))
            }
            .nonisolated()
        case .closed: return eventLoop.makeFailedFuture(RedisConnection.Closed(reason: "closed"))
        case .idle:
            guard NIODeadline.now() >= notBefore else { return eventLoop.makeFailedFuture(RedisConnection.Closed(reason: fault)) }
            state = .connecting(connect())
            return sendOnLoop(commands)
        }
    }

    private func connect() -> EventLoopFuture<RedisConnection>.Isolated {
        let connected = Self.open(address, by: dialer, on: eventLoop) { [weak self] reason in self?.lost(reason) }
        connected.whenComplete { result in
            switch result {
            case .success(let connection):
                if case .closed = self.state { return connection.close("closed") }
                if !self.fault.isEmpty { self.logger.notice("the cache's Redis is back", metadata: ["redis": "\(self.address.description)"]) }
                self.failures = 0
                self.fault = ""
                self.state = .open(connection)
            case .failure(let error):
                self.lost("\(error is RedisConnection.Closed ? "\(error)" : IOErrorText.reason(error))")
            }
        }
        return connected
    }

    private func lost(_ reason: String) {
        if case .closed = state { return }
        if case .idle = state { return }
        state = .idle
        if fault.isEmpty {
            logger.warning(
                "the cache's Redis is gone; requests go on without it", metadata: ["redis": "\(address.description)", "reason": "\(reason)"])
        }
        fault = reason
        failures += 1
        let pause = TimeAmount.milliseconds(Int64(100 << min(failures - 1, 10)))
        notBefore = .now() + min(pause, Self.maxBackoff)
    }

    /// Connects, shakes hands, logs in.
    static func open(
        _ address: RedisAddress, by dialer: Dialer, on eventLoop: any EventLoop, onClose: @escaping (String) -> Void
    ) -> EventLoopFuture<RedisConnection>.Isolated {
        let tls: TLSContext?
        do throws(TLSError) {
            tls = address.isSecure ? try TLSContext(client: address.tls) : nil
        } catch {
            return eventLoop.makeFailedFuture(error).assumeIsolated()
        }
        let handler = NIOLoopBound(RedisConnection(patience: patience, onClose: onClose), eventLoop: eventLoop)
        let channel = dialer.connect(to: address.place, tls: tls.map { ($0, address.host) }, within: patience, on: eventLoop) { operations in
            try operations.addHandler(ByteToMessageHandler(SingleStep()))
            try operations.addHandler(handler.value)
        }
        return channel.assumeIsolated().flatMap { _ -> EventLoopFuture<NIOLoopBound<RedisConnection>> in
            let connection = handler.value
            // An unanswered PING would be found out by patience; what refuses says so here.
            let greeting = Self.greeting(address)
            guard let replies = connection.send(greeting) else {
                return eventLoop.makeFailedFuture(RedisConnection.Closed(reason: "the connection was closed"))
            }
            return replies.flatMapThrowing { replies in
                if let refusal = replies.lazy.compactMap(\.error).first {
                    handler.value.close(refusal)
                    throw RedisConnection.Closed(reason: refusal)
                }
                return handler
            }
        }.map { $0.value }
    }

    private static func greeting(_ address: RedisAddress) -> [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password = address.password?.exposed {
            commands.append(RedisCommand(["AUTH"] + (address.user.map { [$0] } ?? []) + [password]))
        }
        if address.database != 0 { commands.append(RedisCommand("SELECT", "\(address.database)")) }
        return commands + [RedisCommand("PING")]
    }

    /// `NIOSingleStepByteToMessageDecoder` as a handler's decoder.
    private struct SingleStep: ByteToMessageDecoder {
        typealias InboundOut = RESPValue
        private var decoder = RESPDecoder()

        mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
            guard let value = try decoder.decode(buffer: &buffer) else { return .needMoreData }
            context.fireChannelRead(Self.wrapInboundOut(value))
            return .continue
        }

        mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
            while try decode(context: context, buffer: &buffer) == .continue {}
            return .needMoreData
        }
    }
}
