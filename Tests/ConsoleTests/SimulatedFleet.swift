// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Protocol

@testable import Console

/// A fleet at work, the same in every frame: endpoints in each state, names that are hard to draw, a line of waiters.
enum SimulatedFleet {
    /// 2026-11-24T03:20:00Z.
    static let wallS = 1_795_490_400

    static let endpoints: [EndpointInfo] = {
        let rows: [(name: String, kind: String, state: String, reason: String, inFlight: Int, limit: Int, loaded: [String])] = [
            ("gpu-1", "ollama", "up", "", 3, 4, ["llama3.2:3b", "qwen2.5-coder:14b"]),
            ("gpu-2", "ollama", "draining", "drained by uid 1000", 1, 4, ["llama3.2:3b"]),
            ("gpu-3", "ollama", "up", "", 4, 4, ["llama3.3:70b"]),
            ("gpu-4", "ollama", "loading", "loading mistral-small:24b", 1, 2, ["mistral-small:24b"]),
            ("東京-1", "ollama", "up", "", 0, 4, ["qwen2.5-coder:14b"]),
            ("büro", "llama-server", "up", "", 1, 2, ["nomic-embed-text:latest"]),
            ("cpu-box", "llama-server", "down", "connection refused", 0, 2, []),
            ("rack-7", "ollama", "degraded", "3 of the last 20 failed", 2, 8, ["llama3.2:3b", "gemma3:12b", "phi4:14b"]),
            ("lab", "ollama", "maintenance", "maintenance by uid 1000", 0, 4, []),
            ("openai", "openai", "up", "", 12, 32, []),
        ]
        return rows.enumerated().map { index, row in
            var endpoint = EndpointInfo(
                name: row.name, url: "http://10.0.0.\(index + 1):11434", kind: row.kind, state: row.state, reason: row.reason,
                since: "2026-11-24T0\(index % 3):1\(index % 6):00Z", version: row.kind == "ollama" ? "0.12.6" : "", inFlight: row.inFlight,
                limit: row.limit, waiting: row.name == "gpu-3" ? 6 : 0, weight: index == 1 ? 0.5 : 1, loaded: row.loaded,
                available: (row.loaded + ["llama3.2:3b"]).sorted(), requestsTotal: 1200 + index * 731, tokensTotal: 345_600 * (index + 1),
                failuresTotal: index % 3 * 2, abortsTotal: index)
            // The first of its models has all the work.
            if row.inFlight > 0 { endpoint.inFlightByModel = [row.loaded.first ?? "gpt-4o-mini": row.inFlight] }
            endpoint.slots = row.limit * max(1, row.loaded.count)
            endpoint.requestsPerSecond = Double(row.inFlight) * 0.4
            endpoint.tokensPerSecond = Double(row.inFlight) * 31.5
            endpoint.retriesTotal = index % 2
            if row.state == "up" { (endpoint.ttftP50Ms, endpoint.ttftP95Ms) = (Double(180 + index * 40), Double(900 + index * 310)) }
            endpoint.loadedModels = row.loaded.enumerated().map { place, name in
                .init(
                    name: name, sizeVramBytes: 3_500_000_000 + place * 6_000_000_000, expiresAt: "2026-11-24T03:2\(4 + place):30Z",
                    contextLength: 8192, inFlight: place == 0 ? row.inFlight : 0, slots: row.limit)
            }
            if row.name == "gpu-1" {
                endpoint.loadedModels[0].configuration = "num_ctx 8192"
                endpoint.loadedModels[0].loads = Sample.loads
            }
            endpoint.polledAgoMs = 900
            return endpoint
        }
    }()

