// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Speaks to the daemon: one documented method per call.
///
/// Calls block; a program that must stay responsive (the console) runs a client on a thread of its own.
/// Every call may throw `ControlError`.
public final class ControlClient {
    private let socket: ControlSocket
    private var reader = FrameReader()
    private var assembler = SnapshotAssembler()
    private var nextID = 1
    /// How long a call waits for its reply.
    public var timeoutMs: Int

    /// - Parameters:
    ///   - path: the socket's, or `ssh://[user@]host[:port][/path]` for a daemon on another machine.
    ///   - mayAsk: whether ssh may ask for a password on the terminal; else it fails where it would have to.
    public init(path: String, timeoutMs: Int = 10_000, mayAsk: Bool = false) throws(ControlError) {
        self.socket = try ControlSocket(connectingTo: path, mayAsk: mayAsk)
        self.timeoutMs = timeoutMs
    }

    /// Who is there. The first call of a careful client: a daemon of another version of the protocol refuses it as `incompatible`.
    /// One that is too old to refuse tells its own version in the answer.
    public func hello(as name: String = "routerctl") throws(ControlError) -> HelloInfo {
        try call("hello", HelloParams(controlProtocol: ProductVersion.controlProtocol, name: name, version: ProductVersion.current))
    }

    public func status() throws(ControlError) -> StatusInfo { try call("status", NoParams()) }

    /// All endpoints, or the one named. An unknown name is `notFound`, one that fits several is `refused`.
    public func endpoints(_ endpoint: String? = nil) throws(ControlError) -> EndpointList {
        try call("endpoints", EndpointFilterParams(endpoint: endpoint))
    }

    public func models(_ model: String? = nil) throws(ControlError) -> ModelList {
        try call("models", ModelFilterParams(model: model))
    }

    public func requests() throws(ControlError) -> RequestList { try call("requests", NoParams()) }

    /// Takes the endpoint out of service: it finishes what it has, gets nothing new, and is still polled.
    ///
    /// - Parameter dryRun: only tells, in `warnings`, what it would harm.
    public func drain(_ endpoint: String, dryRun: Bool? = nil) throws(ControlError) -> EndpointList {
        try call("drain", EndpointParams(endpoint: endpoint, dryRun: dryRun))
    }

    /// As `drain`, and it is not polled either.
    public func maintenance(_ endpoint: String, dryRun: Bool? = nil) throws(ControlError) -> EndpointList {
        try call("maintenance", EndpointParams(endpoint: endpoint, dryRun: dryRun))
    }

    /// Ends `drain` and `maintenance`.
    public func resume(_ endpoint: String) throws(ControlError) -> EndpointList {
        try call("resume", EndpointParams(endpoint: endpoint))
    }

    public func setWeight(_ endpoint: String, to weight: WeightChoice) throws(ControlError) -> EndpointList {
        try call("weight", WeightParams(endpoint: endpoint, weight: weight))
    }

    /// Who waits in line, behind whom.
    public func queue() throws(ControlError) -> QueueList { try call("queue", NoParams()) }

    /// Where a request for the model would go now, and why. `notFound` where no endpoint has it.
    public func explain(_ model: String, route: String? = nil, numCtx: Int? = nil) throws(ControlError) -> ExplainInfo {
        try call("explain", ExplainParams(model: model, route: route, numCtx: numCtx))
    }

    /// Ends a request: its client gets an error. `notFound` where there is none (any more).
    public func cancel(_ id: String) throws(ControlError) -> CancelInfo { try call("cancel", CancelParams(id: id)) }

    /// The last ten minutes.
    ///
    /// - Parameter endpoints: those told of one by one; nil for all.
    public func history(endpoints: [String]? = nil) throws(ControlError) -> HistoryInfo {
        // Thousands of numbers every few seconds in a console that is open all day.
        try call("history", HistoryParams(endpoints: endpoints), read: HistoryInfo.read)
    }

    public func events(_ params: EventParams = EventParams()) throws(ControlError) -> EventList { try call("events", params) }

    public func tokens(_ params: TokensParams = TokensParams()) throws(ControlError) -> TokensInfo { try call("tokens", params) }

    /// `load`, `unload`, `pull`, `delete`, `copy` or `show`. It may take long: `timeoutMs` counts from the last sign of life.
    ///
    /// - Parameter onProgress: called as the daemon tells how it goes, before the reply.
    public func model(
        _ action: String, _ params: ModelActionParams, onProgress: (ModelProgress) -> Void = { _ in }
    ) throws(ControlError) -> ModelActionInfo {
        try call("model.\(action)", params) { line in
            if let progress = try? Wire.decode(RPCNotification<ModelProgress>.self, from: line), progress.method == "progress" {
                onProgress(progress.params)
            }
        }
    }

    public func config() throws(ControlError) -> ConfigInfo { try call("config.show", NoParams()) }

