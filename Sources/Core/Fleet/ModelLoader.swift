// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Has one endpoint load a model into its memory, or drop it.
///
/// Ollama does both for a request without a prompt. llama-server with several models has routes of its own; with one it has that
/// model, always. Services of OpenAI's kind have no notion of it.
struct ModelLoader: Sendable {
    let client: EndpointClient
    let endpoint: Endpoint
    /// As the endpoint spells it.
    let model: String

    /// A large model from a slow disk.
    private static let timeout = TimeAmount.minutes(10)
    /// Between two looks at whether it is loaded.
    private static let interval = TimeAmount.milliseconds(500)

    /// - Parameter options: with which Ollama shall load it; nil for its own.
    /// - Returns: nil if it is in memory now.
    func load(isLoaded: Bool, keepAlive: String?, options: RunnerOptions? = nil) async -> ManagementOutcome.Failure? {
        switch endpoint.kind {
        case .ollama: return await ask(keepAlive: keepAlive.map(Self.value), options: options)
        case .llamaServer: return isLoaded ? nil : await loadThere()
        case .openAI: return Self.refusal("it loads models by itself")
        }
    }

    /// - Returns: nil if it is in memory no more.
    func unload() async -> ManagementOutcome.Failure? {
        switch endpoint.kind {
        case .ollama: return await ask(keepAlive: .integer(0))
        case .llamaServer: return await post("/models/unload", ["model": .string(model)], lacking: "it has one model and keeps it")
        case .openAI: return Self.refusal("it unloads models by itself")
        }
    }

    private static func refusal(_ message: String) -> ManagementOutcome.Failure { ManagementOutcome.Failure(status: 501, message: message) }

    /// A number is a number of seconds; the rest is a duration in Go's words.
    private static func value(_ keepAlive: String) -> JSONValue { Int(keepAlive).map(JSONValue.integer) ?? .string(keepAlive) }

    /// A request that has nothing to be answered. A model for embeddings only knows another route.
    private func ask(keepAlive: JSONValue?, options: RunnerOptions? = nil) async -> ManagementOutcome.Failure? {
        var body: JSONValue = ["model": .string(model), "stream": false]
        if let keepAlive { body["keep_alive"] = keepAlive }
        if let options { body["options"] = options.json }
        let failure = await post("/api/generate", body)
        guard let failure, failure.status == 400, failure.message.contains("does not support") else { return failure }
        body["stream"] = nil
        body["input"] = []
        return await post("/api/embed", body)
    }

    /// The server answers at once, and loads afterwards.
    private func loadThere() async -> ManagementOutcome.Failure? {
        if let failure = await post("/models/load", ["model": .string(model)], lacking: "it has one model, and this is not it") { return failure }
        let deadline = NIODeadline.now() + Self.timeout
        var wasLoading = false
        while NIODeadline.now() < deadline {
            do {
                let entry = try JSONValue(parsing: try await client.get(LlamaServerProbe.modelsPath, of: endpoint))["data"]?.array?
                    .first { $0["id"]?.string == model }
                let status = entry?["status"]?["value"]?.string
                if status == "loaded" || status == "sleeping" { return nil }
                if entry?["status"]?["failed"]?.bool ?? false || (wasLoading && status == "unloaded") {
                    return ManagementOutcome.Failure(status: 502, message: "it could not load the model")
                }
                wasLoading = wasLoading || status == "loading"
                try await Task.sleep(for: .nanoseconds(Self.interval.nanoseconds))
            } catch {
                return ManagementOutcome.Failure(status: 502, message: "\(error)")
            }
        }
        return ManagementOutcome.Failure(status: 504, message: "the model was not loaded within \(Int(Self.timeout.seconds)) s")
    }

    /// - Parameter lacking: what it means that there is no such route.
    private func post(_ path: String, _ body: JSONValue, lacking: String? = nil) async -> ManagementOutcome.Failure? {
        do {
            let answer = try await client.ask(.POST, path, body: body.bytes, timeout: Self.timeout, of: endpoint)
            if answer.status == 200 { return nil }
            let message = ProbeReading.errorMessage(answer.body)
            if answer.status == 404, let lacking { return Self.refusal(lacking) }
            return ManagementOutcome.Failure(status: answer.status, message: message.isEmpty ? "status \(answer.status)" : message)
        } catch {
            return ManagementOutcome.Failure(status: 502, message: "\(error)")
        }
    }
}
