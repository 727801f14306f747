// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The client's side of an exchange, for answers that are made off its event loop: by questions to endpoints or to the storage.
///
/// Every call hops to the event loop and asks there whether the exchange is still the same; after the client has left, calls throw
/// and the task that makes the answer is cancelled.
struct AnswerWriter: Sendable {
    private let handler: NIOLoopBound<ExchangeHandler>
    private let eventLoop: any EventLoop
    private let exchange: UInt64

    struct ClientLeft: Error {}

    init(handler: ExchangeHandler, eventLoop: any EventLoop, exchange: UInt64) {
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        self.eventLoop = eventLoop
        self.exchange = exchange
    }

    /// The whole answer.
    func answer(_ local: LocalAnswer) async throws {
        try await run { handler, _ in handler.answer(local) }
    }

    func answer(_ error: RouterError) async throws {
        try await run { handler, _ in handler.answer(error) }
    }

    /// Begins a stream.
    func begin(_ contentType: String) async throws {
        try await run { handler, exchange in handler.beginStream(exchange, contentType) }
    }

    /// One piece of a stream. Returns when the client can take more.
    func write(_ text: String) async throws {
        let ready = try await eventLoop.submit { () throws -> EventLoopFuture<Void> in
            let (handler, exchange) = try current()
            return handler.writeStream(exchange, ByteBuffer(string: text))
        }.get()
        try await ready.get()
    }

    /// One piece of a stream, after `body` has seen the exchange. Returns when the client can take more.
    func write(_ bytes: ByteBuffer, _ body: @escaping @Sendable (ExchangeHandler, Exchange) -> Void) async throws {
        let ready = try await eventLoop.submit { () throws -> EventLoopFuture<Void> in
            let (handler, exchange) = try current()
            body(handler, exchange)
            return handler.writeStream(exchange, bytes)
        }.get()
        try await ready.get()
    }

    func end(failed: Bool = false) async throws {
        try await run { handler, exchange in handler.endStream(exchange, failed: failed) }
    }

    /// Something of the exchange itself.
    func run<Result: Sendable>(_ body: @escaping @Sendable (ExchangeHandler, Exchange) throws -> Result) async throws -> Result {
        try await eventLoop.submit {
            let (handler, exchange) = try current()
            return try body(handler, exchange)
        }.get()
    }

    private func current() throws -> (ExchangeHandler, Exchange) {
        let handler = handler.value
        guard let exchange = handler.exchange, exchange.id == self.exchange, !handler.machine.isClosed else { throw ClientLeft() }
        return (handler, exchange)
    }
}
