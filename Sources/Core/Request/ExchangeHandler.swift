// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore
import NIOHTTP1
import Protocol
import Synchronization

/// A client's connection: carries one exchange after the other. It translates the channel's events for `ConnectionStateMachine` and for
/// the exchange, and puts on the wire what the exchange wants there (`+Answer`).
///
/// Bound to its event loop, hence not `Sendable`.
final class ExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    let worker: Worker
    var machine = ConnectionStateMachine()
    /// The exchange whose turn it is.
    private(set) var exchange: Exchange?
    var context: ChannelHandlerContext?
    /// There from the moment that the handler is in a pipeline.
    var output: ClientOutput?
    /// Where this connection stands in its worker's list.
    var workerIndex = 0
    /// For the line's fairness where there are no keys; made once, as it costs a string.
    private(set) var tenant = Tenant("")
    private(set) var address = ""

    /// Requests that came before their turn.
    private var held: Deque<HTTPServerRequestPart> = []
    private var replay = Replay.resting
    private var reads = Reads.flowing

    /// When the connection opened, became idle, or began to linger: what the sweeper measures by.
    private(set) var rest: Rest
    /// The connection is ending, and is closed by then whatever happens.
    var closesBy: NIODeadline?

    private enum Replay { case resting, running }

    /// Whether the client is read.
    enum Reads: Equatable {
        case flowing
        /// Those that the request's body goes to are slower than the client.
        case withheld(isWanted: Bool)
    }

    enum Rest {
        /// It has carried no request yet.
        case fresh(since: NIODeadline)
        case between(since: NIODeadline)
    }

    init(worker: Worker) {
        self.worker = worker
        rest = .fresh(since: .now())
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        output = ClientOutput(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        output = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        let remote = context.remoteAddress
        tenant = Tenant(remote?.ipAddress ?? "")
        address = Self.text(remote)
        worker.opened(self)
        if worker.isStopping { machine.endAfterThis() }
        context.fireChannelActive()
    }

    /// Reads are withheld while requests that came early wait for their turn: the memory for them is one read's worth.
    func read(context: ChannelHandlerContext) {
        if held.isEmpty, reads == .flowing {
            context.read()
        } else {
            reads = .withheld(isWanted: true)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handle(unwrapInboundIn(data))
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientTakes(more: context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) {
        machine.closed()
        held.removeAll()
        if let exchange {
            self.exchange = nil
            exchange.clientLeft()
        }
        worker.closed(self)
        worker.shared.connections.subtract(1, ordering: .relaxed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch ClientFault(error) {
        // The client left within its request: `channelInactive` follows and accounts for it.
        case .left: break
        case .request(let fault): refuseConnection(fault(worker.settings.limits))
        // The connection itself is broken: nobody is there to be told.
        case .connection: context.close(promise: nil)
        }
    }

    // MARK: Parts, in order

    private func handle(_ part: HTTPServerRequestPart) {
        let holding = !held.isEmpty && replay == .resting
        switch part {
        case .head(let head):
            switch holding ? .hold : machine.receivedHead(keepAlive: head.isKeepAlive && !worker.isStopping) {
            case .begin: begin(head)
            case .hold: held.append(part)
            case .ignore: break
            }
        case .body(let bytes):
            switch machine.receivedBody(holding: holding) {
            case .keep: exchange?.receivedBody(bytes)
            case .hold: held.append(part)
            case .ignore: break
            }
        case .end(let trailers):
            switch machine.receivedEnd(holding: holding) {
            case .decide: exchange?.requestEnded(trailers: trailers)
            case .hold: held.append(part)
            case .ignore: break
            case .next: nextRequest()
            case .close: context?.close(promise: nil)
            }
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        rest = .between(since: worker.coarseNow)
        let now = NIODeadline.now()
        let check = HeadCheck(head, worker.settings)
        let exchange = Exchange(check, head: head, client: self, now: now)
        self.exchange = exchange
        if let refusal = check.refusal {
            if refusal.endsConnection { machine.endAfterThis() }
            return exchange.answer(refusal.error)
        }
        // The body is wanted: everything that can be said against the request without it has been said.
        if check.expectsContinue { output?.writeNow(ResponseSerializer.continueLine) }
        exchange.begin()
    }

    /// The exchange is over and the connection goes on: what was held back is due.
    func nextRequest() {
        exchange = nil
        rest = .between(since: worker.coarseNow)
        guard replay == .resting else { return }
        replay = .running
        while machine.request != .whole, !machine.isClosed, let part = held.popFirst() { handle(part) }
        replay = .resting
        if worker.isStopping, machine.isIdle, held.isEmpty {
            context?.close(promise: nil)
        } else {
            resumeReads()
        }
    }

    /// The exchange has ended, and the connection has not yet.
    func forgetExchange() { exchange = nil }

    // MARK: Reads

    func withholdReads() { if reads == .flowing { reads = .withheld(isWanted: false) } }

    func resumeReads() {
        guard held.isEmpty, case .withheld(let isWanted) = reads else { return }
        reads = .flowing
        if isWanted { context?.read() }
    }

    // MARK: From the worker

    func sweep(now: NIODeadline) {
        guard context != nil else { return }
        if let closesBy {
            if now > closesBy { context?.close(promise: nil) }
        } else if let exchange {
            exchange.sweep(now: now)
        } else {
            sweepResting(now, worker.settings.limits)
        }
    }

    private func sweepResting(_ now: NIODeadline, _ limits: Config.Limits) {
        switch rest {
        case .fresh(let since):
            if now - since > limits.headerTimeout { refuseConnection(.headersTooSlow) }
        case .between(let since):
            // Reading and forgetting the body of a request that was answered early, or waiting for the next one.
            let patience = machine.request == .receiving ? limits.bodyTimeout : limits.keepaliveTimeout
            if now - since > patience { context?.close(promise: nil) }
        }
    }

    /// SIGTERM: nothing new.
    func endAfterCurrentRequest() {
        machine.endAfterThis()
        if machine.isIdle { context?.close(promise: nil) }
    }

    /// Shutdown's deadline has passed.
    func abort() {
        exchange?.fail(.stopping)
        output?.flush()
        context?.close(promise: nil)
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress else { return "" }
        let port = address.port ?? 0
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// What went wrong with what a client sent.
private enum ClientFault {
    /// The client left within its request.
    case left
    case request((Config.Limits) -> RouterError)
    case connection

    init(_ error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: self = .left
        case HTTPParserError.headerOverflow: self = .request { .headersTooLarge(limit: $0.maxHeaderBytes) }
        case HTTPParserError.unknown:
            // The parser's word for heads that two readers could read differently.
            self = .request { _ in .malformedRequest("its head is ambiguous, such as by both Content-Length and Transfer-Encoding") }
        case is HTTPParserError, is NIOHTTPDecoderError: self = .request { _ in .malformedRequest("\(error)") }
        default: self = .connection
        }
    }
}
