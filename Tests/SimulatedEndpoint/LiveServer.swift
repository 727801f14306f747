// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Dispatch
import FleetSimulation
import Foundation
import NIOConcurrencyHelpers
import TestSupport

/// The `SimulatedServer` of the fleet simulation, run by the clock.
///
/// Nothing needs a timer: whoever looks lets happen first what was due before, in its order, and each connection's thread looks again
/// when the next thing is due.
final class LiveServer: Sendable {
    struct Resident: Sendable {
        let model: StoredModel
        /// Tokens of context that it was loaded with.
        let context: Int
        /// Seconds since 1970; infinite if it stays forever.
        var expires: Double
    }

    /// What a request asks for.
    struct Question {
        let model: StoredModel
        /// Hashes of the prompt's words, a token each.
        var prompt: [Int]
        /// Of the answer's.
        var answer: [Int] = []
        /// Seconds that the model stays afterwards; nil for the machine's own.
        var keepAlive: Double?
        /// Tokens of context that it asks for; nil for the server's own.
        var context: Int?
    }

    private struct Running {
        /// Wakes the connection's thread.
        let bell: DispatchSemaphore
        var figures: WorkFigures?
    }

    private struct State {
        var server: SimulatedServer
        var conversations: ConversationIndex
        var running: [Int: Running] = [:]
        var last = 0
        /// By model.
        var loads: [Int]
        /// Lines for the log that are still to be written.
        var lines: [String] = []
    }

    /// Requests that may wait, as Ollama's own default.
    private static let queueLimit = 512
    /// Seconds after which a thread looks again whatever it expects: its client may have left, or the machine be quicker by then.
    private static let turn = 0.02
    /// Tokens that come in quicker succession are sent together.
    private static let leastPause = 0.004

    private let models: [StoredModel]
    private let indices: [String: Int]
    private let memory: Int
    private let timeScale: Double
    private let start = ContinuousClock.now
    /// The same moment, in seconds since 1970.
    private let startOnWall = Date().timeIntervalSince1970
    private let state: NIOLockedValueBox<State>
    private let log: @Sendable (String) -> Void

    /// - Parameters:
    ///   - loaded: models that are in memory from the start.
    ///   - timeScale: seconds of the machine in a second of the clock.
    ///   - log: is told of loads and evictions.
    init(
        _ machine: SimulatedMachine, models: [StoredModel], loaded: [StoredModel], timeScale: Double, log: @escaping @Sendable (String) -> Void
    ) {
        self.models = models
        memory = machine.memory
        self.timeScale = timeScale
        self.log = log
        indices = Dictionary(models.enumerated().map { ($1.name, $0) }) { first, _ in first }
        var server = SimulatedServer(machine, fleet: models.map(\.shape))
        for model in loaded {
            if let index = indices[model.name] { server.place(index) }
        }
        state = NIOLockedValueBox(
            State(server: server, conversations: ConversationIndex(limit: machine.warmConversations), loads: models.map { _ in 0 }))
    }

    // MARK: Memory

    /// What is loaded, the latest to leave first.
    var residents: [Resident] {
        look { state, now in
            // The same at each look, as long as nobody uses the model.
            return models.indices.compactMap { index -> Resident? in
                let model = state.server.models[index]
                guard model.isResident else { return nil }
                let expires = (model.active > 0 ? now : model.lastUsed) + model.keepAlive
                return Resident(model: models[index], context: model.context, expires: startOnWall + expires / timeScale)
            }
            .sorted { ($1.expires, $0.model.name) < ($0.expires, $1.model.name) }
        }
    }

    /// Loads the model if it is not in memory with this context, and lets it stay for `keepAlive` seconds from then on.
    ///
    /// - Returns: false if the client left meanwhile.
    func load(_ model: StoredModel, keepAlive: Double?, context: Int?, for connection: FakeConnection) throws -> Bool {
        let index = try find(model)
        let bell = DispatchSemaphore(value: 0)
        let (request, before) = look { state, now in
            if !state.server.has(index, context), !state.server.awaitsLoad(index) { state.server.preload(index, context: context, now: now) }
            state.last += 1
            state.running[state.last] = Running(bell: bell)
            return (state.last, state.loads[index])
        }
        defer { look { state, _ in state.running[request] = nil } }
        while true {
            let wait: Double? = look { state, now in
                guard !(state.server.models[index].isResident && state.server.has(index, context)), state.loads[index] == before else {
                    state.server.keep(index, for: keepAlive ?? state.server.machine.keepAlive, now: now)
                    return nil
                }
                return state.server.nextEvent.map { $0 - now } ?? .infinity
            }
            guard let wait else { return true }
            if connection.socket.peerIsGone { return false }
            _ = bell.wait(timeout: .now() + pause(wait))
        }
    }

