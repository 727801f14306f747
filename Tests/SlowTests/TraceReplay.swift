// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation
import NIOConcurrencyHelpers
import TestSupport

/// Sends a trace through a real `routerd` to real processes that behave like a fleet's machines.
///
/// The daemon's constants are seconds of the clock. So the fleet and the traffic are made `factor` times as quick, and not the clock of
/// the daemon; a simulation to compare with takes the same quick fleet and traffic.
struct TraceReplay {
    let fleet: FleetShape
    let traffic: Traffic
    let factor: Double

    /// What came of it; times in seconds of the clock.
    struct Figures: Sendable {
        /// From when a request was due to its first token; of who left, to leaving.
        var firstTokens: [Double] = []
        var left = 0
        /// Answers that were none, as text.
        var failures: [String] = []
        var loads = 0
        /// How much later than due a request was sent, at most: what the machine that runs the test adds.
        var latest = 0.0

        var meanFirstToken: Double { firstTokens.reduce(0, +) / Double(max(1, firstTokens.count)) }
    }

    func run() throws -> Figures {
        let endpoints = try fleet.machines.map { try SimulatedEndpointProcess(arguments($0), pace: []) }
        var config = "endpoints:\n"
        for (index, (endpoint, machine)) in zip(endpoints, fleet.machines).enumerated() {
            let vram = machine.tellsMemory ? ", vram: \(machine.memory)" : ""
            config += "  - {url: \"\(endpoint.url)\", name: e\(index), max_concurrent_connections: \(machine.parallel)\(vram)}\n"
        }
        let figures = NIOLockedValueBox(Figures())
        try RunningDaemon.run(config, up: endpoints.count) { daemon in
            try send(to: daemon.port, into: figures)
        }
        return figures.withLockedValue { figures in
            figures.loads = endpoints.map { $0.log.split(separator: "\n").count { $0.hasPrefix("loaded ") } }.reduce(0, +)
            return figures
        }
    }

    /// What makes `simulated-endpoint` this machine.
    private func arguments(_ machine: SimulatedMachine) -> [String] {
        var arguments = [
            "--log", "--time-scale", "\(factor)", "--memory", "\(machine.memory)", "--bandwidth", "\(Int(machine.bandwidth))", "--speed",
            "\(machine.speed)", "--slowing", "\(machine.slowing)", "--parallel", "\(machine.parallel)", "--load-time",
            "\(Int(machine.loadOverhead * 1000))ms", "--keep-alive", "\(Int(machine.keepAlive))s", "--warm-conversations",
            "\(machine.warmConversations)",
        ]
        for model in fleet.models where model.size <= machine.memory {
            arguments += ["--model", "\(model.name)=\(model.size),prefill=\(model.prefillRate),decode=\(model.decodeRate)"]
        }
        return arguments
    }

    // MARK: Sending

    /// Sends each request when it is due, on a thread of its own, and waits for all answers.
    private func send(to port: Int, into figures: NIOLockedValueBox<Figures>) throws {
        let requests = traffic.quicker(by: factor).requests
        let talk = NIOLockedValueBox(Conversations())
        let group = DispatchGroup()
        let start = ContinuousClock.now
        for request in requests {
            // A clock and no synchronisation: this is when the trace says that it comes.
            Thread.sleep(forTimeInterval: max(0, request.at - (ContinuousClock.now - start) / .seconds(1)))
            let body = talk.withLockedValue { $0.ask(request, model: fleet.models[request.model].name) }
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                let sent = (ContinuousClock.now - start) / .seconds(1)
                let end = Result { try Self.exchange(port, body, patience: request.at + request.patience - sent) }
                figures.withLockedValue { figures in
                    figures.latest = max(figures.latest, sent - request.at)
                    switch end {
                    case .success(let answer?):
                        figures.firstTokens.append((answer.firstToken - start) / .seconds(1) - request.at)
                        if let failure = answer.failure { figures.failures.append(failure) }
                    case .success(nil):
                        figures.left += 1
                        figures.firstTokens.append(request.patience)
                    case .failure(let error): figures.failures.append("\(error)")
                    }
                }
                if case .success(let answer?) = end { talk.withLockedValue { $0.answered(request, answer.text) } }
            }
        }
        guard group.wait(timeout: .now() + 120) == .success else { throw TestFailure("answers are still missing two minutes after the last request") }
    }

    private struct Answer {
        var firstToken: ContinuousClock.Instant
        var text: String
        var failure: String?
    }

    /// - Parameter patience: seconds until the first token.
    /// - Returns: nil if no token came in time, and the client left.
    private static func exchange(_ port: Int, _ body: String, patience: Double) throws -> Answer? {
        let client = try RawClient(port: port)
        defer { client.close() }
        try client.send(RawClient.request("POST", "/api/chat", body: body))
        let begun: (head: MessageHead, bytes: [UInt8]?)
        do {
            let patience = Deadline(patience)
            begun = (try client.readHead(until: patience), try client.readSome(until: patience))
        } catch SocketError.timedOut {
            return nil
        }
        let firstToken = ContinuousClock.now
        var bytes = begun.bytes ?? []
        let deadline = Deadline(120)
        while let more = try client.readSome(until: deadline) { bytes += more }
        let text = String(decoding: bytes, as: UTF8.self)
        let isWhole = begun.head.status == 200 && text.contains(#""done":true"#)
        return Answer(firstToken: firstToken, text: text, failure: isWhole ? nil : "\(begun.head.status) \(text.suffix(300))")
    }
}

/// What was said, so that a conversation's next turn begins with the turns before it and their answers.
private struct Conversations {
    private struct Talk {
        /// As JSON.
        var messages: [String] = []
        /// The answer to the last of them, as it came.
        var answer: String?
        var outputTokens = 0
    }

    private var talks: [Int: Talk] = [:]
    private var word = 0

    /// The request's body: as many words as the trace has tokens, in the prompt and to be answered.
    mutating func ask(_ request: SimulatedRequest, model: String) -> String {
        var talk = talks[request.conversation] ?? Talk()
        if request.turn > 0 {
            // Who goes on before the answer is there makes one up.
            let answer = talk.answer.map(Self.content) ?? words(talk.outputTokens)
            talk.messages.append(#"{"role":"assistant","content":"\#(answer)"}"#)
        }
        talk.messages.append(#"{"role":"user","content":"\#(words(request.promptTokens - request.sharedTokens))"}"#)
        talk.answer = nil
        talk.outputTokens = request.outputTokens
        talks[request.conversation] = talk
        return
            #"{"model":"\#(model)","options":{"num_predict":\#(request.outputTokens)},"messages":[\#(talk.messages.joined(separator: ","))]}"#
    }

    mutating func answered(_ request: SimulatedRequest, _ text: String) { talks[request.conversation]?.answer = text }

    /// The text of a streamed answer.
    private static func content(_ lines: String) -> String {
        lines.split(separator: "\n").map { line in
            let rest = line.components(separatedBy: #""content":""#).dropFirst().first ?? ""
            return String(rest.prefix { $0 != "\"" })
        }.joined()
    }

    /// Three letters and a blank, which the daemon takes for a token too. No two texts begin alike.
    private mutating func words(_ count: Int) -> String {
        (0..<count).map { _ in
            word += 1
            // Steps of a number that has no factor in common with 26^3 meet every word before one comes again.
            var number = word * 7919 % 17_576
            var letters = ""
            for _ in 0..<3 {
                letters.unicodeScalars.append(Unicode.Scalar(UInt8(97 + number % 26)))
                number /= 26
            }
            return letters
        }.joined(separator: " ")
    }
}
