// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import ServiceLifecycle

/// Carries out the loads that the scheduler asks for ahead of need (`placement: active`) and for pinned models, and tells it how each
/// went. Nobody waits for them.
struct PreloadService: Service {
    struct Wish: Sendable {
        var endpoint: EndpointID
        /// As the endpoint spells it.
        var model: String
        /// What most requests for it ask for.
        var options: RunnerOptions?
    }

    let wishes: AsyncStream<Wish>
    let fleet: Fleet
    let client: EndpointClient
    let scheduler: SchedulerBox
    /// Whether the configuration says that the model stays on the endpoint of that name.
    let isPinned: @Sendable (_ model: String, _ endpoint: String) -> Bool

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await wish in wishes { group.addTask { await carryOut(wish) } }
            }
        }
    }

    private func carryOut(_ wish: Wish) async {
        guard let endpoint = fleet.reports().first(where: { $0.0.id == wish.endpoint })?.0 else {
            return scheduler.loadEnded(wish.endpoint, model: wish.model, .failed)
        }
        // A pinned model stays without requests too: Ollama takes a negative time for "for ever".
        let keepAlive = isPinned(wish.model, endpoint.name) ? "-1" : nil
        let began = NIODeadline.now()
        let load = fleet.loads.begin(wish.model, on: endpoint, for: .placement, nil, wish.options, now: began)
        let failure = await ModelLoader(client: client, endpoint: endpoint, model: wish.model)
            .load(isLoaded: false, keepAlive: keepAlive, options: wish.options)
        if let failure {
            scheduler.loadEnded(wish.endpoint, model: wish.model, .failed)
            if Task.isCancelled { load.left() } else { load.failed(failure.message) }
        } else {
            scheduler.loadEnded(wish.endpoint, model: wish.model, .loaded(.now() - began))
            load.ended()
        }
        fleet.pollSoon(wish.endpoint)
    }
}