    static let models: [ModelInfo] = {
        let rows: [(name: String, bytes: Int?, size: String?, quantization: String?, context: Int?)] = [
            ("gemma3:12b", 8_100_000_000, "12.2B", "Q4_K_M", 8192), ("gpt-4o-mini", nil, nil, nil, nil),
            ("llama3.2:3b", 2_019_393_189, "3.2B", "Q4_K_M", 8192), ("llama3.3:70b", 42_520_000_000, "70.6B", "Q4_K_M", 16_384),
            ("mistral-small:24b", 14_300_000_000, "23.6B", "Q4_K_M", 8192), ("nomic-embed-text:latest", 274_302_450, "137M", "F16", 2048),
            ("phi4:14b", 9_100_000_000, "14.7B", "Q4_K_M", 8192), ("qwen2.5-coder:14b", 9_000_000_000, "14.8B", "Q5_K_M", 8192),
        ]
        return rows.enumerated().map { index, row in
            var model = ModelInfo(
                name: row.name, sizeBytes: row.bytes, parameterSize: row.size, quantization: row.quantization, waiting: index == 3 ? 6 : 0,
                places: endpoints.compactMap { endpoint in
                    if row.name == "gpt-4o-mini" {
                        return endpoint.kind == "openai" ? .init(endpoint: "openai", name: row.name, state: "loaded", inFlight: 12, limit: 32) : nil
                    }
                    let loaded = endpoint.loadedModels.first { $0.name == row.name }
                    guard loaded != nil || endpoint.available.contains(row.name), endpoint.kind != "openai" else { return nil }
                    let state = loaded == nil ? "available" : endpoint.state == "loading" ? "loading" : "loaded"
                    var place = ModelInfo.Place(
                        endpoint: endpoint.name, name: row.name, state: state, inFlight: loaded?.inFlight ?? 0, limit: endpoint.limit,
                        sizeVramBytes: loaded?.sizeVramBytes, expiresAt: loaded?.expiresAt)
                    (place.configuration, place.loads) = (loaded?.configuration, loaded?.loads)
                    return place
                })
            model.contextLength = row.context
            model.aliases = index == 2 ? ["default"] : []
            model.requestsTotal = 4000 / (index + 1)
            model.tokensTotal = 900_000 / (index + 1)
            return model
        }
    }()

    static let requests: [RequestInfo] = {
        let phases: [RequestInfo.Phase] = [.streaming, .streaming, .processing, .streaming, .loading, .connecting, .streaming, .waiting]
        // As many of each endpoint as it has in flight, mixed.
        let placed = (0..<12).flatMap { round in endpoints.filter { $0.inFlight > round } }
        var next = 0
        return (0..<30).map { index in
            let phase = index >= 27 ? .waiting : phases[index % phases.count]
            let endpoint = phase == .waiting ? nil : placed[next]
            if endpoint != nil { next += 1 }
            let model = endpoint?.loaded.first ?? (phase == .waiting ? "llama3.3:70b" : "gpt-4o-mini")
            var request = RequestInfo(
                id: "r-\(101 + index)", client: index % 9 == 4 ? "[2001:db8::5]:\(1200 + index)" : "10.1.2.\(index + 3):\(50_100 + index)",
                method: "POST", route: index % 2 == 0 ? "/api/chat" : "/v1/chat/completions", model: model, endpoint: endpoint?.name ?? "",
                phase: phase, ageMs: 48_000 - index * 1700, phaseMs: 40_000 - index * 1450, tokens: phase == .streaming ? 1200 - index * 40 : 0,
                bytesSent: phase == .streaming ? 61_000 : 0)
            request.key = ["team-a", "team-b", "ci"][index % 3]
            request.why = phase == .waiting ? "" : index % 4 == 0 ? "affinity" : "loaded"
            request.tokensPerSecond = phase == .streaming ? 31.5 - Double(index) * 0.5 : nil
            request.cache = phase == .waiting ? "" : index % 5 == 0 ? "shared" : "miss"
            return request
        }
    }()

