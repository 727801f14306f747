// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1
import Protocol

/// From the head to the decision: what the request is, and where it goes.
extension Exchange {
    /// The head has been accepted.
    func begin() {
        if route.action == .blob { beginBlob() }
    }

    func receivedBody(_ bytes: ByteBuffer) {
        guard !life.isOver else { return }
        if let upload = existingSideWork?.upload { return uploadPart(upload, bytes) }
        let limit = worker.settings.limits.maxBodyBytes
        guard (body?.readableBytes ?? 0) + bytes.readableBytes <= limit else {
            body = nil
            client?.machine.endAfterThis()
            return answer(.bodyTooLarge(limit: limit))
        }
        if body == nil {
            // The usual body comes in one piece, and is kept as it is.
            body = bytes
        } else {
            body?.writeImmutableBuffer(bytes)
        }
    }

    func requestEnded(trailers: HTTPHeaders?) {
        switch life.requestEnded() {
        case .decide:
            self.trailers = trailers
            decide()
        case .tellTask: existingSideWork?.upload?.clientEnded()
        case .ignore: break
        }
    }

    private func decide() {
        switch route.action {
        case .local(let page):
            var local = worker.shared.pages.answer(page, path: HeadCheck.split(head.uri).path)
            if page == .preflight { local.extra += worker.settings.cors.preflight(origin: head.headers.first(name: "origin")) }
            answer(local)
        case .forward(let operation): decide(operation)
        case .firstOllama:
            guard let endpoint = worker.shared.fleet.firstUp(that: { $0.isSuperset(of: .ollamaAPI) }) else {
                return answer(.ambiguousEndpoint(path: HeadCheck.split(head.uri).path, endpoints: []))
            }
            forward(to: endpoint)
        case .report(let page): report(page)
        case .manage(let operation): manage(operation)
        // Its task has been at work since its head.
        case .blob: break
        }
    }

    private func decide(_ operation: Operation) {
        do throws(RouterError) {
            facts = try RequestFacts.read(operation, head, body)
            if facts?.hasRouterMember ?? false { try takeRouterMember(operation) }
        } catch {
            return answer(error)
        }
        if facts?.model.isEmpty ?? true { return forwardWithoutModel(operation) }
        if let chosenName {
            guard case .found(let endpoint) = worker.shared.fleet.endpoint(matching: chosenName) else {
                return answer(.noSuchEndpoint(chosenName, known: worker.shared.fleet.reports().map(\.0.name)))
            }
            chosen = endpoint.id
        }
        if facts?.isUnload != true, asksCache(operation) { return }
        if isMixture(operation) { return mix(operation) }
        schedule()
    }

