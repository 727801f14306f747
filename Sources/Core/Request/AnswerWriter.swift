// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The client's side of an exchange, for answers that are made off its event loop: by questions to endpoints or to the storage.
///
/// Every call hops to the event loop and asks there whether the exchange is still under way; after its end, calls throw and the task that
/// makes the answer is cancelled.
struct AnswerWriter: Sendable {
    private let exchange: NIOLoopBound<Exchange>
    private let eventLoop: any EventLoop

    struct ClientLeft: Error {}

    init(_ exchange: Exchange) {
        eventLoop = exchange.worker.eventLoop
        self.exchange = NIOLoopBound(exchange, eventLoop: eventLoop)
    }

    /// The whole answer.
    func answer(_ local: LocalAnswer) async throws {
        try await run { $0.answer(local) }
    }

    func answer(_ error: RouterError) async throws {
        try await run { $0.answer(error) }
    }

    /// The answer cannot be made: as an error, or as the end of what has begun.
    func fail(_ error: RouterError) async throws {
        try await run { $0.fail(error) }
    }

    /// Begins a stream.
    func begin(_ contentType: String) async throws {
        try await run { $0.beginStream(contentType) }
    }

    /// One piece of a stream. Returns when the client can take more.
    func write(_ text: String) async throws {
        try await write(ByteBuffer(string: text)) { _ in }
    }

    /// One piece of a stream, after `body` has seen the exchange. Returns when the client can take more.
    func write(_ bytes: ByteBuffer, _ body: @escaping @Sendable (Exchange) -> Void) async throws {
        let ready = try await eventLoop.submit { () throws -> EventLoopFuture<Void> in
            let exchange = try current()
            body(exchange)
            return exchange.writeStream(bytes)
        }.get()
        try await ready.get()
    }

    func end(failed: Bool = false) async throws {
        try await run { $0.endStream(failed: failed) }
    }

    /// Something of the exchange itself.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Exchange) throws -> Result) async throws -> Result {
        try await eventLoop.submit { try body(try current()) }.get()
    }

    private func current() throws -> Exchange {
        guard !exchange.value.life.isOver else { throw ClientLeft() }
        return exchange.value
    }
}
