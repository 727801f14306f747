// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Requests that a kept answer may do for: the cache is asked before the scheduler, off the event loop. A hit takes no slot; a
/// request equal to one in flight follows its generation; anything else goes on to an endpoint, and its answer is recorded on its way.
extension Exchange {
    /// Larger bodies are not worth reading twice.
    private static let bodyLimit = 16 << 20
    /// They go to the endpoint, and may change its answer.
    private static let tellingHeaders = ["openai-organization", "openai-project", "openai-beta"]

    /// - Returns: whether the cache has been asked; the exchange goes on by itself then.
    func asksCache(_ operation: Operation) -> Bool {
        let settings = worker.settings
        guard settings.cache.isEnabled, let route = CachedRoute(operation), let body, let facts else { return false }
        let headers = head.headers
        let wish = CacheWish(asked: facts.cacheWish, headers: headers, isOptIn: settings.cache.mode == .optIn)
        if let obstacle = obstacle(operation, wish, body) {
            bypassCache(obstacle)
            return false
        }
        let model = ModelName.shortKey(settings.modelAliases[facts.model] ?? facts.model)
        let tenant = cacheTenant
        let telling = Self.tellingHeaders.compactMap { name in headers.first(name: name).map { (name, $0) } }
        let cache = worker.shared.cache
        let name = name
        life.ask()
        run { writer in
            let request: CacheRequest
            do throws(CacheBypass) {
                guard let json = body.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }) else { throw .ambiguous }
                request = try CacheRequest(route, body: json, asked: facts.model, model: model, tenant: tenant, headers: telling)
            } catch {
                return try await writer.run { exchange in
                    exchange.bypassCache(error)
                    exchange.goOn()
                }
            }
            try await CachedExchange(request: request, cache: cache, writer: writer, name: name).run(wish)
        }
        return true
    }

    private func obstacle(_ operation: Operation, _ wish: CacheWish, _ body: ByteBuffer) -> CacheBypass? {
        if isMixture(operation) { return .mixture }
        if !wish.mayKeep { return wish.why }
        if chosen != nil || target.utf8.contains(UInt8(ascii: "?")) { return .query }
        return body.readableBytes > Self.bodyLimit ? .tooLarge : nil
    }

    private func bypassCache(_ reason: CacheBypass) {
        worker.shared.cache.counters.count(.bypass(reason))
        cacheMark = .bypass
    }

    /// Who may share answers: everybody who has the router's key, or, where it has none, everybody who shows an endpoint the same one.
    private var cacheTenant: String {
        if worker.settings.keys.isRequired { return "" }
        guard let key = head.headers.first(name: "authorization") ?? head.headers.first(name: "x-api-key") else { return "" }
        // The key itself is nobody's business.
        return String(Digest(of: key).hex.prefix(16))
    }

    // MARK: Recording

    /// The answer's head has come.
    func beginRecording(_ answer: ResponseHead, _ manner: AnswerPath.Manner) {
        guard let recording else { return }
        // What was done to the request makes it another one.
        guard answer.status == 200, !answer.isEncoded, existingSideWork?.notes.isEmpty ?? true, existingSideWork?.substitute == nil else {
            return stopRecording(answer.status == 200 ? .altered : .notAnAnswer)
        }
        switch manner {
        case .asItCame: recording.begin(framing: attempt?.tap?.framing)
        case .gathered: recording.begin(framing: nil)
        case .stream: recording.begin(framing: attempt?.path.ownFraming)
        }
    }

    func finishRecording() {
        guard let recording else { return }
        self.recording = nil
        let tokens = attempt?.tokens ?? TokenSum()
        let cost = AnswerCost(
            promptTokens: tokens.input, answerTokens: tokens.output, milliseconds: (NIODeadline.now() - (attempt?.sentAt ?? started)).milliseconds)
        recording.keep(cost, tellsTokens: attempt?.tap?.figures.promptTokens != nil)
    }

    /// - Parameter reason: nil where there was no answer at all.
    func stopRecording(_ reason: NotKept?) {
        recording?.stop(reason)
        recording = nil
    }

    /// Whether others wait for the generation whose client leaves.
    func isFollowed() -> Bool {
        guard let recording else { return false }
        let bound = NIOLoopBound(self, eventLoop: worker.eventLoop)
        let eventLoop = worker.eventLoop
        // The last of them leaves, too.
        return recording.isFollowed { eventLoop.execute { bound.value.end(.aborted) } }
    }
}
