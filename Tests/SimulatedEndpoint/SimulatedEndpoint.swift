// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import FleetSimulation
import Foundation
import TestSupport

/// A stand-in for Ollama that needs no model and no GPU: it answers on the same routes, in the same words, and loads, evicts and slows
/// down as the machines of the fleet simulation do, at the pace that it is told. For demonstrations and tests.
@main
struct SimulatedEndpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulated-endpoint", abstract: "A stand-in for Ollama, on the loopback.",
        discussion: """
            Prints "listening on http://127.0.0.1:PORT" once it serves. Ends on SIGTERM or SIGINT.

            Durations are written as Go does (3s, 40ms), sizes as 24GB or 24GiB. A word is a token.
            """)

    @Option(help: "Port; 0 for any free one.")
    var port = 11434

    @Option(help: ArgumentHelp("Models that it has, with commas between them.", valueName: "names"))
    var models = ""

    @Option(
        name: .customLong("model"),
        help: ArgumentHelp(
            "A model that it has, and its bytes in memory; may be repeated. \",prefill=RATE\" and \",decode=RATE\" behind it: tokens per second.",
            valueName: "name=size"))
    var givenModels: [GivenModel] = []

    @Option(help: ArgumentHelp("Models that are in memory from the start.", valueName: "names"))
    var loaded = ""

    @Option(help: ArgumentHelp("How long a load takes apart from reading the model (default: 3s, with --bandwidth 500ms).", valueName: "duration"))
    var loadTime: String?

    @Option(help: ArgumentHelp("Bytes per second from disk to memory, for example 2GB/s (default: no limit).", valueName: "rate"))
    var bandwidth: String?

    @Option(help: ArgumentHelp("Bytes for models; idle ones go when another needs the room (default: no limit).", valueName: "size"))
    var memory: String?

    @Option(
        help: ArgumentHelp(
            "Models that are loaded at once; one more pushes an idle one out (default: 3, with --memory no limit).", valueName: "count"))
    var maxLoaded: Int?

    @Option(help: ArgumentHelp("Time between two tokens.", valueName: "duration"))
    var tokenTime = "40ms"

    @Option(help: ArgumentHelp("Tokens of a prompt per second (default: 24 times those of an answer).", valueName: "rate"))
    var prefillRate: Double?

    @Option(help: ArgumentHelp("Tokens of an answer for which no num_predict says how many.", valueName: "count"))
    var tokens = 24

    @Option(help: ArgumentHelp("Requests at once for each model; more of them wait.", valueName: "count"))
    var parallel = 4

    @Option(help: ArgumentHelp("How much quicker this machine computes than the models' rates say.", valueName: "factor"))
    var speed = 1.0

    @Option(help: ArgumentHelp("How much each request slows the others: the speed is divided by 1 + slowing * others.", valueName: "factor"))
    var slowing = 0.0

    @Option(help: ArgumentHelp("Conversations of each model whose prompt need not be read anew.", valueName: "count"))
    var warmConversations = 64

    @Option(help: ArgumentHelp("How long an unused model stays.", valueName: "duration"))
    var keepAlive = "5m"

    @Option(help: ArgumentHelp("All of the above is so many times as quick.", valueName: "factor"))
    var timeScale = 1.0

    @Option(help: "The version of Ollama that it claims.")
    var version = "0.12.0"

    @Flag(help: "Print a line for each request, polls aside, and for what is loaded and evicted.")
    var log = false

    func validate() throws {
        if models.isEmpty, givenModels.isEmpty { throw ValidationError("no models: name them with --models or --model") }
        for (option, value) in [("--speed", speed), ("--time-scale", timeScale), ("--prefill-rate", prefillRate ?? 1)]
        where !(value > 0 && value.isFinite) {
            throw ValidationError("\(option) \(value): a number above zero is needed")
        }
        if !(slowing >= 0 && slowing.isFinite) { throw ValidationError("--slowing \(slowing): a number from zero is needed") }
        if warmConversations < 0 { throw ValidationError("--warm-conversations \(warmConversations): a count is needed") }
    }

    func run() throws {
        let all = try stored()
        let resident = try names(loaded).map { name in
            guard let model = all.first(where: { $0.name == StoredModel.normalized(name) }) else {
                throw ValidationError("--loaded \(name): not among the models")
            }
            return model
        }
        let log = log
        let live = LiveServer(try machine(), models: all, loaded: resident, timeScale: timeScale) { if log { OllamaServer.say($0) } }
        let server = OllamaServer(settings: .init(version: version, tokens: max(1, tokens), log: log), models: all, live: live)
        let listener = try TCPSocket.listening(port: port)
        OllamaServer.say("listening on http://127.0.0.1:\(listener.localPort)")
        server.run(on: listener)
    }

    private func names(_ list: String) -> [String] { list.split(separator: ",").map(String.init) }

    private func stored() throws -> [StoredModel] {
        let decode = 1 / max(1e-6, try seconds(tokenTime, "--token-time"))
        guard decode > 0 else { throw ValidationError("--token-time \(tokenTime): no token would ever come") }
        let prefill = prefillRate ?? 24 * decode
        let given = givenModels.map { model in
            let decode = model.decodeRate ?? decode
            return StoredModel(
                model.name, memory: model.memory, prefillRate: model.prefillRate ?? prefillRate ?? 24 * decode, decodeRate: decode)
        }
        let others = names(models).map { StoredModel($0, prefillRate: prefill, decodeRate: decode) }
        return others.filter { other in !given.contains { $0.name == other.name } } + given
    }

    private func machine() throws -> SimulatedMachine {
        var machine = SimulatedMachine(
            memory: Int(try bytes(memory, "--memory") ?? 1e18), speed: speed,
            bandwidth: try bytes(bandwidth, "--bandwidth", suffix: "/s") ?? .infinity,
            parallel: max(1, parallel), slowing: slowing, warmConversations: warmConversations)
        machine.loadOverhead = try seconds(loadTime ?? (bandwidth == nil ? "3s" : "500ms"), "--load-time")
        machine.keepAlive = try seconds(keepAlive, "--keep-alive")
        machine.maxModels = maxLoaded.map { max(1, $0) } ?? (memory == nil ? 3 : nil)
        return machine
    }

    private func seconds(_ text: String, _ option: String) throws -> Double {
        guard let seconds = Duration.parseGo(text) else { throw ValidationError("\(option) \(text): a duration is, for example, 3s or 40ms") }
        return seconds < 0 ? .infinity : seconds
    }

    private func bytes(_ text: String?, _ option: String, suffix: String = "") throws -> Double? {
        guard let text else { return nil }
        guard let bytes = Quantity.bytes(text.hasSuffix(suffix) ? text.dropLast(suffix.count) : text[...]) else {
            throw ValidationError("\(option) \(text): a \(suffix.isEmpty ? "size" : "rate") is, for example, 24GB\(suffix) or 24GiB\(suffix)")
        }
        return bytes
    }
}
