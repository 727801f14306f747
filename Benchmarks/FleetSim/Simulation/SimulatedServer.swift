// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One endpoint as Ollama behaves: models are loaded when asked for, one after the other; idle ones go, least recently used first, when
/// memory is short or after five minutes; a load that has to wait for a busy model holds up everything that comes after it.
///
/// Streams share the machine: all progress at the same speed, the less the more there are.
struct SimulatedServer {
    /// Seconds.
    static let keepAlive = 300.0
    static let loadOverhead = 0.5

    enum Notice {
        case firstToken(request: Int)
        case finished(request: Int)
        /// A load ended; nobody may have asked for it but the router.
        case loaded(model: Int, seconds: Double)
        case evicted(model: Int)
    }

    private struct Stream {
        var request: Int
        var model: Int
        var isDecoding: Bool
        /// In units of work, on the clock of work done for each stream.
        var ends: Double
    }

    struct ModelState {
        var isResident = false
        var isLoading = false
        var active = 0
        var lastUsed = 0.0
        /// Requests in the model's own line.
        var queue: [Int] = []
        /// Conversations, most recent last.
        var warm: [Int] = []
    }

    let machine: SimulatedMachine
    let fleet: [SimulatedModel]
    let trace: [SimulatedRequest]
    /// Everything is in memory for ever.
    let isBoundless: Bool
    private(set) var models: [ModelState]
    private(set) var used = 0
    private(set) var loads = 0
    private var streams: [Stream] = []
    private var workClock = 0.0
    private var updated = 0.0
    /// Requests, or -1 - model for a load without one.
    private var pending: [Int] = []
    private var waitsForEviction = false
    private var load: (model: Int, began: Double, ends: Double)?
    private(set) var notices: [Notice] = []
    /// Of answered requests, whether the prefix was warm: request to tokens.
    private(set) var warmTokens: [Int: Int] = [:]

    init(_ machine: SimulatedMachine, fleet: [SimulatedModel], trace: [SimulatedRequest], isBoundless: Bool) {
        self.machine = machine
        self.fleet = fleet
        self.trace = trace
        self.isBoundless = isBoundless
        models = fleet.map { _ in ModelState(isResident: isBoundless) }
    }

    var streamCount: Int { streams.count }
    var isLoading: Bool { load != nil }
    private var rate: Double { machine.speed / (1 + machine.slowing * Double(max(0, streams.count - 1))) }

    /// When something happens by itself.
    var nextEvent: Double? {
        let stream = streams.min { $0.ends < $1.ends }.map { updated + max(0, $0.ends - workClock) / rate }
        guard let load else { return stream }
        return min(stream ?? load.ends, load.ends)
    }

    mutating func takeNotices() -> [Notice] {
        defer { notices = [] }
        return notices
    }

    // MARK: Events

    mutating func arrive(_ request: Int, now: Double) {
        progress(to: now)
        pending.append(request)
        if waitsForEviction { settle(now) } else { settlePendingOf(request, now) }
    }

    mutating func preload(_ model: Int, now: Double) {
        progress(to: now)
        guard !models[model].isResident, !models[model].isLoading else { return notices.append(.loaded(model: model, seconds: 0)) }
        pending.append(-1 - model)
        settle(now)
    }

    /// The client has gone.
    mutating func cancel(_ request: Int, now: Double) {
        progress(to: now)
        let model = trace[request].model
        pending.removeAll { $0 == request }
        models[model].queue.removeAll { $0 == request }
        if let index = streams.firstIndex(where: { $0.request == request }) {
            streams.remove(at: index)
            leave(model, now)
        }
        settle(now)
    }