    /// Has the daemon read a configuration, and bring nothing of it into force.
    public func checkConfig(_ text: String, path: String) throws(ControlError) -> ConfigCheckInfo {
        try call("config.check", ConfigCheckParams(text: text, path: path))
    }

    /// Reads the configuration again. A bad one is `refused` with its errors, and nothing changes.
    public func reload(dryRun: Bool = false) throws(ControlError) -> ReloadInfo {
        try call("reload", ReloadParams(dryRun: dryRun))
    }

    public func cacheStats() throws(ControlError) -> CacheInfo { try call("cache.stats", NoParams()) }

    /// - Parameter key: at least eight digits of it. `notFound` if there is none.
    public func cachedAnswer(_ key: String) throws(ControlError) -> CachedAnswerInfo { try call("cache.get", CacheGetParams(key: key)) }

    /// Removes what fits all that is given; with nothing given, everything.
    public func cacheInvalidate(_ params: CacheInvalidateParams) throws(ControlError) -> CacheInvalidated {
        try call("cache.invalidate", params)
    }

    /// Starts a subscription: from here on `nextSnapshot` delivers, and the client makes no other call.
    public func subscribe(intervalMs: Int, topics: [SnapshotTopic]? = nil) throws(ControlError) -> SubscribeInfo {
        assembler = SnapshotAssembler()
        return try call("subscribe", SubscribeParams(intervalMs: intervalMs, topics: topics, deltas: true))
    }

    /// The next snapshot of the subscription, whole, or `timedOut` if none comes within `timeoutMs`.
    public func nextSnapshot(timeoutMs: Int) throws(ControlError) -> SnapshotInfo {
        let deadline = ControlSocket.nowMs() + timeoutMs
        while true {
            let line = try nextLine(deadline: deadline)
            do {
                if let snapshot = try assembler.take(line) { return snapshot }
            } catch {
                throw .badReply("a snapshot that is none: \(error)")
            }
        }
    }

    private struct ReplyError: Decodable {
        let error: RPCError
    }

    private struct ReplyBody<Result: Decodable>: Decodable {
        let result: Result
    }

    private func call<Params: Encodable & Sendable, Result: Decodable>(
        _ method: String, _ params: Params, onNotification: (Data) -> Void = { _ in }
    ) throws(ControlError) -> Result {
        let (line, _) = try exchange(method, params, onNotification: onNotification)
        return try decode(ReplyBody<Result>.self, line).result
    }

    /// - Parameter read: reads the result without `Codable`.
    private func call<Params: Encodable & Sendable, Result>(
        _ method: String, _ params: Params, read: (inout JSONCursor) throws(JSONError) -> Result
    ) throws(ControlError) -> Result {
        let (line, start) = try exchange(method, params) { _ in }
        let result = line.withUnsafeBytes { bytes in
            Swift.Result { () throws(JSONError) in
                var cursor = JSONCursor(bytes, at: start ?? bytes.count, rules: Wire.rules)
                return try read(&cursor)
            }
        }
        switch result {
        case .success(let result): return result
        case .failure(let failure): throw .badReply("\(failure)")
        }
    }

    /// Sends a call and waits for its reply.
    ///
    /// - Returns: the reply's line, and where in it the result begins; nil if it has none.
    private func exchange(
        _ method: String, _ params: some Encodable & Sendable, onNotification: (Data) -> Void
    ) throws(ControlError) -> (line: Data, result: Int?) {
        let id = RPCID.number(nextID)
        nextID += 1
        let frame: Data
        do {
            frame = try Wire.frame(RPCRequest(id: id, method: method, params: params))
        } catch {
            throw .badReply("cannot encode the call: \(error)")
        }
        do {
            try socket.write(frame)
        } catch ControlError.closed {
            // It may have said why before it closed: whoever is not allowed is told without being asked.
        }
        var deadline = ControlSocket.nowMs() + timeoutMs
        while true {
            let line = try nextLine(deadline: deadline)
            let head: RPCReplyHead
            do {
                head = try RPCReplyHead.read(line)
            } catch {
                throw .badReply("\(error)")
            }
            if head.method != nil {
                deadline = ControlSocket.nowMs() + timeoutMs
                onNotification(line)
            }
            // An error without an id is about the connection, or about a line that could not be read.
            if head.hasError, head.id == id || (head.id ?? .null) == .null { throw .remote(try decode(ReplyError.self, line).error) }
            guard head.id == id else { continue }
            return (line, head.result)
        }
    }

    private func nextLine(deadline: Int) throws(ControlError) -> Data {
        while true {
            do {
                if let line = try reader.next() { return line }
            } catch {
                throw .badReply("a line of more than \(FrameReader.maximumLength) bytes")
            }
            reader.append(try socket.read(deadline: deadline))
        }
    }

    private func decode<T: Decodable>(_ type: T.Type, _ data: Data) throws(ControlError) -> T {
        do {
            return try Wire.decode(type, from: data)
        } catch {
            throw .badReply("\(error)")
        }
    }
}
