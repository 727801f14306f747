// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore
import NIOHTTP1
import Protocol
import Synchronization

/// A client's connection: carries one exchange after the other, from the parsed head to the last byte of the answer.
///
/// In the order of events: this file takes what the channel brings, `+Request` decides what to do with a request,
/// `+Upstream` carries it to an endpoint, `+Answer` writes what goes back, `+Deadlines` ends what takes too long.
/// What is legal when is `ExchangeStateMachine`'s to say.
///
/// Bound to its event loop, hence not `Sendable`; the scheduler, which lives on no loop, reaches it through `Mailbox`.
final class ExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    let worker: Worker
    var machine = ExchangeStateMachine()
    var exchange: Exchange?
    var context: ChannelHandlerContext?
    /// Where this connection stands in its worker's list.
    var workerIndex = 0
    /// For the line's fairness where there are no keys; made once, as it costs a string.
    private(set) var tenant = Tenant("")
    private(set) var clientAddress = ""

    /// What is to be written at the end of the current read: a head, small chunks. Kept between uses, so that a stream
    /// whose client keeps up allocates nothing for its tokens.
    var out: ByteBuffer
    /// How the answer's body is delimited.
    var framing = ForwardedHeaders.Framing.none

    /// Requests that came before their turn.
    private var held: Deque<HTTPServerRequestPart> = []
    private var isReplaying = false
    private var heldRead = false
    /// The request's body must wait: those that it goes to are slower than the client.
    var holdsReads = false

    /// When the connection opened, became idle, or began to linger: what the sweeper measures by.
    var restingSince: NIODeadline
    var hasCarriedRequest = false
    /// The connection is ending, and is closed by then whatever happens.
    var closesBy: NIODeadline?

    /// The client has gone; what it asked for goes on for those who follow it.
    var isDetached = false

    init(worker: Worker) {
        self.worker = worker
        restingSince = .now()
        out = ByteBuffer()
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        out = context.channel.allocator.buffer(capacity: 1024)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.remoteAddress
        tenant = Tenant(address?.ipAddress ?? "")
        clientAddress = Self.text(address)
        worker.opened(self)
        if worker.isStopping { machine.endAfterThis() }
        context.fireChannelActive()
    }

    /// Reads are withheld while requests that came early wait for their turn: the memory for them is one read's worth.
    func read(context: ChannelHandlerContext) {
        if held.isEmpty, !holdsReads {
            context.read()
        } else {
            heldRead = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handle(unwrapInboundIn(data))
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let waiting = exchange?.existingDetour?.writable {
            exchange?.existingDetour?.writable = nil
            waiting.succeed(())
        }
        guard let upstream = exchange?.upstream else { return }
        if context.channel.isWritable {
            // The silence until now was the client's doing.
            exchange?.lastActivity = worker.coarseNow
            upstream.resumeReading()
        } else {
            upstream.pauseReading()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        machine.closed()
        held.removeAll()
        if exchange != nil, !detaches() { abandonExchange() }
        if !isDetached { worker.closed(self) }
        worker.shared.connections.subtract(1, ordering: .relaxed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let fault: RouterError
        switch error {
        case HTTPParserError.invalidEOFState:
            // The client left within its request: `channelInactive` follows and accounts for it.
            return
        case HTTPParserError.headerOverflow:
            fault = .headersTooLarge(limit: worker.settings.limits.maxHeaderBytes)
        case HTTPParserError.unknown:
            // The parser's word for heads that two readers could read differently.
            fault = .malformedRequest("its head is ambiguous, such as by both Content-Length and Transfer-Encoding")
        case let error as HTTPParserError:
            fault = .malformedRequest("\(error)")
        case let error as NIOHTTPDecoderError:
            fault = "\(error)".contains("Header") ? .headersTooLarge(limit: worker.settings.limits.maxHeaderBytes) : .malformedRequest("\(error)")
        default:
            // The connection itself is broken: nobody is there to be told.
            context.close(promise: nil)
            return
        }
        refuseConnection(fault)
    }

    // MARK: Parts, in order

    private func handle(_ part: HTTPServerRequestPart) {
        let holding = !held.isEmpty && !isReplaying
        switch part {
        case .head(let head):
            switch holding ? .hold : machine.receivedHead(keepAlive: head.isKeepAlive && !worker.isStopping) {
            case .begin: begin(head)
            case .hold: held.append(part)
            case .ignore: break
            }
        case .body(let bytes):
            switch machine.receivedBody(holding: holding) {
            case .keep: keepBody(bytes)
            case .hold: held.append(part)
            case .ignore: break
            }
        case .end(let trailers):
            switch machine.receivedEnd(holding: holding) {
            case .decide: requestIsWhole(trailers: trailers)
            case .hold: held.append(part)
            case .ignore: break
            case .next: nextRequest()
            case .close: context?.close(promise: nil)
            }
        }
    }

    func resumeHeldRead() {
        guard heldRead, held.isEmpty, !holdsReads else { return }
        heldRead = false
        context?.read()
    }

    /// The exchange is over and the connection goes on: what was held back is due.
    func nextRequest() {
        exchange = nil
        holdsReads = false
        restingSince = worker.coarseNow
        guard !isReplaying else { return }
        isReplaying = true
        while machine.request != .whole, !machine.isClosed, let part = held.popFirst() { handle(part) }
        isReplaying = false
        if worker.isStopping, machine.isIdle, held.isEmpty {
            context?.close(promise: nil)
        } else {
            resumeHeldRead()
        }
    }

    /// Nobody is left who wants what was still going on.
    func endDetached() {
        guard isDetached else { return }
        isDetached = false
        worker.closed(self)
    }

    /// A client that has gone takes everything.
    var clientTakesMore: Bool { isDetached || context?.channel.isWritable ?? true }

    // MARK: From the worker

    func requestRow(now: NIODeadline) -> RequestRow? {
        exchange.map { exchange in
            RequestRow(
                info: exchange.info(name: name(of: exchange), client: clientAddress, now: now), ownName: worker.name(exchange.id),
                ticket: exchange.ticket)
        }
    }

    /// SIGTERM: nothing new.
    func endAfterCurrentRequest() {
        machine.endAfterThis()
        if machine.isIdle { context?.close(promise: nil) }
    }

    /// Shutdown's deadline has passed.
    func abort() { context?.close(promise: nil) }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress else { return "" }
        let port = address.port ?? 0
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