    static let queue: [WaiterInfo] = {
        let waiting = requests.filter { $0.phase == .waiting }
        return waiting.enumerated().map { index, request in
            var waiter = WaiterInfo(
                id: request.id, client: request.client, key: request.key, model: request.model, ageMs: request.ageMs, position: index,
                behind: waiting.prefix(min(3, index)).map(\.id), blockedBy: ["gpu-3: 4 of 4 slots taken"])
            waiter.beginsInMs = 2300 * (index + 1)
            return waiter
        }
    }()

    static let events: [EventInfo] = (0..<40).map { index in
        let kinds: [(String, String, [String: String])] = [
            ("info", "model loaded", ["endpoint": "gpu-1", "model": "llama3.2:3b", "seconds": "4.2"]),
            (
                "warning", "endpoint changed its state",
                ["endpoint": "cpu-box", "from": "up", "to": "down", "reason": "connection refused", "url": "http://10.0.0.7:11434"]
            ),
            ("notice", "changed by an operator", ["endpoint": "gpu-2", "method": "drain", "uid": "1000"]),
            ("error", "the token database is locked", ["path": "/var/lib/routerd/tokens.db"]),
        ]
        let kind = kinds[index % 7 == 6 ? 3 : index % 3]
        let second = index % 4 * 15
        return EventInfo(
            sequence: index + 1, at: "2026-11-24T03:\(10 + index / 4):\(second < 10 ? "0" : "")\(second).120Z", level: kind.0, message: kind.1,
            facts: kind.2)
    }

    static let status: StatusInfo = {
        var status = Sample.status
        status.endpoints = endpoints
        status.queue = .init(waiting: 6, oldestMs: 36_000, limit: 256, timeoutS: 300)
        status.requests = .init(inFlight: 24, waiting: 6, total: 19_996, completed: 19_900, failed: 9, aborted: 51, rejected: 6)
        status.requests.perSecond = 14.2
        var cache = CacheInfo()
        cache.enabled = true
        cache.backend = "sqlite"
        (cache.exactHits, cache.semanticHits, cache.shared, cache.misses) = (4200, 310, 88, 9100)
        (cache.entries, cache.bytes, cache.oldestS) = (3120, 48_000_000, 86_000)
        (cache.tokensSaved, cache.secondsSaved) = (1_200_000, 36_000)
        cache.bypasses = ["temperature": 40, "tools": 12]
        cache.hitRates = [
            .init(minutes: 1, requests: 120, rate: 0.41), .init(minutes: 10, requests: 1100, rate: 0.36),
            .init(minutes: 60, requests: 6400, rate: 0.33),
        ]
        cache.namespaces = (0..<6).map { index in
            .init(
                name: "9f86d081884c7d65\(index)", model: models[(index + 2) % models.count].name, tenant: ["team-a", "team-b", ""][index % 3],
                entries: 1400 / (index + 1), bytes: 21_000_000 / (index + 1))
        }
        status.cache = cache
        return status
    }()

    static let tokens: TokensInfo = {
        var tokens = Sample.tokens
        tokens.rows = (0..<10).map { index in
            .init(
                endpoint: endpoints[index].name, model: models[index % models.count].name, inputTokens: 120_000 / (index + 1),
                outputTokens: 340_000 / (index + 1))
        }
        return tokens
    }()

    static let snapshot: SnapshotInfo = {
        var snapshot = SnapshotInfo(sequence: 1, atMs: 1000, status: status, requests: requests)
        snapshot.queue = queue
        snapshot.models = models
        snapshot.events = events
        return snapshot
    }()

    /// The console that looks at it.
    static func model(_ view: View = .endpoints, columns: Int = 80, rows: Int = 24) -> Model {
        var model = Model(size: Size(columns: columns, rows: rows))
        _ = update(&model, .tick(nowMs: 50_000, wallS: wallS))
        _ = update(&model, .snapshot(snapshot, topics: Set(SnapshotTopic.allCases)))
        _ = update(&model, .history(Sample.history))
        _ = update(&model, .tokens(tokens))
        model.go(to: view)
        return model
    }
}
