// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Foundation
import TestSupport

/// A stand-in for Ollama that needs no model and no GPU: it answers on the same routes, in the same words, at the pace that
/// it is told. For demonstrations and tests.
@main
struct SimulatedEndpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulated-endpoint", abstract: "A stand-in for Ollama, on the loopback.",
        discussion: "Prints \"listening on http://127.0.0.1:PORT\" once it serves. Ends on SIGTERM or SIGINT.")

    @Option(help: "Port; 0 for any free one.")
    var port = 11434

    @Option(help: ArgumentHelp("Models that it has, with commas between them.", valueName: "names"))
    var models: String

    @Option(help: ArgumentHelp("Models that are in memory from the start.", valueName: "names"))
    var loaded = ""

    @Option(help: ArgumentHelp("How long a model takes to load, as a Go duration.", valueName: "duration"))
    var loadTime = "3s"

    @Option(help: ArgumentHelp("Time between two tokens.", valueName: "duration"))
    var tokenTime = "40ms"

    @Option(help: ArgumentHelp("Tokens of an answer.", valueName: "count"))
    var tokens = 24

    @Option(help: ArgumentHelp("Models that are loaded at once; one more pushes an idle one out.", valueName: "count"))
    var maxLoaded = 3

    @Option(help: ArgumentHelp("Requests at once for each model; more of them wait.", valueName: "count"))
    var parallel = 4

    @Option(help: ArgumentHelp("How long an unused model stays.", valueName: "duration"))
    var keepAlive = "5m"

    @Option(help: "The version of Ollama that it claims.")
    var version = "0.12.0"

    @Flag(help: "Print a line for each request, polls aside.")
    var log = false

    func run() throws {
        let names = { (list: String) in list.split(separator: ",").map(String.init) }
        let all = names(models).map(SimulatedModel.init)
        let resident = try names(loaded).map { name in
            guard let model = all.first(where: { $0.name == SimulatedModel.normalized(name) }) else {
                throw ValidationError("--loaded \(name): not among --models")
            }
            return model
        }
        let server = OllamaServer(
            settings: .init(version: version, tokenTime: try seconds(tokenTime, "--token-time"), tokens: max(1, tokens), log: log), models: all,
            memory: ModelMemory(
                limits: .init(
                    loadTime: try seconds(loadTime, "--load-time"), models: max(1, maxLoaded), parallel: max(1, parallel),
                    keepAlive: try seconds(keepAlive, "--keep-alive")),
                loaded: resident))
        let listener = try TCPSocket.listening(port: port)
        OllamaServer.say("listening on http://127.0.0.1:\(listener.localPort)")
        server.run(on: listener)
    }

    private func seconds(_ text: String, _ option: String) throws -> Double {
        guard let seconds = Duration.parseGo(text) else { throw ValidationError("\(option) \(text): a duration is, for example, 3s or 40ms") }
        return seconds < 0 ? .infinity : seconds
    }
}
