// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Has an endpoint load a model into memory, in the words of its kind.
struct ModelLoader: Sendable {
    /// The endpoint did not do it, and why.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let client: ProbeClient
    /// A large model comes from a slow disk in minutes.
    static let patience = TimeAmount.minutes(10)

    /// - Parameters:
    ///   - model: as the endpoint spells it.
    ///   - keepAlive: how long it stays without requests, as Ollama takes it; nil for the endpoint's own time.
    /// - Returns: how long it took, as the endpoint tells or as it was waited for.
    /// - Throws: `Failure`, `ProbeError`.
    func load(_ model: String, on endpoint: Endpoint, keepAlive: JSONValue? = nil) async throws -> TimeAmount {
        let began = NIODeadline.now()
        switch endpoint.kind {
        case .ollama:
            var body: JSONValue = ["model": .string(model)]
            body["keep_alive"] = keepAlive
            var answer = try await client.ask(.POST, "/api/generate", body: Array(body.text.utf8), timeout: Self.patience, of: endpoint)
            if answer.status == 400 {
                // A model for embeddings only; an empty list of texts loads it.
                body["input"] = .array([])
                answer = try await client.ask(.POST, "/api/embed", body: Array(body.text.utf8), timeout: Self.patience, of: endpoint)
            }
            guard answer.status == 200 else { throw Self.failure(answer.status, answer.body) }
            if let told = (try? JSONValue(parsing: answer.body))?["load_duration"]?.integer, told > 0 { return .nanoseconds(Int64(told)) }
        case .llamaServer:
            let body: JSONValue = ["model": .string(model)]
            let answer = try await client.ask(.POST, "/models/load", body: Array(body.text.utf8), timeout: Self.patience, of: endpoint)
            guard answer.status == 200 else { throw Self.failure(answer.status, answer.body) }
        case .openAI:
            throw Failure(description: "\(endpoint.name) loads its models by itself")
        }
        return .now() - began
    }

    private static func failure(_ status: Int, _ body: [UInt8]) -> Failure {
        let error = (try? JSONValue(parsing: body))?["error"].given
        let text = error?["message"]?.string ?? error?.string ?? ""
        return Failure(description: "status \(status)" + (text.isEmpty ? "" : ": \(text)"))
    }
}