    /// Lets happen what is due.
    mutating func advance(to now: Double) {
        while let next = nextEvent, next <= now + 1e-9 {
            progress(to: next)
            if let load, load.ends <= next + 1e-9 {
                self.load = nil
                models[load.model].isLoading = false
                models[load.model].isResident = true
                models[load.model].lastUsed = next
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
        let stream = streams[index]
        if !stream.isDecoding {
            notices.append(.firstToken(request: stream.request))
            streams[index].isDecoding = true
            streams[index].ends = workClock + Double(trace[stream.request].outputTokens) / fleet[stream.model].decodeRate
            return
        }
        streams.remove(at: index)
        notices.append(.finished(request: stream.request))
        leave(stream.model, now)
        settle(now)
    }

    private mutating func leave(_ model: Int, _ now: Double) {
        models[model].active -= 1
        models[model].lastUsed = now
        fill(model, now)
    }

    private mutating func fill(_ model: Int, _ now: Double) {
        while models[model].active < machine.parallel, !models[model].queue.isEmpty { start(models[model].queue.removeFirst(), now) }
    }

    private mutating func start(_ request: Int, _ now: Double) {
        let asked = trace[request]
        models[asked.model].active += 1
        models[asked.model].lastUsed = now
        var tokens = asked.promptTokens
        if let index = models[asked.model].warm.firstIndex(of: asked.conversation) {
            tokens -= asked.sharedTokens
            warmTokens[request] = asked.sharedTokens
            models[asked.model].warm.remove(at: index)
        }
        models[asked.model].warm.append(asked.conversation)
        if models[asked.model].warm.count > machine.warmConversations { models[asked.model].warm.removeFirst() }
        streams.append(
            Stream(request: request, model: asked.model, isDecoding: false, ends: workClock + Double(tokens) / fleet[asked.model].prefillRate))
    }

    // MARK: Memory

    /// The request that came last goes past a load under way if its model is in memory.
    private mutating func settlePendingOf(_ request: Int, _ now: Double) {
        let model = trace[request].model
        if models[model].isResident || models[model].isLoading {
            pending.removeLast()
            enter(request, now)
        } else {
            settle(now)
        }
    }

    private mutating func enter(_ request: Int, _ now: Double) {
        let model = trace[request].model
        if models[model].isResident, models[model].active < machine.parallel { start(request, now) } else { models[model].queue.append(request) }
    }

    private mutating func settle(_ now: Double) {
        waitsForEviction = false
        while let first = pending.first {
            let model = first < 0 ? -1 - first : trace[first].model
            if models[model].isResident || models[model].isLoading {
                pending.removeFirst()
                if first >= 0 { enter(first, now) }
                continue
            }
            guard load == nil else { return }
            guard makeRoom(fleet[model].size, now) else {
                waitsForEviction = true
                return
            }
            pending.removeFirst()
            used += fleet[model].size
            loads += 1
            models[model].isLoading = true
            load = (model, now, now + Self.loadOverhead + Double(fleet[model].size) / machine.bandwidth)
            if first >= 0 { models[model].queue.append(first) }
        }
    }

    private mutating func makeRoom(_ size: Int, _ now: Double) -> Bool {
        while used + size > machine.memory {
            let idle = models.indices.filter { models[$0].isResident && models[$0].active == 0 && models[$0].queue.isEmpty }
            guard let oldest = idle.min(by: { models[$0].lastUsed < models[$1].lastUsed }) else { return false }
            evict(oldest)
        }
        return true
    }

    private mutating func evict(_ model: Int) {
        models[model].isResident = false
        models[model].warm = []
        used -= fleet[model].size
        notices.append(.evicted(model: model))
    }

    /// What nobody has used for five minutes goes.
    mutating func expireIdle(now: Double) {
        guard !isBoundless else { return }
        for model in models.indices where models[model].isResident && models[model].active == 0 && models[model].lastUsed + Self.keepAlive <= now {
            models[model].isResident = false
            models[model].warm = []
            used -= fleet[model].size
        }
    }

    /// Seconds that this machine takes to load the model, alone.
    func loadTime(_ model: Int) -> Double { Self.loadOverhead + Double(fleet[model].size) / machine.bandwidth }
}
