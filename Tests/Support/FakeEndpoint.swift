// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A model server within the test's process that does what the test tells it, down to the byte.
///
/// It answers the router's polls by itself, so that it is up with the models it was given, and everything else by its
/// script, or as a well-behaved model server where it has none. A thread accepts, and each connection has a thread: a
/// script may block as it likes.
public final class FakeEndpoint: Sendable {
    public enum Kind: Sendable { case ollama, llamaServer, openAI }

    /// Runs on the connection's thread for one request. What it leaves open is kept alive.
    public typealias Script = @Sendable (FakeConnection, ReceivedRequest) -> Void
    /// As `Script`, for a poll. False leaves the answer to the endpoint.
    public typealias PollScript = @Sendable (FakeConnection, ReceivedRequest) -> Bool

    public let kind: Kind
    public let name: String
    public let port: Int
    /// The last byte of its address, 127.0.0.x.
    public let host: UInt8

    private struct State {
        var listener: TCPSocket?
        var connections: [Int: FakeConnection] = [:]
        var accepted = 0
        var active = 0
        var mostActive = 0
        var peersThatLeft = 0
        var requests: [ReceivedRequest] = []
        var total = 0
        var script: Script?
        var available: [String]
        var loaded: [String]
        var keepsBodies = true
        var pollsHang = false
        var polls = 0
        var pollHeads: [MessageHead] = []
        var pollScript: PollScript?
        var server: FakeModelServer
    }

    private let state: NIOLockedValueBox<State>

    /// - Parameters:
    ///   - available: names of the models that it has.
    ///   - loaded: names of those in memory.
    ///   - host: the last byte of its address, 127.0.0.x.
    ///   - port: zero for any free one.
    ///   - script: for everything but polls; nil for a well-behaved server.
    public init(
        _ name: String = "fake", kind: Kind = .ollama, available: [String], loaded: [String] = [], server: FakeModelServer = FakeModelServer(),
        host: UInt8 = 1, port: Int = 0, script: Script? = nil
    ) throws {
        let listener = try TCPSocket.listening(port: port, host: host)
        self.kind = kind
        self.name = name
        self.host = host
        self.port = listener.localPort
        state = NIOLockedValueBox(State(listener: listener, script: script, available: available, loaded: loaded, server: server))
        accept(on: listener)
    }

    deinit { die() }

    public var url: String { "http://127.0.0.\(host):\(port)" }

    /// The entry of this endpoint in a configuration.
    public func entry(limit: Int? = nil, weight: Double? = nil, key: String? = nil, vram: String? = nil) -> String {
        var entry = "  - {url: \"\(url)\(kind == .openAI ? "/v1" : "")\", name: \(name)"
        if let limit { entry += ", max_concurrent_connections: \(limit)" }
        if let weight { entry += ", weight: \(weight)" }
        if let key { entry += ", api_key: \(key)" }
        if let vram { entry += ", vram: \(vram)" }
        return entry + "}\n"
    }

    // MARK: What it shows

    public var openConnections: Int { state.withLockedValue { $0.connections.count } }
    /// Requests that are being worked on, polls aside.
    public var active: Int { state.withLockedValue { $0.active } }
    public var mostActive: Int { state.withLockedValue { $0.mostActive } }
    /// Requests whose client closed the connection before their script had ended.
    public var peersThatLeft: Int { state.withLockedValue { $0.peersThatLeft } }
    /// All requests but polls, in the order in which they were read whole.
    public var requests: [ReceivedRequest] { state.withLockedValue { $0.requests } }
    /// As many as there were, kept or not.
    public var requestCount: Int { state.withLockedValue { $0.total } }
    public var pollCount: Int { state.withLockedValue { $0.polls } }
    public var pollHeads: [MessageHead] { state.withLockedValue { $0.pollHeads } }
    public var loaded: [String] { state.withLockedValue { $0.loaded } }

    // MARK: What it is told

    public func setScript(_ script: Script?) { state.withLockedValue { $0.script = script } }
    public func setLoaded(_ models: [String]) { state.withLockedValue { $0.loaded = models } }
    public func setAvailable(_ models: [String]) { state.withLockedValue { $0.available = models } }
    public func add(_ model: String) { state.withLockedValue { $0.available.append(model) } }
    public func remove(_ model: String) { state.withLockedValue { $0.available.removeAll { $0 == model } } }
    /// What it does with polls, down to the byte; nil: answers them well.
    public func setPollScript(_ script: PollScript?) { state.withLockedValue { $0.pollScript = script } }
    public func setPollsHang(_ hang: Bool) { state.withLockedValue { $0.pollsHang = hang } }
    /// For endless traffic: counts requests, but forgets them.
    public func keepNoRequests() { state.withLockedValue { $0.keepsBodies = false } }
    public func forgetRequests() { state.withLockedValue { $0.requests = [] } }

