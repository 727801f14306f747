// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Carries `pull`, `create`, `copy` and `delete` to several endpoints at once, and tells the client of all of them.
struct ModelManager: Sendable {
    let client: EndpointClient
    let fleet: Fleet

    /// Unpacking and checking a large model takes long, and says nothing meanwhile.
    static let silence: TimeAmount = .hours(1)
    /// A line of progress is a few hundred bytes.
    private static let lineLimit = 1024 * 1024
    /// What is told of a refusal that is no JSON.
    private static let longestMessage = 200

    private enum Event: Sendable {
        /// A line of progress.
        case line(endpoint: String, JSONValue)
        case ended(endpoint: String, ManagementOutcome.Failure?)
    }

    func run(
        _ operation: ModelOperation, method: HTTPMethod, path: String, body: JSONValue, targets: [Endpoint], writer: AnswerWriter
    ) async throws {
        let streams = operation.tellsProgress && body["stream"].given?.bool ?? true
        let (events, feed) = AsyncStream.makeStream(of: Event.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for endpoint in targets {
                group.addTask {
                    let failure = await one(method, path, body, endpoint) { feed.yield(.line(endpoint: endpoint.name, $0)) }
                    feed.yield(.ended(endpoint: endpoint.name, failure))
                }
            }
            try await tell(events, count: targets.count, operation, streams: streams, writer: writer, targets: targets)
        }
    }

    /// One endpoint's part.
    ///
    /// - Returns: nil if it was done.
    func one(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue, _ endpoint: Endpoint, progress: (JSONValue) -> Void
    ) async -> ManagementOutcome.Failure? {
        var status = 0
        var lines = LineReader(limit: Self.lineLimit)
        var begin: [UInt8] = []
        var failure: ManagementOutcome.Failure?
        func take(_ line: LineReader.Line) {
            guard case .whole(let bytes) = line, let json = bytes.withBytes({ try? JSONValue(parsing: $0) }) else { return }
            if let error = json["error"].given {
                failure = ManagementOutcome.Failure(status: status == 200 ? 502 : status, message: error.string ?? error.text)
            } else if status == 200, json["status"] != nil {
                progress(json)
            }
        }
        do {
            for try await piece in client.stream(method, path, body: body.bytes, silence: Self.silence, of: endpoint) {
                switch piece {
                case .head(let code, _): status = code
                case .bytes(let bytes):
                    if begin.count < Self.longestMessage { begin += bytes.prefix(Self.longestMessage - begin.count) }
                    bytes.withUnsafeBytes { bytes in
                        var rest = bytes
                        while let line = lines.next(&rest) { take(line) }
                    }
                }
            }
            if let line = lines.unfinished { take(line) }
        } catch {
            return ManagementOutcome.Failure(status: 502, message: "\(error)")
        }
        if status != 200, failure == nil {
            failure = ManagementOutcome.Failure(status: status, message: String(decoding: begin, as: UTF8.self))
        }
        return failure
    }

    /// Gathers, and tells: as lines if the client streams, else in one body. A head goes out with the first good news, so that a
    /// request which fails everywhere has a status of its own.
    private func tell(
        _ events: AsyncStream<Event>, count: Int, _ operation: ModelOperation, streams: Bool, writer: AnswerWriter, targets: [Endpoint]
    ) async throws {
        var failures: [String: ManagementOutcome.Failure?] = [:]
        var hasBegun = false
        func write(_ line: JSONValue) async throws {
            if !hasBegun { try await writer.begin("application/x-ndjson") }
            hasBegun = true
            try await writer.write(line.text + "\n")
        }
        for await event in events {
            switch event {
            case .line(let endpoint, var line):
                guard streams else { continue }
                // The whole's success is told at the end of the whole.
                if line["status"] == "success" { line["status"] = .string("success on \(endpoint)") }
                line["endpoint"] = .string(endpoint)
                try await write(line)
            case .ended(let endpoint, let failure):
                failures[endpoint] = .some(failure)
                if let failure, hasBegun {
                    try await write([
                        "status": .string("failed on \(endpoint)"), "endpoint": .string(endpoint), "detail": .string(failure.message),
                    ])
                }
            }
            if failures.count == count { break }
        }
        var outcome = ManagementOutcome()
        var changed: [EndpointID] = []
        for target in targets {
            let failure = failures[target.name] ?? nil
            outcome.note(target.name, failure)
            if failure == nil { changed.append(target.id) } else { fleet.pollSoon(target.id, models: true) }
        }
        // Whoever is told of it may count on it: its next request must find what has changed.
        await fleet.refresh(changed, models: true)
        let ending = outcome.ending(operation)
        if hasBegun {
            try await write(ending)
            try await writer.end(failed: !outcome.failed.isEmpty)
        } else if outcome.failed.isEmpty, !operation.tellsProgress {
            // As Ollama: nothing to say.
            try await writer.answer(LocalAnswer(status: .ok, contentType: "", body: ByteBuffer()))
        } else {
            let status = HTTPResponseStatus(statusCode: outcome.status)
            try await writer.answer(.json(ByteBuffer(string: ending.text + (streams && status == .ok ? "\n" : "")), status: status))
        }
    }
}