    /// What the body says to the router goes no further.
    private func takeRouterMember(_ operation: Operation) throws(RouterError) {
        guard let body, case .object(var object)? = body.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }) else {
            throw .invalidJSON("the body is nested too deep")
        }
        let said = object.members.last { $0.key.caseInsensitiveEquals(RouterMember.name) }?.value
        object.members.removeAll { $0.key.caseInsensitiveEquals(RouterMember.name) }
        self.body = ByteBuffer(string: JSONValue.object(object).text)
        facts = try RequestFacts.read(self.body, for: operation)
        facts?.cacheWish = try RouterMember.cache(said)
    }

    // MARK: Without the scheduler

    /// The request names no model: it goes where it can only mean one endpoint.
    private func forwardWithoutModel(_ operation: Operation) {
        let path = HeadCheck.split(head.uri).path
        let fleet = worker.shared.fleet
        if let chosenName {
            guard case .found(let endpoint) = fleet.endpoint(matching: chosenName) else {
                return answer(.noSuchEndpoint(chosenName, known: fleet.reports().map(\.0.name)))
            }
            return forward(to: endpoint)
        }
        let possible = fleet.allUp { operation.needs.fit(of: $0) == .native }
        if let only = possible.first, possible.count == 1 { return forward(to: only) }
        // A path that nobody knows is told as such; one that is known lacks its model.
        if operation == .other || operation == .otherOllama || operation == .otherOpenAI, possible.isEmpty || head.method == .GET {
            return answer(.noSuchRoute(path))
        }
        answer(.ambiguousEndpoint(path: path, endpoints: possible.map(\.name)))
    }

    /// To this endpoint, without a slot: what costs it next to nothing.
    func forward(to endpoint: Endpoint) {
        life.located()
        let now = NIODeadline.now()
        grantedAt = now
        let placement = Placement(endpoint: endpoint.id, model: "", understandsAskedName: true, fit: .native, kind: endpoint.kind)
        attempt = Attempt(endpoint: SharedEndpoint(endpoint), placement: placement, lease: nil)
        attempt?.path = managedPath
        carry(now)
    }

    // MARK: The scheduler

    /// Asks for a slot: now, in line, or not at all.
    func schedule() {
        guard case .forward(let operation) = route.action, let ask = ask(operation) else { return }
        life.queue()
        let now = NIODeadline.now()
        enter(.waiting, now: now)
        guard operation.takesSlot, !ask.isUnload else {
            switch worker.shared.scheduler.locate(ask) {
            case .success(let placement): return located(placement, now)
            case .failure(let error): return refused(error.refusal)
            }
        }
        let bound = NIOLoopBound(self, eventLoop: worker.eventLoop)
        let eventLoop = worker.eventLoop
        // The scheduler lives on no event loop: a hop to ours, and there the question whether the slot is still wanted.
        switch worker.shared.scheduler.submit(ask, onDecision: { decision in eventLoop.execute { bound.value.decided(decision) } }) {
        case .granted(let lease): granted(lease, now)
        case .queued(let ticket, position: _): self.ticket = ticket
        case .refused(let refusal): refused(refusal)
        }
    }

    /// What is asked of the scheduler.
    func ask(_ operation: Operation) -> Ask? {
        // Its facts are read in place, as a copy of them costs more than what is read.
        guard let model = facts?.model else { return nil }
        // A mixture's last request is made of chat completions, which everybody speaks.
        let needs = existingSideWork?.mixture == nil ? operation.needs : RouteNeeds(.chat)
        var excluding = retries.excluded
        if let chosen { excluding += worker.settings.endpoints.keys.filter { $0 != chosen && !excluding.contains($0) }.sorted() }
        var ask = Ask(model: existingSideWork?.substitute ?? model, needs: needs, tenant: tenant, excluding: excluding)
        // Where the configuration names another model for one that cannot be had, that one is meant.
        ask.unlisted = chosen.map { .on($0) } ?? (worker.settings.fallbacks[ask.model] == nil ? .whereOneIsMeant : .refused)
        let limit = worker.settings.limits.requestTimeout
        if limit > .zero { ask.deadline = started + limit }
        ask.options = facts?.runnerOptions
        ask.takesContext = operation.takesRunnerOptions && existingSideWork?.mixture == nil && facts?.contextPlace?.isRefused != true
        // A request that loads nothing has nothing to do with a slot, nor with the books.
        ask.isUnload = facts?.isUnload ?? false
        // Whoever comes back to the line has waited already.
        if retries.best != nil { ask.since = started }
        guard operation.takesSlot, !ask.isUnload, worker.settings.usesAffinity, let body else { return ask }
        let seed = worker.shared.bootID
        // Read once: a request that is tried again has the same.
        let prompt = self.prompt ?? PromptReading(operation, body: body, model: model, seed: seed)
        self.prompt = prompt
        ask.prefix = prompt.prefix
        ask.promptTokens = prompt.tokens
        ask.session = head.headers.first(name: "x-session-id").map { PromptReading.session($0, seed: seed) } ?? prompt.session
        return ask
    }

    private func decided(_ decision: Result<Lease, RefusalError>) {
        ticket = nil
        switch decision {
        case .success(let lease): granted(lease, .now())
        case .failure(let error): if life.stage == .inLine { refused(error.refusal) }
        }
    }

    private func refused(_ refusal: Refusal) {
        // What is not there now may have come since the last poll: the next request shall find it.
        switch refusal {
        case .unknownModel, .noEndpointUp: worker.shared.fleet.pollAllSoon()
        case .unsupportedRoute, .lineFull, .waitedTooLong, .allFailed, .allBusy: break
        }
        if substitutes(after: refusal) { return }
        // Where endpoints were tried, what they did says more than that none is left.
        if retries.best != nil { return answerMostTelling() }
        if let chosenName, refusal == .allFailed { return answer(.notThere(endpoint: chosenName, model: facts?.model ?? "")) }
        answer(.refused(refusal, model: facts?.model ?? "", path: HeadCheck.split(head.uri).path), expectedWait: expectedWait(after: refusal))
    }

    /// How long a request like this one is going to wait that comes now, seconds.
    private func expectedWait(after refusal: Refusal) -> Double? {
        switch refusal {
        case .lineFull, .waitedTooLong:
            guard case .forward(let operation) = route.action, let ask = ask(operation) else { return nil }
            return worker.shared.scheduler.expectedWait(ask)
        case .allBusy(let seconds): return seconds
        case .unknownModel, .unsupportedRoute, .noEndpointUp, .allFailed: return nil
        }
    }

    /// Asks for the next model that the configuration names instead of one that cannot be had.
    private func substitutes(after refusal: Refusal) -> Bool {
        switch refusal {
        case .unknownModel, .noEndpointUp, .allFailed: break
        case .unsupportedRoute, .lineFull, .waitedTooLong, .allBusy: return false
        }
        guard let asked = facts?.model, let others = worker.settings.fallbacks[asked], sideWork.substitutions < others.count else { return false }
        let other = others[sideWork.substitutions]
        sideWork.substitutions += 1
        sideWork.substitute = other
        retries.startOver()
        sideWork.notes = ["model \(other) instead of \(asked), which cannot be had"]
        schedule()
        return true
    }
}

extension RequestFacts {
    /// What the request says of itself: in its JSON body, in a form, or in its query.
    static func read(_ operation: Operation, _ head: HTTPRequestHead, _ body: ByteBuffer?) throws(RouterError) -> RequestFacts {
        if operation == .transcriptions, let type = head.headers.first(name: "content-type"),
            let boundary = MultipartForm.boundary(contentType: type)
        {
            guard let body, let field = MultipartForm.field("model", of: body, boundary: boundary), !field.text.isEmpty else { throw .missingModel }
            return RequestFacts(model: field.text, modelRange: field.range, stream: nil, isForm: true)
        }
        guard operation.mayLackModel else { return try read(body, for: operation) }
        if let facts = try? read(body) { return facts }
        // No JSON, or none that names a model: path or query may.
        let (path, query) = HeadCheck.split(head.uri)
        let model = RouteTable.model(inPath: path) ?? query.flatMap { QueryText.value("model", in: $0) } ?? ""
        return RequestFacts(model: model, modelRange: 0..<0, stream: nil)
    }
}
