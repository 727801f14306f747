// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#endif

/// A daemon's control socket without a daemon: it answers `routerctl` from a state that the test sets.
///
/// Blocking sockets, a thread for each connection. The socket lives in a folder of its own, removed by `stop`.
public final class FakeDaemon: Sendable {
    /// What the fake does with a call.
    public enum Answer: Sendable {
        case normal
        case error(RPCError)
        /// No answer until the client goes.
        case silence
        /// The connection is closed.
        case hangUp
        /// This line instead of a reply.
        case raw(String)
    }

    public struct State: Sendable {
        public var status = Sample.status
        public var models = Sample.models
        public var requests = Sample.requests
        public var queue = Sample.queue
        public var events = Sample.events
        public var history = Sample.history
        public var tokens = Sample.tokens
        public var config = Sample.config
        public var configCheck = ConfigCheckInfo()
        /// Sent before the reply to an action on a model.
        public var progress: [ModelProgress] = []
        /// Called after that and before the reply: may hold it back.
        public var beforeOutcome: @Sendable () -> Void = {}
        /// Of an action on a model; nil for done, on the endpoint named or on gpu-1.
        public var outcomes: [ModelActionInfo.Outcome]?
        /// Of `drain` and `maintenance`.
        public var warnings: [String] = []
        /// Of `cache.get`.
        public var cachedAnswer = CachedAnswerInfo(
            key: "00112233", model: "llama3.2:3b", promptTokens: 12, answerTokens: 34, tookMs: 900, answer: #"{"response":"hello"}"#)
        /// Of `cache.invalidate`.
        public var cleared = 3
        public var reload = ReloadInfo(
            applied: true, changes: ["endpoint gpu-3 added"], needsRestart: ["listen: 127.0.0.1:1 to 127.0.0.1:2"], removedEndpoints: [])
        public var controlProtocol = ProductVersion.controlProtocol
        /// Called before each answer: may change the state, decides what happens. Gets the method and its `endpoint`.
        public var script: @Sendable (_ method: String, _ endpoint: String, _ state: inout State) -> Answer = { _, _, _ in .normal }
        /// `method` or `method endpoint`, in the order received; a dry run says so.
        public var calls: [String] = []
        /// Every call whole, as it came.
        public var lines: [String] = []
        /// Called before each snapshot of a subscription.
        public var beforeSnapshot: @Sendable (inout State) -> Void = { _ in }
    }

    public let folder: String
    public let path: String
    private let shared: NIOLockedValueBox<State>
    private let listener: NIOLockedValueBox<Int32>
    private let connections = NIOLockedValueBox<Set<Int32>>([])

    public init(name: String = "control.sock") throws {
        folder = try Self.makeFolder()
        path = "\(folder)/\(name)"
        shared = NIOLockedValueBox(State())
        listener = NIOLockedValueBox(-1)
        try listen()
    }

    public func change(_ body: @Sendable (inout State) -> Void) { shared.withLockedValue { body(&$0) } }

    public var calls: [String] { shared.withLockedValue { $0.calls } }

    /// Calls as they came, of the method.
    public func lines(of method: String) -> [String] {
        shared.withLockedValue { $0.lines.filter { $0.contains("\"method\":\"\(method)\"") } }
    }

    /// Closes all connections and the socket; the socket's file goes too, as with a daemon that stops.
    public func hangUp() {
        let descriptor = listener.withLockedValue { value in
            defer { value = -1 }
            return value
        }
        if descriptor >= 0 {
            shutdown(descriptor, Int32(SHUT_RDWR))
            close(descriptor)
        }
        unlink(path)
        connections.withLockedValue { open in open.forEach { shutdown($0, Int32(SHUT_RDWR)) } }
    }

    public func stop() {
        hangUp()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Listens (again).
    public func listen() throws {
        let descriptor = try Self.bound(to: path)
        guard Glibc.listen(descriptor, 16) == 0 else { throw POSIXError(.EIO) }
        listener.withLockedValue { $0 = descriptor }
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                connections.withLockedValue { _ = $0.insert(connection) }
                Thread.detachNewThread { [self] in serve(connection) }
            }
        }
    }