    /// Unloads it as soon as nobody uses it.
    func unload(_ model: StoredModel) {
        look { state, now in
            guard let index = indices[model.name] else { return }
            state.server.keep(index, for: 0, now: now)
            state.server.expireIdle(now: now)
        }
    }

    // MARK: Requests

    /// Serves a request to its end.
    ///
    /// - Parameter progress: is told how many tokens of the answer there are whenever there are more; false ends the request. Nil for
    ///   who only wants the whole.
    /// - Returns: nil if the client left meanwhile. Times are those of the clock.
    /// - Throws: `OllamaError` 503 when too many wait, and 500 for a model that is too large.
    func serve(_ question: Question, for connection: FakeConnection, progress: ((Int) -> Bool)? = nil) throws -> WorkFigures? {
        let model = try find(question.model)
        let bell = DispatchSemaphore(value: 0)
        let (request, conversation) = try look { state, now in
            guard state.server.canStart(model, context: question.context) || state.server.waiting < Self.queueLimit else {
                throw OllamaError(503, "server busy, please try again.  maximum pending requests exceeded")
            }
            state.last += 1
            let place = state.conversations.place(question.prompt, model: model)
            state.running[state.last] = Running(bell: bell)
            state.server.arrive(
                ServerWork(
                    request: state.last, model: model, conversation: place.number, promptTokens: question.prompt.count,
                    sharedTokens: place.shared, outputTokens: question.answer.count, keepAlive: question.keepAlive,
                    context: question.context), now: now)
            return (state.last, place.number)
        }
        var told = 0
        while true {
            let (figures, tokens, wait): (WorkFigures?, Int, Double) = look { state, now in
                if let figures = state.running[request]?.figures {
                    state.running[request] = nil
                    state.conversations.answered(conversation, model: model, question.answer)
                    return (figures, question.answer.count, 0)
                }
                let event = state.server.nextEvent.map { $0 - now } ?? .infinity
                guard progress != nil, let next = state.server.progress(of: request) else { return (nil, 0, event) }
                return (nil, next.tokens, min(event, max(next.next - now, Self.leastPause * timeScale)))
            }
            var isWanted = true
            if tokens > told, let progress { isWanted = progress(tokens) }
            told = max(told, tokens)
            if var figures, isWanted {
                figures.load /= timeScale
                figures.prefill /= timeScale
                figures.decode /= timeScale
                return figures
            }
            guard isWanted, !connection.socket.peerIsGone else {
                cancel(request, model)
                return nil
            }
            _ = bell.wait(timeout: .now() + pause(wait))
        }
    }

    private func cancel(_ request: Int, _ model: Int) {
        look { state, now in
            guard state.running.removeValue(forKey: request) != nil else { return }
            state.server.cancel(request, model: model, now: now)
            Self.ring(state)
        }
    }

    private func find(_ model: StoredModel) throws -> Int {
        guard let index = indices[model.name] else { throw OllamaError(404, "model '\(model.name)' not found") }
        guard model.shape.size <= memory else {
            let gigabytes = { (bytes: Int) in String(format: "%.1f GiB", Double(bytes) / 1_073_741_824) }
            throw OllamaError(500, "model requires more system memory (\(gigabytes(model.shape.size))) than is available (\(gigabytes(memory)))")
        }
        return index
    }

    // MARK: The clock

    /// Of the clock, for so many of the machine's.
    private func pause(_ seconds: Double) -> Double { min(Self.turn, max(0.0002, seconds / timeScale)) }

    /// Looks at the machine as it is now.
    private func look<Result>(_ body: (inout State, Double) throws -> Result) rethrows -> Result {
        let (result, lines) = try state.withLockedValue { state in
            let now = (ContinuousClock.now - start) / .seconds(1) * timeScale
            state.server.advance(to: now)
            take(&state)
            state.server.expireIdle(now: now)
            let result = try body(&state, now)
            take(&state)
            defer { state.lines = [] }
            return (result, state.lines)
        }
        for line in lines { log(line) }
        return result
    }

    /// Takes what the machine has to tell.
    private func take(_ state: inout State) {
        let notices = state.server.takeNotices()
        for notice in notices {
            switch notice {
            case .firstToken: break
            case .finished(let request, let figures): state.running[request]?.figures = figures
            case .loaded(let model, let seconds):
                state.loads[model] += 1
                let context = state.server.models[model].context
                let with = context == SimulatedServer.ownContext ? "" : " with num_ctx \(context)"
                state.lines.append("loaded \(models[model].name)\(with) in \(Int(seconds / timeScale * 1000)) ms")
            case .evicted(let model): state.lines.append("evicted \(models[model].name)")
            }
        }
        if !notices.isEmpty { Self.ring(state) }
    }

    /// Everybody looks again: what one waits for depends on the others.
    private static func ring(_ state: State) {
        for running in state.running.values { running.bell.signal() }
    }
}
