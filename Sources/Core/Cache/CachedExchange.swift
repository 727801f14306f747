// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The way of one request through the cache, beside the event loop: found, followed, or sent on.
struct CachedExchange: Sendable {
    let request: CacheRequest
    let cache: ResponseCache
    let writer: AnswerWriter
    /// The request's own name, for ids of answers.
    let name: String

    func run(_ wish: CacheWish) async throws {
        // A flight that fails between being found and being joined is found no more.
        while true {
            switch await cache.find(request, mayRead: wish.mayRead) {
            case .hit(let entry):
                cache.counters.count(.exact(saved: entry.cost))
                return try await answer(entry, .hit(request.key))
            case .follow(let flight):
                guard let (id, signals) = flight.join() else { continue }
                defer { flight.leave(id) }
                return try await follow(flight, signals)
            case .similar(let entry, let key, let similarity):
                cache.counters.count(.semantic(saved: entry.cost))
                return try await answer(entry, .semantic(key, similarity))
            case .lead(let flight, let inquiry):
                return try await lead(flight, inquiry, wish)
            }
        }
    }

    private func lead(_ flight: SharedFlight, _ inquiry: MeaningSearch.Inquiry?, _ wish: CacheWish) async throws {
        cache.counters.count(wish.why.map { .bypass($0) } ?? .miss)
        let mark = wish.why == nil ? CacheMark.miss(request.key) : .bypass
        do {
            try await writer.run { [request, cache] exchange in
                exchange.cacheMark = mark
                exchange.recording = Recording(CacheFill(request: request, flight: flight, inquiry: inquiry), cache)
                exchange.goOn()
            }
        } catch {
            cache.fail(flight, request, nil)
            throw error
        }
    }

    /// A kept answer, in the manner asked.
    private func answer(_ entry: CacheEntry, _ mark: CacheMark) async throws {
        let replay = AnswerReplay(
            request, answer: entry.answer, askedBefore: entry.askedModel,
            .init(id: name, time: WallClock.rfc3339(), unixSeconds: WallClock.unixSeconds()))
        let bytes = ByteBuffer(string: request.streams ? replay.stream(tellsUsage: request.tellsUsage) : replay.whole)
        try await writer.run { [request] exchange in
            exchange.cacheMark = mark
            guard request.streams else { return exchange.answer(.json(bytes)) }
            exchange.beginStream(replay.streamType)
            _ = exchange.writeStream(bytes)
            exchange.endStream(failed: false)
        }
    }

    // MARK: Another's generation

    private func follow(_ flight: SharedFlight, _ signals: AsyncStream<Void>) async throws {
        var offset = 0
        // Operators see from now on whose answer it waits for.
        try await writer.run { [request] exchange in
            exchange.life.follow()
            exchange.cacheMark = .shared(request.key)
        }
        for await _ in signals {
            looking: while true {
                // The same manner of stream is read as it comes; another one is made from the whole.
                switch flight.look(from: offset, live: request.streams && flight.tellsUsage == request.tellsUsage) {
                case .wait: break looking
                case .bytes(let bytes, let framing):
                    try await pass(bytes, framing, isFirst: offset == 0)
                    offset += bytes.count
                case .streamEnded(let cost):
                    cache.counters.count(.shared(saved: cost))
                    return try await writer.end()
                case .ended(.answered(let entry)):
                    cache.counters.count(.shared(saved: entry.cost))
                    return try await answer(entry, .shared(request.key))
                case .ended(.failed) where offset == 0:
                    return try await startOver()
                case .ended(.failed):
                    return try await writer.fail(.answerCut(endpoint: "", reason: "the generation that it was shared with has failed"))
                }
            }
        }
        throw AnswerWriter.ClientLeft()
    }

    private func pass(_ bytes: [UInt8], _ framing: StreamFraming, isFirst: Bool) async throws {
        let mark = CacheMark.shared(request.key)
        let buffer = ByteBuffer(bytes: bytes)
        let endsLine = bytes.last == UInt8(ascii: "\n")
        try await writer.write(buffer) { exchange in
            exchange.sideWork.followed = (framing, !endsLine)
            guard isFirst else { return }
            exchange.cacheMark = mark
            exchange.beginStream(framing == .newlineJSON ? "application/x-ndjson" : "text/event-stream")
        }
    }

    /// Alone this time: what failed once shall not fail for all of them together again.
    private func startOver() async throws {
        cache.counters.count(.miss)
        try await writer.run { [request] exchange in
            exchange.cacheMark = .miss(request.key)
            exchange.goOn()
        }
    }
}
