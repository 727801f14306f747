// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One endpoint as Ollama behaves: models are loaded when asked for, one after the other; idle ones go, least recently used first, when
/// memory is short or after five minutes; a load that has to wait for a busy model holds up everything that comes after it. A request that
/// asks for another context than its model is loaded with has it loaded anew, as soon as nobody uses it.
///
/// Streams share the machine: all progress at the same speed, the less the more there are.
///
/// Time is a parameter, in seconds. `Simulation` runs it in simulated time, and the program `simulated-endpoint` by the clock.
public struct SimulatedServer: Sendable {
    private struct Stream {
        var work: ServerWork
        var figures: WorkFigures
        /// When its phase began.
        var began: Double
        var isDecoding = false
        /// In units of work, on the clock of work done for each stream.
        var ends: Double
    }

    public struct ModelState: Sendable {
        public internal(set) var isResident = false
        public internal(set) var isLoading = false
        public internal(set) var active = 0
        public internal(set) var lastUsed = 0.0
        /// Seconds that it stays unused.
        public internal(set) var keepAlive: Double
        /// Tokens of context that it was loaded with last.
        public internal(set) var context = SimulatedServer.ownContext
        /// The model's own line.
        var queue: [ServerWork] = []
        /// Conversations, most recent last.
        var warm: [Int] = []
    }

    /// What waits for memory.
    private enum Pending {
        case request(ServerWork)
        /// A load that no request is for.
        case load(model: Int, context: Int)

        var model: Int {
            switch self {
            case .request(let work): work.model
            case .load(let model, context: _): model
            }
        }

        var context: Int {
            switch self {
            case .request(let work): work.context ?? SimulatedServer.ownContext
            case .load(model: _, let context): context
            }
        }

        func isRequest(_ request: Int) -> Bool {
            if case .request(let work) = self { work.request == request } else { false }
        }
    }

    /// What a request gets that asks for no context, as with Ollama's own default.
    public static let ownContext = 4096

    public let machine: SimulatedMachine
    public let fleet: [SimulatedModel]
    /// Everything is in memory for ever.
    let isBoundless: Bool
    public private(set) var models: [ModelState]
    private(set) var used = 0
    private(set) var loads = 0
    /// Of those, for another context.
    public private(set) var reloads = 0
    private var streams: [Stream] = []
    private var workClock = 0.0
    private var updated = 0.0
    private var pending: [Pending] = []
    private var waitsForEviction = false
    private var load: (model: Int, began: Double, ends: Double)?
    private var notices: [ServerNotice] = []

    public init(_ machine: SimulatedMachine, fleet: [SimulatedModel]) { self.init(machine, fleet: fleet, isBoundless: false) }

    init(_ machine: SimulatedMachine, fleet: [SimulatedModel], isBoundless: Bool) {
        self.machine = machine
        self.fleet = fleet
        self.isBoundless = isBoundless
        models = fleet.map { _ in ModelState(isResident: isBoundless, keepAlive: machine.keepAlive) }
    }

    private var rate: Double { machine.speed / (1 + machine.slowing * Double(max(0, streams.count - 1))) }

    /// When something happens by itself; idle models that leave aside.
    public var nextEvent: Double? {
        let stream = streams.min { $0.ends < $1.ends }.map { updated + max(0, $0.ends - workClock) / rate }
        guard let load else { return stream }
        return min(stream ?? load.ends, load.ends)
    }

    public mutating func takeNotices() -> [ServerNotice] {
        defer { notices = [] }
        return notices
    }

    /// Whether a request for the model would be worked on at once.
    public func canStart(_ model: Int, context: Int? = nil) -> Bool {
        models[model].isResident && models[model].active < machine.parallel && has(model, context)
    }

    /// Whether the model is there, or on its way, with this context.
    public func has(_ model: Int, _ context: Int?) -> Bool {
        (models[model].isResident || models[model].isLoading) && (isBoundless || models[model].context == context ?? Self.ownContext)
    }

    /// Whether a load of the model waits for its turn.
    public func awaitsLoad(_ model: Int) -> Bool { pending.contains { $0.model == model } }

    /// Requests that wait, for memory or in a model's line.
    public var waiting: Int { pending.count + models.reduce(0) { $0 + $1.queue.count } }

    /// Tokens that the answer has so far, and when the next one comes; nil while there is none, and after the last.
    public func progress(of request: Int) -> (tokens: Int, next: Double)? {
        guard let stream = streams.first(where: { $0.work.request == request }), stream.isDecoding else { return nil }
        let decodeRate = fleet[stream.work.model].decodeRate
        let done = Double(stream.work.outputTokens) - (stream.ends - workClock) * decodeRate
        // The first is there as soon as the prompt is read.
        let tokens = min(stream.work.outputTokens, 1 + max(0, Int(done + 1e-6)))
        return (tokens, updated + (Double(tokens) - done) / decodeRate / rate)
    }

    // MARK: Events

    public mutating func arrive(_ work: ServerWork, now: Double) {
        progress(to: now)
        if !waitsForEviction, has(work.model, work.context) {
            // It goes past a load under way.
            enter(work, now)
        } else {
            pending.append(.request(work))
            settle(now)
        }
    }

    public mutating func preload(_ model: Int, context: Int? = nil, now: Double) {
        progress(to: now)
        guard !has(model, context) else { return notices.append(.loaded(model: model, seconds: 0)) }
        pending.append(.load(model: model, context: context ?? Self.ownContext))
        settle(now)
    }

