// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import TestSupport

/// A busy fleet that lives on from snapshot to snapshot: the same seed, the same life.
public struct RandomSnapshot: Sendable {
    public private(set) var current: SnapshotInfo
    private var random: SplitMix
    private var nextRequest = 0
    private var nextEvent = 0

    public init(seed: UInt64, endpoints: Int, requests: Int, models: Int) {
        var random = SplitMix(seed: seed)
        let names = (0..<models).map { "llama3.\($0):8b-instruct-q4_K_M" }
        let rows = (0..<endpoints).map { index in
            let available = names.filter { _ in Bool.random(using: &random) }
            var row = EndpointInfo(
                name: "gpu-\(index)", url: "http://10.0.\(index / 250).\(index % 250 + 1):11434", kind: "ollama", state: "up", reason: "",
                since: "2026-11-24T03:00:00Z", version: "0.12.6", inFlight: 0, limit: 16, waiting: 0, weight: 1, loaded: Array(available.prefix(3)),
                available: available)
            row.loadedModels = row.loaded.map {
                EndpointInfo.Loaded(name: $0, sizeVramBytes: 6_000_000_000, expiresAt: "2026-11-24T03:20:00Z", contextLength: 8192)
            }
            row.polledAgoMs = 100
            return row
        }
        let status = StatusInfo(
            version: "0.1.0", pid: 4711, uptimeS: 1000.25, state: "running", listen: ["127.0.0.1:12434"], configPath: "/etc/routerd/config.yaml",
            connections: requests, endpoints: rows, queue: .init(waiting: 3, oldestMs: 1500, limit: 256, timeoutS: 300),
            requests: .init(inFlight: requests, waiting: 3, total: 2010, completed: 1990, failed: 9, aborted: 5, rejected: 6), cache: CacheInfo(),
            storage: .init(fault: "", setAside: ""))
        current = SnapshotInfo(sequence: 1, atMs: 1_000_000, status: status, requests: [])
        current.models = names.map { name in
            ModelInfo(
                name: name, sizeBytes: 4_000_000_000, parameterSize: "8.0B", quantization: "Q4_K_M", waiting: 0,
                places: rows.filter { $0.available.contains(name) }.prefix(8).map {
                    ModelInfo.Place(endpoint: $0.name, name: name, state: "available", inFlight: 0, limit: 16)
                })
        }
        self.random = random
        for _ in 0..<requests { begin() }
    }

    private mutating func begin() {
        nextRequest += 1
        let place = current.status.endpoints.randomElement(using: &random)
        var request = RequestInfo(
            id: "k3f9-\(nextRequest)", client: "10.1.2.3:\(Int.random(in: 1024...65535, using: &random))", method: "POST",
            route: "/v1/chat/completions", model: place?.loaded.first ?? "", endpoint: place?.name ?? "", phase: .processing, ageMs: 5, phaseMs: 5,
            tokens: 0, bytesSent: 0)
        request.key = "team-\(nextRequest % 7)"
        request.why = "loaded"
        request.cache = "miss"
        current.requests.append(request)
    }

    /// Half a second later.
    ///
    /// - Parameter churn: of the requests, so many in a thousand end, and as many begin.
    public mutating func step(churn: Int = 20) {
        current.sequence += 1
        current.atMs += 500 + Int.random(in: -3...3, using: &random)
        current.status.uptimeS += 0.5
        let count = current.requests.count
        var dice = random
        current.requests.removeAll { _ in Int.random(in: 0..<1000, using: &dice) < churn }
        random = dice
        for index in current.requests.indices {
            current.requests[index].ageMs += 500 + Int.random(in: -5...5, using: &random)
            current.requests[index].phaseMs += 500
            if current.requests[index].phase == .processing, Bool.random(using: &random) {
                current.requests[index].phase = .streaming
                current.requests[index].phaseMs = 10
            } else if current.requests[index].phase == .streaming {
                let tokens = Int.random(in: 5...40, using: &random)
                current.requests[index].tokens += tokens
                current.requests[index].bytesSent += tokens * 150
                current.requests[index].tokensPerSecond = Double(tokens * 2) + 0.1
            }
        }
        while current.requests.count < count { begin() }
        for index in current.status.endpoints.indices { current.status.endpoints[index] = changed(current.status.endpoints[index]) }
        current.status.requests.total += 10
        current.status.requests.completed += 10
        current.events = []
        if Int.random(in: 0..<4, using: &random) == 0 {
            nextEvent += 1
            current.events = [
                EventInfo(
                    sequence: nextEvent, at: "2026-11-24T03:00:00.120Z", level: "info", message: "a \"quoted\" line\nand \u{e9}\u{1F600}",
                    facts: ["endpoint": "gpu-1"])
            ]
        }
        changeLists()
    }

    private mutating func changed(_ old: EndpointInfo) -> EndpointInfo {
        var row = old
        row.inFlight = Int.random(in: 0...16, using: &random)
        row.inFlightByModel = Dictionary(uniqueKeysWithValues: row.loaded.map { ($0, row.inFlight) })
        row.requestsTotal += Int.random(in: 0...4, using: &random)
        row.tokensTotal += Int.random(in: 100...2000, using: &random)
        row.requestsPerSecond = Double(Int.random(in: 0...100, using: &random)) / 10
        row.tokensPerSecond = Double(Int.random(in: 0...10000, using: &random)) / 10
        row.ttftP50Ms = Bool.random(using: &random) ? Double(Int.random(in: 100...300, using: &random)) : row.ttftP50Ms
        row.polledAgoMs = Int.random(in: 0...2000, using: &random)
        if Int.random(in: 0..<100, using: &random) == 0 { row.state = row.state == "up" ? "down" : "up" }
        return row
    }

    /// Endpoints and models come, go and change places; the line moves.
    private mutating func changeLists() {
        switch Int.random(in: 0..<40, using: &random) {
        case 0: current.status.endpoints.swapAt(0, current.status.endpoints.count - 1)
        case 1: current.models.reverse()
        case 2: if current.models.count > 1 { current.models.remove(at: current.models.count / 2) }
        case 3: if let first = current.requests.first { current.requests.append(first) }
        default: break
        }
        current.queue = current.requests.filter { $0.phase == .processing }.prefix(Int.random(in: 0...5, using: &random)).map {
            WaiterInfo(id: $0.id, client: $0.client, model: $0.model, ageMs: $0.ageMs, position: 0, blockedBy: ["gpu-1: 4 of 4 slots taken"])
        }
        current.status.queue.waiting = current.queue.count
        current.status.queue.oldestMs = current.queue.first?.ageMs ?? 0
    }
}
