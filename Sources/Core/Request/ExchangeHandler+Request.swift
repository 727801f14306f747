// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// From the head to the decision: may they, what is it, where does it go.
extension ExchangeHandler {
    /// A refused request's body up to this is read and thrown away, so that the connection can go on.
    private static let discardedBody = 256 * 1024

    func begin(_ head: HTTPRequestHead) {
        hasCarriedRequest = true
        let now = NIODeadline.now()
        let (path, query) = Self.split(head.uri)
        let settings = worker.settings
        let route: Route
        switch RouteTable.match(head.method, path: path) {
        case .route(let found): route = found
        case .methodNotAllowed(let dialect, let allow):
            let nothing = Route(action: .local(.root), dialect: dialect)
            return refuse(.methodNotAllowed(method: head.method.rawValue, path: path, allow: allow), nothing, head, now)
        }
        if settings.keys.isRequired, !route.isPublic {
            switch settings.keys.judge(headers: head.headers, query: query) {
            case .allowed: break
            case .missing: return refuse(.missingKey, route, head, now)
            case .wrong: return refuse(.wrongKey, route, head, now)
            }
        }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        if let length, length > settings.limits.maxBodyBytes, route.action != .blob {
            return refuse(.bodyTooLarge(limit: settings.limits.maxBodyBytes), route, head, now)
        }
        if case .forward = route.action, let encoding = head.headers.first(name: "content-encoding"), !encoding.caseInsensitiveEquals("identity") {
            return refuse(.encodedBody(encoding), route, head, now)
        }
        var target = Substring(head.uri)
        let chosen = query.flatMap { QueryText.value("endpoint", in: $0) }
        if let query, route.upstreamPath != nil || settings.keys.isRequired || chosen != nil {
            // The router's own parameters are nobody else's business.
            let rest = QueryText.removing(settings.keys.isRequired ? ["api_key", "endpoint"] : ["endpoint"], from: query)
            target = Substring((route.upstreamPath ?? path) + (rest.map { "?\($0)" } ?? ""))
        } else if let other = route.upstreamPath {
            target = Substring(other)
        }
        let exchange = newExchange(head, route, target, now)
        exchange.chosenName = chosen
        exchange.isChunked = length == nil && head.headers.contains(name: "transfer-encoding")
        self.exchange = exchange
        if Self.expectsContinue(head) {
            // The body is wanted: everything that can be said against the request without it has been said.
            context?.writeAndFlush(wrapOutboundOut(ResponseSerializer.continueLine), promise: nil)
        }
        if route.action == .blob { beginBlob(exchange) }
    }

    /// The client waits for our word before it sends its body.
    private static func expectsContinue(_ head: HTTPRequestHead) -> Bool {
        head.version.knowsChunks && (head.headers.first(name: "expect")?.caseInsensitiveEquals("100-continue") ?? false)
    }

    /// Answers before the body has come. A small body is read and forgotten; a large one ends the connection.
    private func refuse(_ error: RouterError, _ route: Route, _ head: HTTPRequestHead, _ now: NIODeadline) {
        let length = head.headers.first(name: "content-length").map { Int($0) ?? .max } ?? 0
        let isLarge = length > Self.discardedBody || head.headers.contains(name: "transfer-encoding")
        if isLarge || Self.expectsContinue(head) { machine.endAfterThis() }
        exchange = newExchange(head, route, Substring(head.uri), now)
        answer(error)
    }

    private func newExchange(_ head: HTTPRequestHead, _ route: Route, _ target: Substring, _ now: NIODeadline) -> Exchange {
        let id = worker.newExchangeID()
        let name = worker.name(given: head.headers.first(name: "x-request-id"))
        return Exchange(id: id, givenName: name, head: head, route: route, target: target, now: now)
    }

    func keepBody(_ bytes: ByteBuffer) {
        guard let exchange else { return }
        if let upload = exchange.upload { return uploadPart(exchange, upload, bytes) }
        let limit = worker.settings.limits.maxBodyBytes
        guard (exchange.body?.readableBytes ?? 0) + bytes.readableBytes <= limit else {
            exchange.body = nil
            machine.endAfterThis()
            return answer(.bodyTooLarge(limit: limit))
        }
        if exchange.body == nil {
            // The usual body comes in one piece, and is kept as it is.
            exchange.body = bytes
        } else {
            exchange.body?.writeImmutableBuffer(bytes)
        }
    }