    /// The client has gone.
    public mutating func cancel(_ request: Int, model: Int, now: Double) {
        progress(to: now)
        pending.removeAll { $0.isRequest(request) }
        models[model].queue.removeAll { $0.request == request }
        if let index = streams.firstIndex(where: { $0.work.request == request }) { leave(streams.remove(at: index).work, now) }
        settle(now)
    }

    /// Lets happen what is due.
    public mutating func advance(to now: Double) {
        while let next = nextEvent, next <= now + 1e-9 {
            progress(to: next)
            if let load, load.ends <= next + 1e-9 {
                self.load = nil
                models[load.model].isLoading = false
                models[load.model].isResident = true
                models[load.model].lastUsed = next
                models[load.model].keepAlive = machine.keepAlive
                for index in models[load.model].queue.indices { models[load.model].queue[index].loadSeconds = load.ends - load.began }
                notices.append(.loaded(model: load.model, seconds: load.ends - load.began))
                fill(load.model, next)
                settle(next)
            }
            while let index = streams.firstIndex(where: { $0.ends <= workClock + 1e-9 }) { step(index, next) }
        }
        progress(to: now)
    }

    private mutating func progress(to now: Double) {
        if !streams.isEmpty { workClock += (now - updated) * rate }
        updated = now
    }

    private mutating func step(_ index: Int, _ now: Double) {
        var stream = streams[index]
        let work = stream.work
        if !stream.isDecoding {
            notices.append(.firstToken(request: work.request))
            streams[index].figures.prefill = now - stream.began
            streams[index].began = now
            streams[index].isDecoding = true
            streams[index].ends = workClock + Double(work.outputTokens) / fleet[work.model].decodeRate
            return
        }
        streams.remove(at: index)
        stream.figures.decode = now - stream.began
        notices.append(.finished(request: work.request, stream.figures))
        leave(work, now)
        settle(now)
    }

    private mutating func leave(_ work: ServerWork, _ now: Double) {
        models[work.model].active -= 1
        models[work.model].lastUsed = now
        models[work.model].keepAlive = work.keepAlive ?? machine.keepAlive
        fill(work.model, now)
    }

    private mutating func fill(_ model: Int, _ now: Double) {
        while models[model].active < machine.parallel, !models[model].queue.isEmpty { start(models[model].queue.removeFirst(), now) }
    }

    private mutating func start(_ work: ServerWork, _ now: Double) {
        let model = work.model
        models[model].active += 1
        models[model].lastUsed = now
        var figures = WorkFigures(load: work.loadSeconds)
        if let index = models[model].warm.firstIndex(of: work.conversation) {
            figures.warmTokens = work.sharedTokens
            models[model].warm.remove(at: index)
        }
        models[model].warm.append(work.conversation)
        if models[model].warm.count > machine.warmConversations { models[model].warm.removeFirst() }
        let seconds = Double(work.promptTokens - figures.warmTokens) / fleet[model].prefillRate
        streams.append(Stream(work: work, figures: figures, began: now, ends: workClock + seconds))
    }

    // MARK: Memory

    private mutating func enter(_ work: ServerWork, _ now: Double) {
        if canStart(work.model, context: work.context) { start(work, now) } else { models[work.model].queue.append(work) }
    }

    private mutating func settle(_ now: Double) {
        waitsForEviction = false
        while let first = pending.first {
            let model = first.model
            if has(model, first.context) {
                pending.removeFirst()
                if case .request(let work) = first { enter(work, now) }
                continue
            }
            if models[model].isLoading || models[model].active > 0 || !models[model].queue.isEmpty {
                // Loaded otherwise, and in use.
                waitsForEviction = true
                return
            }
            guard load == nil else { return }
            if models[model].isResident {
                unload(model)
                reloads += 1
            }
            guard makeRoom(fleet[model].size, now) else {
                waitsForEviction = true
                return
            }
            pending.removeFirst()
            used += fleet[model].size
            loads += 1
            models[model].isLoading = true
            models[model].context = first.context
            load = (model, now, now + loadTime(model))
            if case .request(let work) = first { models[model].queue.append(work) }
        }
    }

    private mutating func makeRoom(_ size: Int, _ now: Double) -> Bool {
        while used + size > machine.memory || isFull {
            let idle = models.indices.filter { models[$0].isResident && models[$0].active == 0 && models[$0].queue.isEmpty }
            guard let oldest = idle.min(by: { models[$0].lastUsed < models[$1].lastUsed }) else { return false }
            evict(oldest)
        }
        return true
    }

    private var isFull: Bool {
        guard let limit = machine.maxModels else { return false }
        return models.count { $0.isResident || $0.isLoading } >= limit
    }

    private mutating func evict(_ model: Int) {
        unload(model)
        notices.append(.evicted(model: model))
    }

    private mutating func unload(_ model: Int) {
        models[model].isResident = false
        models[model].warm = []
        used -= fleet[model].size
    }

    /// What nobody has used for long enough goes.
    public mutating func expireIdle(now: Double) {
        guard !isBoundless else { return }
        for model in models.indices
        where models[model].isResident && models[model].active == 0 && models[model].lastUsed + models[model].keepAlive <= now {
            unload(model)
        }
    }

    /// The model is in use now, and stays for so many seconds unused from now on.
    public mutating func keep(_ model: Int, for seconds: Double, now: Double) {
        models[model].lastUsed = now
        models[model].keepAlive = seconds
    }

    /// Puts the model into memory at once, as if it had been there before all began.
    public mutating func place(_ model: Int) {
        guard !models[model].isResident else { return }
        models[model].isResident = true
        used += fleet[model].size
    }

    /// Seconds that this machine takes to load the model, alone.
    public func loadTime(_ model: Int) -> Double { machine.loadOverhead + Double(fleet[model].size) / machine.bandwidth }
}