    /// As `kill -9`: nobody listens any more, and the kernel ends all connections.
    public func die() {
        let (listener, connections) = state.withLockedValue { state in
            let found = (state.listener, Array(state.connections.values))
            state.listener = nil
            return found
        }
        listener?.close()
        for connection in connections { connection.close() }
    }

    /// After `die`: listens on the same port again.
    public func revive() throws {
        let listener = try eventualValue("port \(port) free again") { try? TCPSocket.listening(port: port, host: host) }
        state.withLockedValue { $0.listener = listener }
        accept(on: listener)
    }

    /// Closes connections that carry no request, as a server does after its keep-alive time.
    public func closeIdleConnections() {
        let idle = state.withLockedValue { Array($0.connections.values) }
        for connection in idle { connection.close() }
    }

    // MARK: Connections

    private func accept(on listener: TCPSocket) {
        Thread.detachNewThread { [weak self] in
            while listener.isOpen {
                guard let accepted = try? listener.accept() else { continue }
                guard let self else { return accepted.close() }
                let connection = self.state.withLockedValue { state -> FakeConnection? in
                    // One that came while the endpoint died has nobody to serve it.
                    guard state.listener != nil else { return nil }
                    state.accepted += 1
                    let connection = FakeConnection(socket: accepted, number: state.accepted)
                    state.connections[connection.number] = connection
                    return connection
                }
                guard let connection else {
                    accepted.close()
                    continue
                }
                Thread.detachNewThread { self.serve(connection) }
            }
        }
    }

    private func serve(_ connection: FakeConnection) {
        var reader = RequestReader(connection.socket)
        while connection.isOpen, let request = reader.next() {
            if isPoll(request) {
                answerPoll(request, connection)
            } else {
                let (script, server) = state.withLockedValue { state in
                    state.total += 1
                    if state.keepsBodies { state.requests.append(request) }
                    state.active += 1
                    state.mostActive = max(state.mostActive, state.active)
                    return (state.script, state.server)
                }
                if let script { script(connection, request) } else { server.answer(request, on: connection) }
                let left = connection.isOpen && connection.socket.peerIsGone
                state.withLockedValue { state in
                    state.active -= 1
                    if left { state.peersThatLeft += 1 }
                }
            }
            if request.head["connection"]?.lowercased() == "close" { break }
        }
        connection.close()
        state.withLockedValue { _ = $0.connections.removeValue(forKey: connection.number) }
    }

    private func isPoll(_ request: ReceivedRequest) -> Bool {
        // The question whether there is such a route at all.
        if kind == .openAI, request.body == Array("{}".utf8) { return true }
        guard request.method == "GET" else { return false }
        switch kind {
        case .ollama: return ["/api/version", "/api/tags", "/api/ps"].contains(request.path)
        case .llamaServer: return ["/health", "/v1/models", "/props", "/slots"].contains(request.path)
        case .openAI: return request.path == "/v1/models"
        }
    }

    private func answerPoll(_ request: ReceivedRequest, _ connection: FakeConnection) {
        let (available, loaded, server, hang, script) = state.withLockedValue { state in
            state.polls += 1
            state.pollHeads.append(request.head)
            return (state.available, state.loaded, state.server, state.pollsHang, state.pollScript)
        }
        if let script, script(connection, request) { return }
        if hang {
            connection.waitForPeerToLeave(within: 60)
            return
        }
        switch request.path {
        case "/api/version": connection.answer(#"{"version":"\#(server.version)"}"#)
        case "/api/tags": connection.answer(server.tags(available))
        case "/api/ps": connection.answer(server.ps(loaded))
        case "/health": connection.answer(#"{"status":"ok"}"#)
        case "/v1/models": connection.answer(server.llamaModels(available))
        default: connection.answer(#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#, status: "404 Not Found")
        }
    }
}

/// Reads requests from a connection, one after the other, and lets clients that ask for it go on with their body.
public struct RequestReader {
    private let socket: TCPSocket
    private var queue = ByteQueue()

    public init(_ socket: TCPSocket) { self.socket = socket }

    /// Nil when the connection has ended or what came is no HTTP.
    public mutating func next() -> ReceivedRequest? {
        do {
            let head = try readHead()
            var decoder = BodyDecoder(head.isChunked ? .chunked : .counted(head.contentLength ?? 0))
            if head["expect"]?.lowercased() == "100-continue" { try socket.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
            var body: [UInt8] = []
            while !decoder.isDone {
                if let bytes = try decoder.next(&queue) {
                    body += bytes
                } else {
                    queue.append(try socket.receive(until: Deadline(120)))
                }
            }
            return ReceivedRequest(head: head, body: body, trailers: decoder.trailers)
        } catch {
            return nil
        }
    }

    private mutating func readHead() throws -> MessageHead {
        while true {
            if let raw = queue.takeHead() { return try MessageHead(raw: raw) }
            queue.append(try socket.receive(until: Deadline(120)))
        }
    }
}