    func requestIsWhole(trailers: HTTPHeaders?) {
        guard let exchange else { return }
        exchange.trailers = trailers
        switch exchange.route.action {
        case .local(let page):
            var local = worker.shared.pages.answer(page, path: Self.split(exchange.head.uri).path)
            if page == .preflight { local.extra += worker.settings.cors.preflight(origin: exchange.head.headers.first(name: "origin")) }
            answer(local)
        case .forward(let operation):
            do throws(RouterError) {
                exchange.facts = try facts(of: exchange, operation)
                if exchange.facts?.hasRouterMember ?? false { try takeRouterMember(exchange) }
            } catch {
                return answer(error)
            }
            if exchange.facts?.model.isEmpty ?? true { return forwardWithoutModel(exchange, operation) }
            if let name = exchange.chosenName {
                guard case .found(let endpoint) = worker.shared.fleet.endpoint(matching: name) else {
                    return answer(.noSuchEndpoint(name, known: worker.shared.fleet.reports().map(\.0.name)))
                }
                exchange.chosen = endpoint.id
            }
            if asksCache(exchange, operation) { return }
            if isMixture(exchange, operation) { return mix(exchange, operation) }
            schedule(exchange)
        case .firstOllama:
            guard let endpoint = worker.shared.fleet.firstUp(that: { $0.isSuperset(of: .ollamaAPI) }) else {
                return answer(.ambiguousEndpoint(path: Self.split(exchange.head.uri).path, endpoints: []))
            }
            forward(exchange, to: endpoint)
        case .report(let page):
            report(page, exchange)
        case .manage(let operation):
            manage(operation, exchange)
        case .blob:
            exchange.upload?.clientEnded()
        }
    }

    /// What the request says of itself: in its JSON body, in a form, or in its query.
    private func facts(of exchange: Exchange, _ operation: Operation) throws(RouterError) -> RequestFacts {
        if operation == .transcriptions, let type = exchange.head.headers.first(name: "content-type"),
            let boundary = MultipartForm.boundary(contentType: type)
        {
            guard let body = exchange.body, let field = MultipartForm.field("model", of: body, boundary: boundary), !field.text.isEmpty else {
                throw .missingModel
            }
            return RequestFacts(model: field.text, modelRange: field.range, stream: nil, isForm: true)
        }
        guard operation.mayLackModel else { return try RequestFacts.read(exchange.body) }
        if let facts = try? RequestFacts.read(exchange.body) { return facts }
        // No JSON, or none that names a model: path or query may.
        let (path, query) = Self.split(exchange.head.uri)
        let model = RouteTable.model(inPath: path) ?? query.flatMap { QueryText.value("model", in: $0) } ?? ""
        return RequestFacts(model: model, modelRange: 0..<0, stream: nil)
    }

