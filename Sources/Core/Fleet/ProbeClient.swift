// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import NIOPosix
import Protocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Asks an endpoint one thing, for the control plane: on a connection of its own, with a deadline and a bound on the answer.
///
/// It is no part of the requests' way and shares nothing with it, so that a poll says what a new connection would meet.
public struct ProbeClient: Sendable {
    let group: any EventLoopGroup
    let tls: TLSClients
    let connectTimeout: TimeAmount
    private let timeout: TimeAmount
    private let bodyLimit: Int

    /// - Parameters:
    ///   - timeout: for the whole call, connecting included.
    ///   - bodyLimit: bytes of an answer that are read at most.
    init(
        group: any EventLoopGroup, tls: TLSClients = TLSClients(), connectTimeout: TimeAmount = .seconds(5), timeout: TimeAmount = .seconds(5),
        bodyLimit: Int = 16 * 1024 * 1024
    ) {
        self.group = group
        self.tls = tls
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
        let bodyLimit = bodyLimit
        let context: TLSContext?
        do throws(TLSError) {
            context = try tls.context(for: endpoint)
        } catch {
            answer.fail(error)
            throw .unreachable("\(error)")
        }
        let host = endpoint.address.host
        let timeout = timeout ?? self.timeout
        let connection = ClientBootstrap(group: loop)
            .connectTimeout(min(connectTimeout, timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(TLSHandler(client: context, host: host)) }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try channel.pipeline.syncOperations.addHandler(ProbeHandler(head: head, requestBody: body, bodyLimit: bodyLimit, answer: answer))
                }
            }
            .connect(host: endpoint.address.host, port: endpoint.address.port)
        connection.whenFailure { answer.fail(Self.typed($0, timeout)) }
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
            throw Self.typed(error, timeout)
        }
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

    static func typed(_ error: any Error, _ timeout: TimeAmount) -> ProbeError {
        switch error {
        case let error as ProbeError: return error
        case let error as NIOConnectionError:
            // A name may stand for several addresses; what the first of them met tells most, unless all refused.
            if error.connectionErrors.isEmpty { return .unreachable("no address found for \(error.host)") }
            let causes = error.connectionErrors.map { typed($0.error, timeout) }
            let told = causes.filter { !$0.isOurs }
            return told.first { $0 != .refused } ?? told.first ?? causes.first ?? .refused
        case ChannelError.connectTimeout: return .timedOut(timeout)
        case let error as IOError where error.errnoCode == ECONNREFUSED: return .refused
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            return .badAnswer("connection lost before the whole answer")
        case let error as IOError:
            let fault = IOFault(error)
            return fault.isOurs ? .ours(fault.reason) : .unreachable(fault.reason)
        case let error as HTTPParserError: return .badAnswer("not HTTP (\(error))")
        default: return .unreachable("\(error)")
        }
    }
}

/// Sends the one request, gathers the answer, fulfils the promise. Later outcomes do not change earlier ones.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let requestBody: [UInt8]?
    private let bodyLimit: Int
    private let answer: EventLoopPromise<ProbeClient.Answer>
    private var answerHead: HTTPResponseHead?
    private var body: [UInt8] = []

    init(head: HTTPRequestHead, requestBody: [UInt8]?, bodyLimit: Int, answer: EventLoopPromise<ProbeClient.Answer>) {
        self.head = head
        self.requestBody = requestBody
        self.bodyLimit = bodyLimit
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let sent = context.eventLoop.makePromise(of: Void.self)
        // A head that may not be sent (a key with a line break) fails here and nowhere else.
        sent.futureResult.cascadeFailure(to: answer)
        context.write(wrapOutboundOut(.head(head)), promise: sent)
        if let requestBody { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: requestBody)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answerHead = head
        case .body(let chunk):
            guard body.count + chunk.readableBytes <= bodyLimit else { return answer.fail(ProbeError.tooLarge(limit: bodyLimit)) }
            body.append(contentsOf: chunk.readableBytesView)
        case .end:
            let retryAfter = answerHead?.headers.first(name: "retry-after").flatMap { RetryAfter.parse($0, unixNow: WallClock.unixSeconds()) }
            answer.succeed(ProbeClient.Answer(status: Int(answerHead?.status.code ?? 0), body: body, retryAfter: retryAfter))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let what = error as? HTTPParserError == .invalidEOFState ? ProbeError.badAnswer("connection closed before the end") : nil
        answer.fail(what ?? error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ProbeError.badAnswer(answerHead == nil ? "connection closed without an answer" : "connection closed before the end"))
        context.fireChannelInactive()
    }
}