    /// A new folder with a short path: a socket's path has room for 107 bytes.
    public static func makeFolder() throws -> String {
        var template = Array("/tmp/routerctl-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A socket bound to `path`, that does not listen yet.
    public static func bound(to path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard descriptor >= 0, result == 0 else { throw POSIXError(.EADDRINUSE) }
        return descriptor
    }

    private func serve(_ connection: Int32) {
        defer {
            connections.withLockedValue { _ = $0.remove(connection) }
            close(connection)
        }
        var reader = FrameReader()
        while true {
            while let line = try? reader.next() {
                guard answer(line, on: connection) else { return }
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { return }
            reader.append(buffer[..<count])
        }
    }

    /// False when the connection is to be closed.
    private func answer(_ line: Data, on connection: Int32) -> Bool {
        guard let head = try? Wire.decode(RPCRequestHead.self, from: line), let id = head.id else { return false }
        let endpoint = (try? Wire.decode(RPCRequestParams<EndpointFilterParams>.self, from: line))?.params?.endpoint ?? ""
        let model = (try? Wire.decode(RPCRequestParams<ModelFilterParams>.self, from: line))?.params?.model
        let dryRun = (try? Wire.decode(RPCRequestParams<ReloadParams>.self, from: line))?.params?.dryRun ?? false
        let (answer, state) = shared.withLockedValue { state in
            let call = endpoint.isEmpty ? head.method : "\(head.method) \(endpoint)"
            state.lines.append(String(decoding: line, as: UTF8.self))
            state.calls.append(dryRun ? "\(call) (dry run)" : call)
            let script = state.script
            return (script(head.method, endpoint, &state), state)
        }
        switch answer {
        case .normal: break
        case .error(let error): return send(RPCErrorReply(id: id, error: error), on: connection)
        case .hangUp: return false
        case .raw(let text): return send(Data("\(text)\n".utf8), on: connection)
        case .silence:
            var byte: UInt8 = 0
            while recv(connection, &byte, 1, 0) > 0 {}
            return false
        }
        return reply(to: head.method, line, endpoint, model, dryRun: dryRun, state, id, on: connection)
    }

    private func reply(
        to method: String, _ line: Data, _ endpoint: String, _ model: String?, dryRun: Bool, _ state: State, _ id: RPCID, on connection: Int32
    ) -> Bool {
        func tell(_ result: some Encodable & Sendable) -> Bool { send(RPCReply(id: id, result: result), on: connection) }
        switch method {
        case "hello":
            return tell(
                HelloInfo(
                    name: "routerd", version: "0.1.0", controlProtocol: state.controlProtocol, pid: 4711, access: ["read", "change"], methods: []))
        case "status": return tell(state.status)
        case "models": return tell(ModelList(models: state.models.filter { info in model.map { info.name.contains($0) } ?? true }))
        case "requests": return tell(RequestList(requests: state.requests))
        case "explain":
            var info = Sample.explanation
            info.model = model ?? ""
            return tell(info)
        case "queue": return tell(QueueList(waiting: state.queue))
        case "events":
            let params = (try? Wire.decode(RPCRequestParams<EventParams>.self, from: line))?.params ?? EventParams()
            let least = params.level.flatMap(EventInfo.levels.firstIndex(of:)) ?? 0
            let fitting = state.events.filter { $0.sequence > params.after ?? 0 && $0.severity >= least }
            return tell(EventList(events: Array(fitting.suffix(params.limit ?? 200))))
        case "history": return tell(state.history)
        case "tokens": return tell(state.tokens)
        case "config.show": return tell(state.config)
        case "config.check": return tell(state.configCheck)
        case "cache.stats": return tell(state.status.cache)
        case "cache.get": return tell(state.cachedAnswer)
        case "cache.invalidate": return tell(CacheInvalidated(enabled: true, cleared: state.cleared, dryRun: dryRun))
        case "cancel": return cancel(line, id, on: connection)
        case "reload":
            var info = state.reload
            info.applied = !dryRun
            return tell(info)
        case "endpoints" where endpoint.isEmpty: return tell(EndpointList(endpoints: state.status.endpoints))
        case "endpoints", "drain", "maintenance", "resume", "weight": return change(method, line, endpoint, id, on: connection)
        case "subscribe": return stream(id, on: connection)
        case _ where method.hasPrefix("model."):
            for progress in state.progress {
                guard send(RPCNotification(method: "progress", params: progress), on: connection) else { return false }
            }
            state.beforeOutcome()
            let details = method == "model.show" ? #"{"parameters":"stop x"}"# : nil
            let outcomes = state.outcomes ?? [.init(endpoint: endpoint.isEmpty ? "gpu-1" : endpoint)]
            return tell(ModelActionInfo(model: model ?? "", outcomes: outcomes, details: details))
        default: return send(RPCErrorReply(id: id, error: RPCError(.methodNotFound, "no method \(method)")), on: connection)
        }
    }

    private func cancel(_ line: Data, _ id: RPCID, on connection: Int32) -> Bool {
        let wanted = (try? Wire.decode(RPCRequestParams<CancelParams>.self, from: line))?.params?.id ?? ""
        let found: RequestInfo? = shared.withLockedValue { state in
            state.requests.firstIndex { $0.id == wanted }.map { state.requests.remove(at: $0) }
        }
        if let found { return send(RPCReply(id: id, result: CancelInfo(cancelled: found)), on: connection) }
        return send(RPCErrorReply(id: id, error: RPCError(.notFound, "there is no request \(wanted)")), on: connection)
    }

    private func change(_ method: String, _ line: Data, _ name: String, _ id: RPCID, on connection: Int32) -> Bool {
        let weight = (try? Wire.decode(RPCRequestParams<WeightParams>.self, from: line))?.params?.weight
        let dryRun = (try? Wire.decode(RPCRequestParams<EndpointParams>.self, from: line))?.params?.dryRun ?? false
        let found: EndpointInfo? = shared.withLockedValue { state in
            guard let index = state.status.endpoints.firstIndex(where: { $0.name == name || $0.url.contains(name) }) else { return nil }
            switch method {
            case _ where dryRun: break
            case "drain": state.status.endpoints[index].state = "draining"
            case "maintenance": state.status.endpoints[index].state = "maintenance"
            case "resume": state.status.endpoints[index].state = "up"
            case "weight": if case .number(let weight)? = weight { state.status.endpoints[index].weight = weight }
            default: break
            }
            return state.status.endpoints[index]
        }
        if let found {
            var list = EndpointList(endpoints: [found])
            if method == "drain" || method == "maintenance" { list.warnings = shared.withLockedValue { $0.warnings } }
            return send(RPCReply(id: id, result: list), on: connection)
        }
        let names = shared.withLockedValue { $0.status.endpoints.map(\.name).joined(separator: ", ") }
        return send(RPCErrorReply(id: id, error: RPCError(.notFound, "there is no endpoint \"\(name)\"; there are \(names)")), on: connection)
    }

    private func stream(_ id: RPCID, on connection: Int32) -> Bool {
        guard send(RPCReply(id: id, result: SubscribeInfo(intervalMs: 200)), on: connection) else { return false }
        var sequence = 0
        while true {
            let state = shared.withLockedValue { state in
                let prepare = state.beforeSnapshot
                prepare(&state)
                return state
            }
            sequence += 1
            var snapshot = SnapshotInfo(sequence: sequence, atMs: sequence * 200, status: state.status, requests: state.requests)
            snapshot.queue = state.queue
            snapshot.models = state.models
            snapshot.events = sequence == 1 ? state.events : []
            guard send(RPCNotification(method: "snapshot", params: snapshot), on: connection) else { return false }
            var poller = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, 200) > 0 { return false }
        }
    }

    private func send(_ value: some Encodable, on connection: Int32) -> Bool {
        (try? Wire.frame(value)).map { send($0, on: connection) } ?? false
    }

    private func send(_ data: Data, on connection: Int32) -> Bool {
        let bytes = [UInt8](data)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(connection, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }
}
