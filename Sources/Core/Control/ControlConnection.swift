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
struct ControlConnection: Sendable {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    let router: Router
    let rules: AccessRules
    let logger: Logger

    private static let intervals = 100...60_000
    private static let defaultInterval = 500

    func run() async throws {
        let peer = try await Peer.of(channel.channel)
        let allowed = rules.allowed(peer)
        try await channel.executeThenClose { inbound, outbound in
            guard !allowed.isEmpty else {
                logger.warning("a peer of the control socket was refused", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
                let error = RPCError(
                    .notAllowed, "user \(peer.uid) may not use this socket: only the daemon's own user, root, and the configured groups")
                return try await send(RPCErrorReply(id: .null, error: error), outbound)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                var subscribed = false
                var reader = FrameReader()
                for try await bytes in inbound {
                    reader.append(bytes.readableBytesView)
                    while let line = try reader.next() {
                        guard let interval = try await answer(line, peer, allowed, subscribed: subscribed, outbound) else { continue }
                        subscribed = true
                        group.addTask { try await push(every: interval, outbound) }
                    }
                }
                group.cancelAll()
            }
        }
    }

    /// Answers one line. Returns the interval if it began a subscription, milliseconds.
    private func answer(
        _ line: Data, _ peer: Peer, _ allowed: Set<Access>, subscribed: Bool, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> Int? {
        let head: RPCRequestHead
        do {
            head = try Wire.decode(RPCRequestHead.self, from: line)
        } catch {
            let isJSON = line.withUnsafeBytes { bytes in
                var cursor = JSONCursor(bytes)
                return (try? cursor.next()) != nil
            }
            let error =
                isJSON ? RPCError(.invalidRequest, "a call is an object with 'id' and 'method'") : RPCError(.parseError, "this line is no JSON")
            try await send(RPCErrorReply(id: .null, error: error), outbound)
            return nil
        }
        let id = head.id ?? .null
        do {
            switch head.method {
            case "hello":
                try await send(RPCReply(id: id, result: hello(allowed)), outbound)
            case "subscribe":
                let interval = try subscription(line, subscribed)
                try await send(RPCReply(id: id, result: SubscribeInfo(intervalMs: interval)), outbound)
                return interval
            default:
                try await outbound.write(ByteBuffer(bytes: try await call(head.method, line, id, peer, allowed, outbound)))
            }
        } catch let error as RPCError {
            try await send(RPCErrorReply(id: id, error: error), outbound)
        }
        return nil
    }

    private func call(
        _ name: String, _ line: Data, _ id: RPCID, _ peer: Peer, _ allowed: Set<Access>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> Data {
        guard let method = MethodTable.methods[name] else {
            throw RPCError(.methodNotFound, "no method '\(name)'; there are: \(MethodTable.names.joined(separator: ", "))")
        }
        guard allowed.contains(method.access) else {
            throw RPCError(.notAllowed, "user \(peer.uid) may only read here, not call '\(name)'")
        }
        do {
            let reply = try await untilClosed(method) {
                try await method.handle(line, id, router) { try await outbound.write(ByteBuffer(bytes: $0)) }
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

    private func hello(_ allowed: Set<Access>) -> HelloInfo {
        HelloInfo(
            name: "routerd", version: ProductVersion.current, controlProtocol: ProductVersion.controlProtocol,
            pid: Int(ProcessInfo.processInfo.processIdentifier), access: Access.allCases.filter(allowed.contains).map(\.rawValue),
            methods: MethodTable.names)
    }

    private func subscription(_ line: Data, _ subscribed: Bool) throws -> Int {
        guard !subscribed else { throw RPCError(.refused, "this connection has a subscription already") }
        let params = (try? ControlMethod.decode(SubscribeParams.self, line)) ?? SubscribeParams()
        let interval = params.intervalMs ?? Self.defaultInterval
        guard Self.intervals.contains(interval) else {
            throw RPCError(.invalidParams, "interval_ms must be from \(Self.intervals.lowerBound) to \(Self.intervals.upperBound), not \(interval)")
        }
        return interval
    }

    /// Snapshots until the connection ends: the first at once. A reader that does not keep up delays the next one,
    /// and is never sent what is old by then.
    private func push(every interval: Int, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws {
        var sequence = 0
        while !Task.isCancelled {
            sequence += 1
            try await send(RPCNotification(method: "snapshot", params: await router.snapshot(sequence: sequence)), outbound)
            try await Task.sleep(for: .milliseconds(interval))
        }
    }

    private func send(_ message: some Encodable, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws {
        try await outbound.write(ByteBuffer(bytes: try Wire.frame(message)))
    }
}
