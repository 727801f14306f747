// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

@testable import Core

/// A client's connection with everything behind it but the network: the channels are embedded ones, the endpoints are played by the test.
///
/// Bound to the thread of its test.
final class ExchangeBench {
    let loop = EmbeddedEventLoop()
    let client: EmbeddedChannel
    let handler: ExchangeHandler
    let worker: Worker
    let scheduler: SchedulerBox
    private let dialled: Dialled
    private static let model = "m:latest"

    /// The connections that were made, oldest first. Embedded channels are of one thread, as is the test.
    private final class Dialled: @unchecked Sendable {
        var channels: [(place: Dialer.Place, channel: EmbeddedChannel)] = []
        var refusing: Set<Int> = []
        var waiting: [EventLoopPromise<Void>]?
    }

    /// - Parameters:
    ///   - endpoints: how many have the model, all of them in memory.
    ///   - change: of the configuration.
    init(endpoints count: Int = 1, _ change: (inout Config) -> Void = { _ in }) throws {
        var config = Config()
        change(&config)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let dialled = Dialled()
        self.dialled = dialled
        let loop = self.loop
        let dialer = Dialer(open: { place, _, _, prepare in Self.open(place, prepare, dialled, loop) })
        let endpoints = (1...count).map { number in
            Endpoint(
                id: EndpointID(number), name: "e\(number)", address: EndpointAddress(host: "h", port: number, url: "http://h:\(number)"),
                kind: .ollama, limit: 1)
        }
        scheduler = SchedulerBox(settings: config.schedulerSettings, seed: 1)
        scheduler.setEndpoints(endpoints)
        for endpoint in endpoints {
            scheduler.report(
                endpoint.id,
                EndpointReport(
                    state: EndpointState(phase: .up, since: .now()), models: [ModelListing(name: Self.model)],
                    loaded: [LoadedModel(name: Self.model)]))
        }
        let group = MultiThreadedEventLoopGroup.singleton
        let asker = EndpointClient(group: group, dialer: dialer)
        let fleet = Fleet(client: asker, logger: logger)
        let cache = ResponseCache(group: group, dialer: dialer, logger: logger) { LocalEmbedder(path: $0.modelPath) }
        let shared = RouterShared(
            scheduler: scheduler, fleet: fleet, pages: FleetPages(), dialer: dialer, tokens: TokenCounter(path: nil, logger: logger), cache: cache,
            client: asker, logger: logger)
        worker = Worker(
            index: 0, count: 1, eventLoop: loop, shared: shared,
            settings: try RuntimeSettings(config: config, endpoints: endpoints, accessLogHealth: shared.accessLogHealth))
        handler = ExchangeHandler(worker: worker)
        client = EmbeddedChannel(loop: loop)
        try client.pipeline.syncOperations.addHandler(handler)
        client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 9), promise: nil)
    }

    private static func open(
        _ place: Dialer.Place, _ prepare: Dialer.Prepare, _ dialled: Dialled, _ loop: EmbeddedEventLoop
    ) -> EventLoopFuture<any Channel> {
        if case .tcp(_, let port) = place, dialled.refusing.contains(port) {
            return loop.makeFailedFuture(IOError(errnoCode: ECONNREFUSED, reason: "connect"))
        }
        let channel = EmbeddedChannel(loop: loop)
        do {
            try prepare(channel.pipeline.syncOperations)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        } catch {
            return loop.makeFailedFuture(error)
        }
        dialled.channels.append((place, channel))
        guard dialled.waiting != nil else { return loop.makeSucceededFuture(channel) }
        let promise = loop.makePromise(of: Void.self)
        dialled.waiting?.append(promise)
        return promise.futureResult.map { channel }
    }

    /// The endpoint of this number takes no connections.
    func refuse(_ number: Int) { dialled.refusing.insert(number) }

    /// Connections are not there before `connect`.
    func holdConnections() { dialled.waiting = [] }

    func connect() {
        let waiting = dialled.waiting ?? []
        dialled.waiting = nil
        for promise in waiting { promise.succeed(()) }
        loop.run()
    }

    var connections: Int { dialled.channels.count }

    // MARK: The client

    static let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#

    /// A chat, or its head alone.
    func ask(_ path: String = "/api/chat", body: String = ExchangeBench.body, isWhole: Bool = true, headers: HTTPHeaders = [:]) throws {
        var headers = headers
        headers.add(name: "content-length", value: "\(body.utf8.count)")
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: headers)
        try client.writeInbound(HTTPServerRequestPart.head(head))
        if !isWhole { return }
        try client.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: body)))
        try client.writeInbound(HTTPServerRequestPart.end(nil))
        loop.run()
    }

    /// What the client has got since this was last asked.
    func got() throws -> String {
        var text = ""
        while let bytes = try client.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    func leave() {
        client.close(promise: nil)
        loop.run()
    }

    // MARK: The endpoints

    /// Of the connection made as number `index`: what went to the endpoint since this was last asked.
    func received(_ index: Int) throws -> String {
        var text = ""
        while let bytes = try dialled.channels[index].channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    /// The last connection that a request went to since this was last asked.
    func asked() throws -> Int { try dialled.channels.indices.last { try !received($0).isEmpty } ?? -1 }

    /// The name of the endpoint that the connection was made to.
    func endpoint(_ index: Int) -> String {
        guard case .tcp(_, let port) = dialled.channels[index].place else { return "" }
        return "e\(port)"
    }

    func answer(_ index: Int, _ text: String) throws {
        try dialled.channels[index].channel.writeInbound(ByteBuffer(string: text))
        loop.run()
    }

    func hangUp(_ index: Int) {
        dialled.channels[index].channel.close(promise: nil)
        loop.run()
    }

    func isOpen(_ index: Int) -> Bool { dialled.channels[index].channel.isActive }

    static func refusal(_ status: String, _ body: String = #"{"error":"no"}"#, _ more: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\(more)\r\n\(body)"
    }

    static let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    static let item = chunk(#"{"message":{"content":"a"},"done":false}"# + "\n")
    static let last = chunk(#"{"message":{"content":""},"done":true,"eval_count":2,"prompt_eval_count":3}"# + "\n") + "0\r\n\r\n"

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    // MARK: The books

    /// Slots that are out.
    var leases: Int { scheduler.snapshot().inFlight }

    var counters: WorkerCounters { worker.counters }
}