    /// What the body says to the router goes no further.
    private func takeRouterMember(_ exchange: Exchange) throws(RouterError) {
        guard let body = exchange.body, case .object(var object)? = body.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }) else {
            throw .invalidJSON("the body is nested too deep")
        }
        let said = object.members.last { $0.key.caseInsensitiveEquals(RouterMember.name) }?.value
        object.members.removeAll { $0.key.caseInsensitiveEquals(RouterMember.name) }
        exchange.body = ByteBuffer(string: JSONValue.object(object).text)
        exchange.facts = try RequestFacts.read(exchange.body)
        exchange.facts?.cacheWish = try RouterMember.cache(said)
    }

    // MARK: Without the scheduler

    /// The request names no model: it goes where it can only mean one endpoint.
    private func forwardWithoutModel(_ exchange: Exchange, _ operation: Operation) {
        let path = Self.split(exchange.head.uri).path
        let fleet = worker.shared.fleet
        if let name = exchange.chosenName {
            guard case .found(let endpoint) = fleet.endpoint(matching: name) else {
                return answer(.noSuchEndpoint(name, known: fleet.reports().map(\.0.name)))
            }
            return forward(exchange, to: endpoint)
        }
        let possible = fleet.allUp { operation.needs.fit(of: $0) == .native }
        if let only = possible.first, possible.count == 1 { return forward(exchange, to: only) }
        // A path that nobody knows is told as such; one that is known lacks its model.
        if operation == .other || operation == .otherOllama || operation == .otherOpenAI, possible.isEmpty || exchange.head.method == .GET {
            return answer(.noSuchRoute(path))
        }
        answer(.ambiguousEndpoint(path: path, endpoints: possible.map(\.name)))
    }

    /// To this endpoint, without a slot: what costs it next to nothing.
    func forward(_ exchange: Exchange, to endpoint: Endpoint) {
        exchange.placement = Placement(endpoint: endpoint.id, model: "", understandsAskedName: true, fit: .native, kind: endpoint.kind)
        carry(exchange, to: endpoint)
    }

    // MARK: The scheduler

    /// Asks for a slot: now, in line, or not at all.
    func schedule(_ exchange: Exchange) {
        guard case .forward(let operation) = exchange.route.action, let facts = exchange.facts else { return }
        exchange.enter(.waiting, now: .now())
        // A mixture's last request is made of chat completions, which everybody speaks.
        let needs = exchange.mixture == nil ? operation.needs : RouteNeeds(.chat)
        var excluding = exchange.failedEndpoints
        if let chosen = exchange.chosen { excluding += worker.settings.endpoints.keys.filter { $0 != chosen && !excluding.contains($0) }.sorted() }
        var ask = Ask(model: exchange.substitute ?? facts.model, needs: needs, tenant: tenant, excluding: excluding)
        // Where the configuration names another model for one that cannot be had, that one is meant.
        ask.unlisted = exchange.chosen.map { .on($0) } ?? (worker.settings.fallbacks[ask.model] == nil ? .whereOneIsMeant : .refused)
        if operation.takesSlot { readPrompt(exchange, operation, into: &ask) }
        if !operation.takesSlot {
            switch worker.shared.scheduler.locate(ask) {
            case .success(let placement): return located(placement, exchange)
            case .failure(let error): return refused(error.refusal, exchange)
            }
        }
        let mailbox = Mailbox(handler: self, eventLoop: worker.eventLoop, exchange: exchange.id)
        switch worker.shared.scheduler.submit(ask, onDecision: { mailbox.deliver($0) }) {
        case .granted(let lease): granted(lease, to: exchange)
        case .queued(let ticket, position: _): exchange.ticket = ticket
        case .refused(let refusal): refused(refusal, exchange)
        }
    }

    /// What the prompt begins with, where that can decide anything. Read once: a request that is tried again has the same.
    private func readPrompt(_ exchange: Exchange, _ operation: Operation, into ask: inout Ask) {
        guard worker.settings.usesAffinity, let body = exchange.body, let facts = exchange.facts else { return }
        let seed = worker.shared.bootID
        let prompt = exchange.prompt ?? PromptReading(operation, body: body, model: facts.model, seed: seed)
        exchange.prompt = prompt
        ask.prefix = prompt.prefix
        ask.promptTokens = prompt.tokens
        ask.session = exchange.head.headers.first(name: "x-session-id").map { PromptReading.session($0, seed: seed) } ?? prompt.session
    }

    func decided(_ decision: Result<Lease, RefusalError>, exchange: Exchange) {
        exchange.ticket = nil
        switch decision {
        case .success(let lease): granted(lease, to: exchange)
        case .failure(let error): refused(error.refusal, exchange)
        }
    }

    private func refused(_ refusal: Refusal, _ exchange: Exchange) {
        // What is not there now may have come since the last poll: the next request shall find it.
        switch refusal {
        case .unknownModel, .noEndpointUp: worker.shared.fleet.pollAllSoon()
        case .unsupportedRoute, .lineFull, .waitedTooLong, .allFailed, .allBusy: break
        }
        if substitutes(exchange, after: refusal) { return }
        if let name = exchange.chosenName, exchange.lastFailure == nil, refusal == .allFailed {
            return answer(.notThere(endpoint: name, model: exchange.facts?.model ?? ""))
        }
        // Where endpoints were tried, what they did says more than that none is left.
        switch (refusal, exchange.lastFailure) {
        case (.allFailed, let failure?), (.noEndpointUp, let failure?), (.unknownModel, let failure?): answer(failure)
        default: answer(.refused(refusal, model: exchange.facts?.model ?? "", path: Self.split(exchange.head.uri).path))
        }
    }

    /// Asks for the next model that the configuration names instead of one that cannot be had.
    private func substitutes(_ exchange: Exchange, after refusal: Refusal) -> Bool {
        switch refusal {
        case .unknownModel, .noEndpointUp, .allFailed, .allBusy: break
        case .unsupportedRoute, .lineFull, .waitedTooLong: return false
        }
        guard let asked = exchange.facts?.model, let others = worker.settings.fallbacks[asked], exchange.detour.substitutions < others.count else {
            return false
        }
        let other = others[exchange.detour.substitutions]
        exchange.detour.substitutions += 1
        exchange.detour.substitute = other
        exchange.failedEndpoints = []
        exchange.detour.notes = ["model \(other) instead of \(asked), which cannot be had"]
        schedule(exchange)
        return true
    }

    /// The scheduler's way to a waiting exchange: a hop to its event loop, and there the question whether it is still the same one.
    private struct Mailbox: Sendable {
        let handler: NIOLoopBound<ExchangeHandler>
        let eventLoop: any EventLoop
        let exchange: UInt64

        init(handler: ExchangeHandler, eventLoop: any EventLoop, exchange: UInt64) {
            self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
            self.eventLoop = eventLoop
            self.exchange = exchange
        }

        func deliver(_ decision: Result<Lease, RefusalError>) {
            eventLoop.execute {
                if let current = handler.value.exchange, current.id == exchange {
                    handler.value.decided(decision, exchange: current)
                } else if case .success(let lease) = decision {
                    // The client left between the decision and now.
                    lease.release(LeaseEnd(outcome: .aborted))
                }
            }
        }
    }

    static func split(_ uri: String) -> (path: String, query: Substring?) {
        guard let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (uri, nil) }
        return (String(uri[..<mark]), uri[uri.index(after: mark)...])
    }
}
