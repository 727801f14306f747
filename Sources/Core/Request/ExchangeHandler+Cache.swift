// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Requests that a kept answer may do for: the cache is asked before the scheduler, off the event loop. A hit takes no slot; a
/// request equal to one in flight follows its generation; anything else goes on to an endpoint, and its answer is recorded on its way.
extension ExchangeHandler {
    /// Larger bodies are not worth reading twice.
    private static let bodyLimit = 16 << 20
    /// They go to the endpoint, and may change its answer.
    private static let tellingHeaders = ["openai-organization", "openai-project", "openai-beta"]

    /// - Returns: whether the cache has been asked; the exchange goes on by itself then.
    func asksCache(_ exchange: Exchange, _ operation: Operation) -> Bool {
        let settings = worker.settings
        guard settings.cache.isEnabled, let route = CachedRoute(operation), let body = exchange.body, let facts = exchange.facts else { return false }
        let headers = exchange.head.headers
        let wish = CacheWish(asked: facts.cacheWish, headers: headers, isOptIn: settings.cache.mode == .optIn)
        let obstacle: CacheBypass? =
            if isMixture(exchange, operation) { .mixture } else if !wish.mayKeep {
                wish.why
            } else if exchange.chosen != nil
                || exchange.target.utf8.contains(UInt8(ascii: "?"))
            { .query } else if body.readableBytes > Self.bodyLimit { .tooLarge } else { nil }
        if let obstacle {
            bypass(exchange, obstacle)
            return false
        }
        let model = ModelName.shortKey(settings.modelAliases[facts.model] ?? facts.model)
        let tenant = cacheTenant(exchange)
        let telling = Self.tellingHeaders.compactMap { name in headers.first(name: name).map { (name, $0) } }
        let cache = worker.shared.cache
        let name = name(of: exchange)
        start(exchange) { writer in
            let request: CacheRequest
            do throws(CacheBypass) {
                guard let json = body.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }) else { throw .ambiguous }
                request = try CacheRequest(route, body: json, asked: facts.model, model: model, tenant: tenant, headers: telling)
            } catch {
                return try await writer.run { handler, exchange in
                    handler.bypass(exchange, error)
                    handler.goOn(exchange)
                }
            }
            try await CachedExchange(request: request, cache: cache, writer: writer, name: name).run(wish)
        }
        return true
    }

    private func bypass(_ exchange: Exchange, _ reason: CacheBypass) {
        worker.shared.cache.counters.count(.bypass(reason))
        exchange.cacheMark = .bypass
    }

    /// Who may share answers: everybody who has the router's key, or, where it has none, everybody who shows an endpoint the same one.
    private func cacheTenant(_ exchange: Exchange) -> String {
        if worker.settings.keys.isRequired { return "" }
        let headers = exchange.head.headers
        guard let key = headers.first(name: "authorization") ?? headers.first(name: "x-api-key") else { return "" }
        // The key itself is nobody's business.
        return String(Digest(of: key).hex.prefix(16))
    }

    /// To an endpoint after all.
    func goOn(_ exchange: Exchange) {
        exchange.hasJob = false
        schedule(exchange)
    }

    // MARK: Recording

    /// The answer's head has come.
    func beginRecording(_ exchange: Exchange, _ head: ResponseHead) {
        guard let fill = exchange.fill else { return }
        // What was done to the request makes it another one.
        guard head.status == 200, !head.isEncoded, exchange.notes.isEmpty, exchange.substitute == nil else {
            return stopRecording(exchange, head.status == 200 ? .altered : .notAnAnswer)
        }
        guard let translated = exchange.translated else { return fill.flight.begin(framing: exchange.tap?.framing) }
        fill.flight.begin(framing: translated.mode != .stream ? nil : fill.request.route.isOllama ? .newlineJSON : .serverSentEvents)
    }

    func finishRecording(_ exchange: Exchange, isWhole: Bool) {
        guard let fill = exchange.fill else { return }
        guard isWhole else { return stopRecording(exchange, .cut) }
        exchange.fill = nil
        worker.shared.cache.keep(
            fill,
            AnswerCost(
                promptTokens: exchange.tokens.input, answerTokens: exchange.tokens.output,
                milliseconds: (NIODeadline.now() - (exchange.sentAt ?? exchange.started)).milliseconds),
            tellsTokens: exchange.tap?.figures.promptTokens != nil)
    }

    /// - Parameter reason: nil where there was no answer at all.
    func stopRecording(_ exchange: Exchange, _ reason: NotKept?) {
        guard let fill = exchange.fill else { return }
        exchange.fill = nil
        worker.shared.cache.fail(fill.flight, fill.request, reason)
    }

    // MARK: A leader without a client

    /// The client has gone, but others follow its generation.
    ///
    /// - Returns: whether the exchange goes on without its client.
    func detaches() -> Bool {
        guard let exchange, let fill = exchange.fill, !exchange.hasJob else { return false }
        let bound = NIOLoopBound(self, eventLoop: worker.eventLoop)
        let eventLoop = worker.eventLoop
        let id = exchange.id
        isDetached = fill.flight.leaderLeft {
            eventLoop.execute {
                if bound.value.isDetached, bound.value.exchange?.id == id { bound.value.abandonExchange() }
            }
        }
        if isDetached { exchange.upstream?.resumeReading() }
        return isDetached
    }
}

/// What an answer says of the cache.
enum CacheMark: Equatable {
    case hit(Digest)
    /// The answer to another question, so near.
    case semantic(Digest, Float)
    /// From another's generation in flight.
    case shared(Digest)
    case miss(Digest)
    case bypass

    /// As operators and clients read it.
    var word: String {
        switch self {
        case .hit: "hit"
        case .semantic: "semantic"
        case .shared: "shared"
        case .miss: "miss"
        case .bypass: "bypass"
        }
    }

    /// For the access log, where no endpoint was chosen.
    var why: String? {
        switch self {
        case .hit: "cache_hit"
        case .semantic: "cache_semantic"
        case .shared: "cache_shared"
        case .miss, .bypass: nil
        }
    }

    func writeFields(into buffer: inout ByteBuffer) {
        switch self {
        case .hit(let key): Self.write("hit", key, into: &buffer)
        case .semantic(let key, let similarity):
            Self.write("semantic", key, into: &buffer)
            ForwardedHeaders.write("X-Cache-Similarity", Self.text(similarity), into: &buffer)
        case .shared(let key): Self.write("shared", key, into: &buffer)
        case .miss(let key): Self.write("miss", key, into: &buffer)
        case .bypass: buffer.writeStaticString("X-Cache: bypass\r\n")
        }
    }

    /// With four decimals.
    private static func text(_ similarity: Float) -> String {
        let digits = String(Int((Double(similarity) * 10000).rounded()) + 10000)
        return (similarity >= 0.99995 ? "1." : "0.") + digits.suffix(4)
    }

    private static func write(_ word: String, _ key: Digest, into buffer: inout ByteBuffer) {
        ForwardedHeaders.write("X-Cache", word, into: &buffer)
        // Enough to name it to `routerctl cache get`.
        ForwardedHeaders.write("X-Cache-Key", String(key.hex.prefix(16)), into: &buffer)
    }
}

/// A recording: whose answer it will be.
struct CacheFill {
    var request: CacheRequest
    var flight: SharedFlight
    /// Its meaning, in the making.
    var inquiry: MeaningSearch.Inquiry?
}
