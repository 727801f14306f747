// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Protocol

/// Answers that a task makes: it runs beside the event loop and writes through an `AnswerWriter`.
extension ExchangeHandler {
    /// Starts the task. It must answer; if it throws instead, the exchange ends with an error.
    func start(_ exchange: Exchange, _ body: @escaping @Sendable (AnswerWriter) async throws -> Void) {
        // Only an answer that is under way goes on without its client.
        guard let context, !isDetached else { return abandonExchange() }
        exchange.enter(.processing, now: .now())
        exchange.hasJob = true
        let writer = AnswerWriter(handler: self, eventLoop: context.eventLoop, exchange: exchange.id)
        exchange.detour.job = Task {
            do {
                try await body(writer)
            } catch let error as RouterError {
                try? await writer.fail(error)
            } catch is AnswerWriter.ClientLeft {
                return
            } catch {
                try? await writer.fail(.internalFault("\(error)"))
            }
        }
    }

    func report(_ page: Route.ReportPage, _ exchange: Exchange) {
        guard let pages = worker.shared.reports.withLockedValue({ $0 }) else { return answer(.stopping) }
        let query = Self.split(exchange.head.uri).query
        let body = exchange.body.flatMap { body in body.withUnsafeReadableBytes { try? JSONValue(parsing: $0) } } ?? [:]
        start(exchange) { writer in
            guard page == .usageStream else { return try await writer.answer(await pages.answer(page, query: query, body: body)) }
            try await writer.begin("text/event-stream")
            var last = ""
            // A daemon that stops does not wait for those who watch it.
            while !pages.isStopping {
                await pages.refresh()
                let now = pages.usage().text
                if now != last {
                    last = now
                    // Returns when the client has room again: a slow one misses what was in between.
                    try await writer.write("data: \(now)\n\n")
                }
                try await Task.sleep(for: .milliseconds(ReportPages.streamInterval))
            }
            try await writer.end()
        }
    }

    // MARK: Streams of our own

    func beginStream(_ exchange: Exchange, _ contentType: String) {
        guard !machine.answerHasBegun, !machine.isClosed else { return }
        let now = NIODeadline.now()
        exchange.status = 200
        exchange.enter(.streaming, now: now)
        exchange.lastActivity = worker.coarseNow
        machine.beginAnswer()
        let version = exchange.head.version
        framing = version.knowsChunks ? .chunked : .none
        if framing == .none { machine.endAfterThis() }
        LocalAnswer(status: .ok, contentType: contentType, body: ByteBuffer())
            .writeHead(version: version, framing: framing, closes: !machine.keepsAlive, into: &out) { buffer in
                writeAnswerFields(exchange, into: &buffer)
            }
        flushOut()
    }

    /// - Returns: done when the client can take more.
    func writeStream(_ exchange: Exchange, _ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context else { return worker.eventLoop.makeFailedFuture(AnswerWriter.ClientLeft()) }
        exchange.lastActivity = worker.coarseNow
        exchange.bytesSent += bytes.readableBytes
        writeBody(bytes)
        flushOut()
        if context.channel.isWritable { return context.eventLoop.makeSucceededVoidFuture() }
        let promise = exchange.detour.writable ?? context.eventLoop.makePromise(of: Void.self)
        exchange.detour.writable = promise
        return promise.futureResult
    }

    func endStream(_ exchange: Exchange, failed: Bool) {
        if framing == .chunked { ResponseSerializer.writeLastChunk(trailers: nil, into: &out) }
        finishExchange(failed ? .failed : .completed)
    }
}

extension AnswerWriter {
    /// The answer cannot be made: as an error, or as the end of what has begun.
    func fail(_ error: RouterError) async throws {
        try await run { handler, _ in
            if handler.machine.answerHasBegun { handler.cutAnswer(error) } else { handler.answer(error) }
        }
    }
}

extension ReportPages {
    /// Milliseconds between two looks at what a usage stream tells.
    static let streamInterval = 200
}
