// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1

/// The questions that one answer to a poll leads on to.
struct PollInquiry: Sendable {
    let client: EndpointClient
    let endpoint: Endpoint

    /// A server has few models in memory; more than this would make a round of polls too long.
    private static let detailedModels = 16

    /// What the endpoint is, or why that is not known.
    func kind() async -> (kind: EndpointKind?, failure: ProbeError?) {
        var detection = KindDetection()
        while let question = detection.next() {
            do {
                detection.answered(question, try await client.get(question.path, of: endpoint))
            } catch {
                detection.failed(question, error)
            }
        }
        return (detection.kind, detection.failure)
    }

    /// llama-server: what each of its loaded models tells of itself.
    func loadedModels(_ models: [ModelListing], _ loaded: [LoadedModel]) async -> PollAnswer {
        var loaded = loaded
        var version = ""
        for index in loaded.indices.prefix(Self.detailedModels) {
            guard let body = try? await client.get(LlamaServerProbe.propsPath(loaded[index].name), of: endpoint),
                let props = try? LlamaServerProbe.props(body)
            else { continue }
            loaded[index].slots = props.slots
            loaded[index].contextLength = props.contextLength ?? loaded[index].contextLength
            loaded[index].isSleeping = loaded[index].isSleeping || props.isSleeping
            version = props.build
            if props.slots == nil, !loaded[index].isSleeping,
                let body = try? await client.get(LlamaServerProbe.slotsPath(loaded[index].name), of: endpoint)
            {
                loaded[index].slots = try? LlamaServerProbe.slots(body)
            }
        }
        return .llamaServer(models, loaded, version: version)
    }

    /// A service of OpenAI's kind: which of the routes it has that not all have.
    ///
    /// - Parameter known: what it was found to have before; a route that gives no clear answer now is taken to be as it was.
    /// - Returns: what it has, and whether that is certain.
    func optionalRoutes(known: Capabilities) async -> (found: Capabilities, isCertain: Bool) {
        var found = known
        for (path, capability) in OpenAIProbe.optionalRoutes {
            do {
                let answer = try await client.ask(.POST, path, body: Array("{}".utf8), of: endpoint)
                // Who is asked too often already is not asked more.
                if answer.status == 429 { return (found, false) }
                switch OpenAIProbe.hasRoute(status: answer.status, body: answer.body) {
                case true?: found.insert(capability)
                case false?: found.remove(capability)
                case nil: break
                }
            } catch {
                if error.isConnectionFailure || error.isOurs { return (found, false) }
                // It has no answer to this, and would have none the next time.
            }
        }
        return (found, true)
    }
}
