// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import Protocol
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One peer on the control socket: its calls in order, its subscription beside them.
///
/// A reply is written whole before the next call is looked at: whoever calls and does not read is not read from any more.
struct ControlConnection: Sendable {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    let router: Router
    let rules: AccessRules
    let subscriptions: Subscriptions
    let logger: Logger

    func run() async throws {
        try await untilCancelled {
            let peer = try await Peer.of(channel.channel)
            let allowed = try await rules.allowed(peer)
            guard !allowed.isEmpty else {
                logger.warning("a peer of the control socket was refused", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
                let text = "user \(peer.uid) may not use this socket: only the daemon's own user, root, and the configured groups"
                return try await turnAway(RPCError(.notAllowed, text))
            }
            try await channel.executeThenClose { inbound, _ in
                var isSubscribed = false
                var reader = FrameReader(maximumLength: FrameReader.maximumCallLength)
                for try await bytes in inbound {
                    reader.append(bytes.readableBytesView)
                    while let line = try await next(&reader) {
                        try await answer(line, peer, allowed, &isSubscribed)
                    }
                }
                // The peer has ended its side, as `nc -N` does after its calls: it still wants what it subscribed to.
                if isSubscribed { try await channel.channel.closeFuture.get() }
            }
        }
    }

    /// Says why there is no service, and closes.
    func turnAway(_ error: RPCError) async throws {
        try await channel.executeThenClose { _, _ in try await send(RPCErrorReply(id: .null, error: error)) }
    }

    /// A peer that does not read would hold us up for ever when the daemon stops: its channel is closed then.
    private func untilCancelled(_ body: () async throws -> Void) async throws {
        try await withTaskCancellationHandler {
            try await body()
        } onCancel: {
            channel.channel.close(promise: nil)
        }
    }

    /// The next line; one that is too long is answered and passed over.
    private func next(_ reader: inout FrameReader) async throws -> Data? {
        while true {
            do {
                return try reader.next()
            } catch {
                let error = RPCError(
                    .invalidRequest, "a call may have at most \(FrameReader.maximumCallLength) bytes; the rest of this line is passed over")
                try await send(RPCErrorReply(id: .null, error: error))
            }
        }
    }

    private func answer(_ line: Data, _ peer: Peer, _ allowed: Set<Access>, _ isSubscribed: inout Bool) async throws {
        let head: RPCRequestHead
        do {
            head = try RPCRequestHead.read(line)
        } catch {
            return try await send(RPCErrorReply(id: error.id, error: error.error))
        }
        let id = head.id ?? .null
        do {
            switch head.method {
            case "hello":
                try await send(RPCReply(id: id, result: try hello(line, allowed)))
            case "subscribe":
                let (kind, deltas) = try SubscriptionRequest.read(line, isSubscribed: isSubscribed)
                try await send(RPCReply(id: id, result: SubscribeInfo(intervalMs: kind.intervalMs)))
                isSubscribed = true
                await subscriptions.add(Subscriber(channel: channel.channel, wantsDeltas: deltas), kind)
            default:
                try await send(try await call(head.method, line, id, peer, allowed))
            }
        } catch let error as RPCError {
            try await send(RPCErrorReply(id: id, error: error))
        }
    }

    private func call(_ name: String, _ line: Data, _ id: RPCID, _ peer: Peer, _ allowed: Set<Access>) async throws -> Data {
        guard let method = MethodTable.methods[name] else {
            throw RPCError(.methodNotFound, "no method '\(name)'; there are: \(MethodTable.names.joined(separator: ", "))")
        }
        guard allowed.contains(method.access) else {
            throw RPCError(.notAllowed, "user \(peer.uid) may only read here, not call '\(name)'")
        }
        do {
            let reply = try await untilClosed(method) {
                try await method.handle(line, id, router) { try await send($0) }
            }
            if method.isLogged { log(name, line, peer, failure: nil) }
            return reply
        } catch let error as RPCError {
            if method.isLogged { log(name, line, peer, failure: error.message) }
            throw error
        } catch {
            log(name, line, peer, failure: "\(error)")
            throw RPCError(.internalError, "\(name): \(error)")
        }
    }

    /// Work that takes long ends when the peer goes: nobody reads lines meanwhile, so that the channel itself has to tell.
    private func untilClosed(_ method: ControlMethod, _ body: @escaping @Sendable () async throws -> Data) async throws -> Data {
        guard method.isLong else { return try await body() }
        let work = Task { try await body() }
        channel.channel.closeFuture.whenComplete { _ in work.cancel() }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }

    /// What a call is about, for the log.
    private struct Subject: Decodable {
        var endpoint: String?
        var model: String?
        var id: String?
        var dryRun: Bool?
    }

    private func log(_ name: String, _ line: Data, _ peer: Peer, failure: String?) {
        var metadata: Logger.Metadata = ["method": "\(name)", "uid": "\(peer.uid)", "pid": "\(peer.pid)"]
        if let subject = try? ControlMethod.decode(Subject.self, line) {
            // Nothing has changed.
            if subject.dryRun ?? false, failure == nil { return }
            if let endpoint = subject.endpoint { metadata["endpoint"] = "\((try? router.find(endpoint).name) ?? endpoint)" }
            if let model = subject.model { metadata["model"] = "\(model)" }
            if let id = subject.id { metadata["request"] = "\(id)" }
        }
        if let failure { metadata["failure"] = "\(failure)" }
        logger.notice(failure == nil ? "changed by an operator" : "refused to an operator", metadata: metadata)
    }

    private func hello(_ line: Data, _ allowed: Set<Access>) throws -> HelloInfo {
        let params: HelloParams = try ControlMethod.params("hello", line)
        if let mismatch = params.mismatch() { throw RPCError(.incompatible, mismatch) }
        return HelloInfo(
            name: "routerd", version: ProductVersion.current, controlProtocol: ProductVersion.controlProtocol,
            pid: Int(ProcessInfo.processInfo.processIdentifier), access: Access.allCases.filter(allowed.contains).map(\.rawValue),
            methods: MethodTable.names)
    }

    private func send(_ message: some Encodable) async throws { try await send(try Wire.frame(message)) }

    /// Returns when the peer's side of the socket has all of it.
    private func send(_ frame: Data) async throws { try await channel.channel.writeAndFlush(ByteBuffer(bytes: frame)).get() }
}
