// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// Asks endpoints, for the control plane: each call on a connection of its own, with a deadline and a bound on the answer.
///
/// It is no part of the requests' way and shares no connection with it, so that a poll says what a new connection would meet.
public struct EndpointClient: Sendable {
    private let group: any EventLoopGroup
    private let dialer: Dialer
    private let connectTimeout: TimeAmount
    private let timeout: TimeAmount
    private let bodyLimit: Int

    /// - Parameters:
    ///   - timeout: for a whole call, connecting included.
    ///   - bodyLimit: bytes of an answer that are read at most.
    init(
        group: any EventLoopGroup, dialer: Dialer = Dialer(), connectTimeout: TimeAmount = .seconds(5), timeout: TimeAmount = .seconds(5),
        bodyLimit: Int = 16 * 1024 * 1024
    ) {
        self.group = group
        self.dialer = dialer
        self.connectTimeout = connectTimeout
        self.timeout = timeout
        self.bodyLimit = bodyLimit
    }

    public struct Answer: Sendable {
        public var status: Int
        public var body: [UInt8]
        /// The field `Retry-After`, read.
        public var retryAfter: TimeAmount?
    }

    enum Piece: Sendable {
        case head(status: Int, isEventStream: Bool)
        case bytes([UInt8])
    }

    /// The body of a 200 answer. Any other status is an error, as is anything else that keeps a whole answer from coming.
    ///
    /// - Parameter path: begins with a slash; the endpoint's base path goes before it.
    public func get(_ path: String, of endpoint: Endpoint) async throws(ProbeError) -> [UInt8] {
        let answer = try await ask(.GET, path, of: endpoint)
        guard answer.status == 200 else {
            throw .status(answer.status, message: ProbeReading.errorMessage(answer.body), retryAfter: answer.retryAfter)
        }
        return answer.body
    }

    /// The whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - path: begins with a slash, and may have a query.
    ///   - body: JSON.
    ///   - timeout: instead of the client's own.
    public func ask(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, timeout: TimeAmount? = nil, of endpoint: Endpoint
    ) async throws(ProbeError) -> Answer {
        let loop = group.next()
        let answer = loop.makePromise(of: Answer.self)
        let head = Self.head(method, path, bodyLength: body?.count, endpoint)
        let timeout = timeout ?? self.timeout
        let bodyLimit = bodyLimit
        let connection = dialer.connect(to: endpoint, within: min(connectTimeout, timeout), on: loop) { operations in
            try operations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
            try operations.addHandler(EndpointCall(head: head, body: body, sink: WholeAnswer(answer, limit: bodyLimit)))
        }
        connection.whenFailure { answer.fail($0) }
        let timer = loop.scheduleTask(in: timeout) { answer.fail(ProbeError.timedOut(timeout)) }
        // However it ends, also when the connection is made only afterwards: nothing stays open.
        answer.futureResult.whenComplete { _ in
            timer.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
        do {
            return try await withTaskCancellationHandler {
                try await answer.futureResult.get()
            } onCancel: {
                answer.fail(ProbeError.cancelled)
            }
        } catch {
            throw ProbeError(error, within: timeout)
        }
    }

    /// An answer that comes in pieces: progress of a pull, for one. Ends when it is whole; throws `ProbeError` when it will not become
    /// so. Giving the stream up closes the connection.
    ///
    /// - Parameter silence: how long the endpoint may say nothing.
    func stream(
        _ method: HTTPMethod, _ path: String, body: [UInt8], silence: TimeAmount, of endpoint: Endpoint
    ) -> AsyncThrowingStream<Piece, any Error> {
        let (pieces, feed) = AsyncThrowingStream.makeStream(of: Piece.self, throwing: (any Error).self)
        let head = Self.head(method, path, bodyLength: body.count, endpoint)
        let timeout = connectTimeout
        let connection = dialer.connect(to: endpoint, within: timeout, on: group.next()) { operations in
            try operations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
            try operations.addHandler(IdleStateHandler(readTimeout: silence))
            try operations.addHandler(EndpointCall(head: head, body: body, sink: PiecesOfAnswer(feed)))
        }
        connection.whenFailure { feed.finish(throwing: ProbeError($0, within: timeout)) }
        feed.onTermination = { _ in connection.whenSuccess { $0.close(promise: nil) } }
        return pieces
    }

    static func head(_ method: HTTPMethod, _ path: String, bodyLength: Int?, _ endpoint: Endpoint) -> HTTPRequestHead {
        var headers: HTTPHeaders = [
            "Host": endpoint.address.authority,
            "User-Agent": "routerd/\(ProductVersion.current)",
            "Accept": "application/json",
            "Connection": "close",
        ]
        if let key = endpoint.key { headers.add(name: "Authorization", value: "Bearer \(key.exposed)") }
        if let bodyLength {
            headers.add(name: "Content-Type", value: "application/json")
            headers.add(name: "Content-Length", value: "\(bodyLength)")
        }
        let (prefix, rest) = endpoint.address.path(for: Substring(path))
        return HTTPRequestHead(version: .http1_1, method: method, uri: prefix + rest, headers: headers)
    }
}
