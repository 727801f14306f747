// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What a poll can ask for.
enum PollPart: Sendable, Hashable {
    case version, models, loaded, health

    /// In the order in which a round asks: what says most about the server first.
    static func all(of kind: EndpointKind) -> [PollPart] {
        switch kind {
        case .ollama: [.version, .models, .loaded]
        case .llamaServer: [.health, .models]
        // Nothing of it is asked for more often than its list of models.
        case .openAI: [.models]
        }
    }

    /// Asked for every `loadedInterval`; the others every `modelsInterval`.
    var isFrequent: Bool { self == .loaded || self == .health }
}

/// What one part answered.
enum PollAnswer: Sendable, Equatable {
    case version(String)
    case models([ModelListing])
    /// llama-server: one answer tells both.
    case modelsAndLoaded([ModelListing], [LoadedModel])
    /// The same, after its models were asked for their slots.
    case llamaServer([ModelListing], [LoadedModel], version: String)
    /// A service of OpenAI's kind, after it was asked for its optional routes.
    case modelsAndRoutes([ModelListing], Capabilities)
    case loaded([LoadedModel])
    case healthy

    /// Puts what was answered where it belongs.
    func store(in report: inout EndpointReport) {
        switch self {
        case .version(let version): report.version = version
        case .models(let models): report.models = models
        case .modelsAndLoaded(let models, let loaded): (report.models, report.loaded) = (models, loaded)
        case .llamaServer(let models, let loaded, let version):
            (report.models, report.loaded) = (models, loaded)
            if !version.isEmpty { report.version = version }
        case .modelsAndRoutes(let models, let found): (report.models, report.found) = (models, found)
        case .loaded(let loaded): report.loaded = loaded
        case .healthy: break
        }
    }
}

/// Judges a round of polls. Pure: it says what to ask for next, is told what came of it, and says in the end what it means.
///
/// A round asks for what is due. If that fails although the server may live, the round asks for the rest as well, so that one broken
/// answer is told apart from a broken server. What the server wants not to be asked now is left out, and stays failed.
struct PollRound: Sendable {
    private var toAsk: [PollPart]
    private var failures: [(part: PollPart, error: ProbeError)] = []
    private(set) var answers: [PollAnswer] = []
    private var asked: Set<PollPart> = []
    private let kind: EndpointKind
    private let held: [PollPart: String]
    private var isOver = false

    /// - Parameters:
    ///   - due: what to ask for; the order does not matter.
    ///   - held: what must not be asked for now, and why it failed when it was.
    init(kind: EndpointKind, due: Set<PollPart>, held: [PollPart: String] = [:]) {
        self.kind = kind
        self.held = held.filter { PollPart.all(of: kind).contains($0.key) }
        self.toAsk = PollPart.all(of: kind).filter { due.contains($0) && held[$0] == nil }
    }

    /// What to ask for now; nil when the round is over.
    mutating func next() -> PollPart? {
        if isOver { return nil }
        if toAsk.isEmpty, !failures.isEmpty, answers.isEmpty {
            toAsk = PollPart.all(of: kind).filter { !asked.contains($0) && held[$0] == nil }
        }
        guard !toAsk.isEmpty else { return nil }
        let part = toAsk.removeFirst()
        asked.insert(part)
        return part
    }

    mutating func answered(_ answer: PollAnswer) {
        answers.append(answer)
    }

    mutating func failed(_ part: PollPart, _ error: ProbeError) {
        failures.append((part, error))
        // Nothing else would fare better, and each try may take the whole timeout.
        if error.isConnectionFailure || error.isKeyRefused || error.isOurs || (error.isTimeout && answers.isEmpty) { isOver = true }
        if kind == .llamaServer, LlamaServerProbe.isLoading(error) { isOver = true }
    }

    /// The parts that must be asked for again in the next round, due or not, and why each failed.
    var failed: [PollPart: ProbeError] { Dictionary(failures.map { ($0.part, $0.error) }, uniquingKeysWith: { _, last in last }) }

    var outcome: EndpointState.PollOutcome {
        guard let last = failures.last else { return held.isEmpty ? .succeeded : .partlyFailed(told) }
        if kind == .llamaServer, LlamaServerProbe.isLoading(last.error) {
            if case .status(_, let message, _) = last.error, !message.isEmpty { return .loading(message) }
            return .loading("the server loads its model")
        }
        // A server that lives but refuses our key cannot serve us, whatever it lets everybody see.
        if let refused = failures.first(where: \.error.isKeyRefused) { return .failed(refused.error) }
        if last.error.isConnectionFailure || last.error.isOurs { return .failed(last.error) }
        // Who has no time for polls may well have some for requests.
        let hasNoTime = failures.allSatisfy(\.error.isTooManyRequests)
        return answers.isEmpty && !hasNoTime ? .failed(last.error) : .partlyFailed(told)
    }

    /// What fails, in words.
    private var told: String {
        let failed = failed
        return PollPart.all(of: kind).compactMap { part in
            (failed[part]?.description ?? held[part]).map { "\(part.path(kind)): \($0)" }
        }.joined(separator: "; ")
    }
}

extension PollPart {
    func path(_ kind: EndpointKind) -> String {
        switch (self, kind) {
        case (.version, _): OllamaProbe.versionPath
        case (.loaded, _): OllamaProbe.loadedPath
        case (.health, _): LlamaServerProbe.healthPath
        case (.models, .ollama): OllamaProbe.modelsPath
        case (.models, .llamaServer): LlamaServerProbe.modelsPath
        case (.models, .openAI): OpenAIProbe.modelsPath
        }
    }

    /// Reads the body that came from `path`.
    func read(_ body: [UInt8], _ kind: EndpointKind) throws(ProbeError) -> PollAnswer {
        switch (self, kind) {
        case (.version, _): return .version(try OllamaProbe.version(body))
        case (.loaded, _): return .loaded(try OllamaProbe.loaded(body))
        case (.models, .ollama): return .models(try OllamaProbe.models(body))
        case (.models, .llamaServer):
            let (available, loaded) = try LlamaServerProbe.models(body)
            return .modelsAndLoaded(available, loaded)
        case (.models, .openAI): return .models(try OpenAIProbe.models(body))
        case (.health, _):
            try LlamaServerProbe.health(body)
            return .healthy
        }
    }
}
