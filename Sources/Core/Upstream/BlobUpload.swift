// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// A body of any size on its way from one client to several endpoints: nothing of it is kept, and the client is read no faster
/// than the slowest of them takes it.
///
/// An endpoint that fails is left out; the others get the rest. Bound to its event loop, hence not `Sendable`.
final class BlobUpload {
    struct Settings {
        var head: HTTPRequestHead
        var path: String
        /// Nil for a body in chunks.
        var length: Int?
        var connectTimeout: TimeAmount
        var dropsAuthorization: Bool
    }

    /// All endpoints have answered, or failed: once.
    var onEnd: ((ManagementOutcome, _ created: Bool) -> Void)?
    /// The client may be read again.
    var onReady: (() -> Void)?

    private let settings: Settings
    private let eventLoop: any EventLoop
    private var targets: [Target] = []
    private var names: [String] = []
    private var failures: [String: ManagementOutcome.Failure?] = [:]
    private var wasCreated = false
    private var isOver = false
    private var clientHasEnded = false
    private var hasStarted = false
    /// What came before every endpoint was connected: no more than one read's worth, as the client is not read meanwhile.
    private var early: [ByteBuffer] = []

    private final class Target {
        let name: String
        var channel: (any Channel)?
        init(_ name: String) { self.name = name }
    }

    init(_ settings: Settings, eventLoop: any EventLoop) {
        self.settings = settings
        self.eventLoop = eventLoop
    }

    /// Connects to those that lack the blob; those that have it count as done.
    func start(_ lacking: [Endpoint], having: [String], dialer: Dialer) {
        hasStarted = true
        names = having + lacking.map(\.name)
        for name in having { failures[name] = .some(nil) }
        targets = lacking.map { Target($0.name) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        for (target, endpoint) in zip(targets, lacking) { connect(target.name, endpoint, dialer, bound) }
        finishIfDone()
    }

    private func connect(_ name: String, _ endpoint: Endpoint, _ dialer: Dialer, _ bound: NIOLoopBound<BlobUpload>) {
        let connection = dialer.connect(to: endpoint, within: settings.connectTimeout, on: eventLoop) { operations in
            try operations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
            try operations.addHandler(UploadHandler(name, bound))
        }
        connection.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(name, channel, endpoint)
            case .failure(let error): self.failed(name, IOErrorText.reason(error))
            }
        }
    }

    private func connected(_ name: String, _ channel: any Channel, _ endpoint: Endpoint) {
        guard !isOver, let target = targets.first(where: { $0.name == name }) else { return channel.close(promise: nil) }
        target.channel = channel
        let (prefix, rest) = endpoint.address.path(for: Substring(settings.path))
        var headers = settings.head.headers
        for field in ["host", "connection", "content-length", "transfer-encoding", "expect", "keep-alive"] { headers.remove(name: field) }
        if settings.dropsAuthorization || endpoint.key != nil {
            headers.remove(name: "authorization")
            headers.remove(name: "x-api-key")
        }
        headers.add(name: "Host", value: endpoint.address.authority)
        if let key = endpoint.key { headers.add(name: "Authorization", value: "Bearer \(key.exposed)") }
        if let length = settings.length {
            headers.add(name: "Content-Length", value: String(length))
        } else {
            headers.add(name: "Transfer-Encoding", value: "chunked")
        }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: prefix + rest, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        for bytes in early { channel.write(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil) }
        if clientHasEnded { channel.write(HTTPClientRequestPart.end(nil), promise: nil) }
        channel.flush()
        forgetEarly()
        if isReady { onReady?() }
    }

    // MARK: From the client

    private var isConnected: Bool { hasStarted && targets.allSatisfy { $0.channel != nil } }

    private func forgetEarly() { if isConnected { early = [] } }

    /// Whether all that are left can take more.
    var isReady: Bool { hasStarted && targets.allSatisfy { $0.channel?.isWritable ?? false } }

    func write(_ bytes: ByteBuffer) {
        if !isConnected { early.append(bytes) }
        for target in targets { target.channel?.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil) }
    }

    /// The body is whole.
    func clientEnded() {
        clientHasEnded = true
        for target in targets { target.channel?.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil) }
        finishIfDone()
    }

    /// The client has gone, or the exchange is over.
    func cancel() {
        isOver = true
        onEnd = nil
        onReady = nil
        for target in targets { target.channel?.close(promise: nil) }
    }

    // MARK: From the endpoints

    fileprivate func answered(_ name: String, status: Int, body: [UInt8]) {
        if status == 200 || status == 201 {
            if status == 201 { wasCreated = true }
            ended(name, nil)
        } else {
            ended(name, ManagementOutcome.Failure(status: status, message: AnswerError.message(ofBody: body) ?? "status \(status)"))
        }
    }

    fileprivate func failed(_ name: String, _ reason: String) {
        ended(name, ManagementOutcome.Failure(status: 502, message: reason))
    }

    fileprivate func writabilityChanged() {
        if !isOver, isReady { onReady?() }
    }

    private func ended(_ name: String, _ failure: ManagementOutcome.Failure?) {
        guard !isOver, failures[name] == nil else { return }
        failures[name] = .some(failure)
        let index = targets.firstIndex { $0.name == name }
        if let index {
            targets[index].channel?.close(promise: nil)
            targets.remove(at: index)
        }
        forgetEarly()
        finishIfDone()
        if !isOver, isReady { onReady?() }
    }

    /// What has failed everywhere need not be sent to its end.
    private func finishIfDone() {
        guard hasStarted, !isOver, failures.count == names.count, clientHasEnded || failures.values.contains(where: { $0 != nil }) else { return }
        isOver = true
        var outcome = ManagementOutcome()
        for name in names { outcome.note(name, failures[name] ?? nil) }
        onEnd?(outcome, wasCreated)
    }
}

/// The endpoint's side of an upload.
private final class UploadHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let name: String
    private let upload: NIOLoopBound<BlobUpload>
    private var status = 0
    private var body: [UInt8] = []

    init(_ name: String, _ upload: NIOLoopBound<BlobUpload>) {
        self.name = name
        self.upload = upload
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let bytes): if body.count < 65_536 { body += bytes.readableBytesView }
        case .end: upload.value.answered(name, status: status, body: body)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        upload.value.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        upload.value.failed(name, IOErrorText.reason(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        upload.value.failed(name, "it closed the connection")
        context.fireChannelInactive()
    }
}
