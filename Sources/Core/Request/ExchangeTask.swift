// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Protocol

/// Answers that a task makes: it runs beside the event loop and writes through an `AnswerWriter`.
extension Exchange {
    /// Starts the task. It must answer, or let the exchange go on; if it throws instead, the exchange ends with an error.
    func start(_ body: @escaping @Sendable (AnswerWriter) async throws -> Void) {
        // Nobody waits for it.
        guard life.work() else { return end(.aborted) }
        run(body)
    }

    func run(_ body: @escaping @Sendable (AnswerWriter) async throws -> Void) {
        enter(.processing, now: .now())
        lastActivity = worker.coarseNow
        let writer = AnswerWriter(self)
        sideWork.task = Task {
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

    /// The task has done its part: to an endpoint now.
    func goOn() {
        guard life.goOn() else { return }
        existingSideWork?.task = nil
        if life.stage == nil { schedule() } else { carry(.now()) }
    }

    func report(_ page: Route.ReportPage) {
        guard let pages = worker.shared.reports.withLockedValue({ $0 }) else { return answer(.stopping) }
        let query = HeadCheck.split(head.uri).query
        let body = body.flatMap { body in body.withUnsafeReadableBytes { try? JSONValue(parsing: $0) } } ?? [:]
        start { writer in
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
}

extension ReportPages {
    /// Milliseconds between two looks at what a usage stream tells.
    static let streamInterval = 200
}
