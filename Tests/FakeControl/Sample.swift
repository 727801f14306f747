// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// One plausible fleet, the same in all tests, golden files included.
public enum Sample {
    public static let endpoints = {
        var endpoints = plainEndpoints
        for (index, slots) in [8, 4, 2].enumerated() { endpoints[index].slots = slots }
        return endpoints
    }()

    private static let plainEndpoints = [
        EndpointInfo(
            name: "gpu-1", url: "http://10.0.0.1:11434", kind: "ollama", state: "up", reason: "", since: "2026-11-24T03:00:00Z",
            version: "0.12.6", inFlight: 3, limit: 4, waiting: 0, weight: 1, loaded: ["llama3.2:3b", "qwen2.5-coder:14b"],
            available: ["llama3.2:3b", "nomic-embed-text:latest", "qwen2.5-coder:14b"], inFlightByModel: ["llama3.2:3b": 2, "qwen2.5-coder:14b": 1],
            requestsTotal: 1200, tokensTotal: 345_600, failuresTotal: 2, abortsTotal: 5),
        EndpointInfo(
            name: "gpu-2", url: "http://10.0.0.2:11434", kind: "ollama", state: "draining", reason: "drained by uid 1000",
            since: "2026-11-24T03:10:00Z", version: "0.12.6", inFlight: 1, limit: 4, waiting: 2, weight: 0.5, loaded: ["llama3.2:3b"],
            available: ["llama3.2:3b"], inFlightByModel: ["llama3.2:3b": 1], requestsTotal: 800, tokensTotal: 200_000),
        EndpointInfo(
            name: "cpu-box", url: "http://10.0.0.9:8080", kind: "llama-server", state: "down", reason: "connection refused",
            since: "2026-11-24T02:00:00Z", version: "", inFlight: 0, limit: 2, waiting: 0, weight: 1, loaded: [], available: [], failuresTotal: 7),
    ]

    public static let status = {
        var status = plainStatus
        status.requests.perSecond = 1.4
        return status
    }()

    private static let plainStatus = StatusInfo(
        version: "0.1.0", pid: 4711, uptimeS: 273_600.25, state: "running", listen: ["127.0.0.1:12434"], configPath: "/etc/routerd/config.yaml",
        connections: 9, endpoints: endpoints, queue: .init(waiting: 2, oldestMs: 1500, limit: 256, timeoutS: 300),
        requests: .init(inFlight: 4, waiting: 2, total: 2016, completed: 1990, failed: 9, aborted: 5, rejected: 6), cache: CacheInfo(),
        storage: .init(fault: "", setAside: ""))

    /// Two who cannot agree on a context.
    public static let loads = LoadsInfo(
        first: 1, configuration: 14,
        asked: [
            .init(options: "num_ctx 32768", address: "10.0.0.9", agent: "", reloads: 7),
            .init(options: "num_ctx 8192", address: "10.0.0.7", agent: "continue", reloads: 7),
        ])

    public static let estimates = EstimatesInfo(
        speed: 1.8, speedAnswers: 62, tokensPerSecond: 38.2, tokenAnswers: 62, loadS: 4.1, loads: 15, sizeBytes: 3_500_000_000, isSizeMeasured: true)
    public static let guesses = EstimatesInfo(loadS: 12, sizeBytes: 11_200_000_000)

    public static let models = {
        var models = plainModels
        models[0].places[0].configuration = "num_ctx 8192"
        models[0].places[0].loads = loads
        models[0].places[0].estimates = estimates
        return models
    }()

    private static let plainModels = [
        ModelInfo(
            name: "llama3.2:3b", sizeBytes: 2_019_393_189, parameterSize: "3.2B", quantization: "Q4_K_M", waiting: 2,
            places: [
                .init(
                    endpoint: "gpu-1", name: "llama3.2:3b", state: "loaded", inFlight: 2, limit: 4, sizeVramBytes: 3_500_000_000,
                    expiresAt: "2026-11-24T03:20:00Z"),
                .init(endpoint: "gpu-2", name: "llama3.2:3b", state: "loading", inFlight: 1, limit: 4),
            ]),
        ModelInfo(
            name: "nomic-embed-text:latest", sizeBytes: 274_302_450, parameterSize: nil, quantization: nil, waiting: 0,
            places: [.init(endpoint: "gpu-1", name: "nomic-embed-text:latest", state: "available", inFlight: 0, limit: 4)]),
    ]

    public static let requests = [
        RequestInfo(
            id: "r-101", client: "10.1.2.3:50112", method: "POST", route: "/api/chat", model: "llama3.2:3b", endpoint: "gpu-1", phase: .streaming,
            ageMs: 12_400, phaseMs: 11_000, tokens: 420, bytesSent: 61_000),
        RequestInfo(
            id: "r-102", client: "10.1.2.4:41822", method: "POST", route: "/v1/chat/completions", model: "qwen2.5-coder:14b", endpoint: "gpu-1",
            phase: .processing, ageMs: 3200, phaseMs: 3000, tokens: 0, bytesSent: 0),
        RequestInfo(
            id: "r-103", client: "[2001:db8::5]:1234", method: "POST", route: "/api/generate", model: "llama3.2:3b", endpoint: "", phase: .waiting,
            ageMs: 1500, phaseMs: 1490, tokens: 0, bytesSent: 0),
    ]

    public static let queue = [
        WaiterInfo(
            id: "r-103", client: "[2001:db8::5]:1234", model: "llama3.2:3b", ageMs: 1500, position: 0,
            blockedBy: ["gpu-1: 4 of 4 slots taken", "gpu-2: draining"])
    ]

    public static let explanation = {
        var explanation = plainExplanation
        explanation.options[0].configuration = "num_ctx 8192"
        explanation.options[0].estimates = estimates
        explanation.options[2].estimates = guesses
        return explanation
    }()

    private static let plainExplanation = ExplainInfo(
        model: "llama3.2:3b",
        options: [
            .init(
                endpoint: "gpu-1", isChosen: true, why: "affinity", costS: 0.18, expectedS: 0.18,
                parts: [.init(name: "prefill", seconds: 0.62, answers: 62), .init(name: "warm", seconds: -0.44, answers: 62)],
                words: "0.62 s (62 answers) to read the prompt, -0.44 s as its beginning is warm"),
            .init(
                endpoint: "", costS: 4.2, expectedS: 1.4, parts: [.init(name: "line", seconds: 1.4, answers: 0)],
                words: "1.4 s (a guess) until a slot frees, 2 waiting"),
            .init(endpoint: "gpu-2", obstacle: "draining"),
        ], waiting: 2, demandPerSecond: 0.25)

    public static let events = [
        EventInfo(sequence: 1, at: "2026-11-24T03:00:00.120Z", level: "info", message: "control socket is open", facts: ["path": "/run/routerd/s"]),
        EventInfo(
            sequence: 2, at: "2026-11-24T03:00:01.000Z", level: "warning", message: "endpoint is down",
            facts: ["endpoint": "cpu-box", "reason": "connection refused"]),
        EventInfo(
            sequence: 3, at: "2026-11-24T03:10:00.500Z", level: "notice", message: "changed by an operator",
            facts: ["endpoint": "gpu-2", "method": "drain", "uid": "1000"]),
    ]

    public static let history = {
        var history = HistoryInfo(stepS: 2)
        let steps = 0..<300
        history.fleet.requests = steps.map { Double($0 % 20) }
        history.fleet.tokens = steps.map { Double($0 % 50) * 10 }
        history.fleet.failures = steps.map { $0 % 100 == 0 ? 0.5 : 0 }
        history.fleet.inFlight = steps.map { $0 % 7 }
        history.fleet.waiting = steps.map { $0 % 3 }
        history.fleet.ttftMs = steps.map { $0 % 10 == 0 ? nil : Double($0 % 40) * 5 }
        history.hitRate = steps.map { Double($0 % 10) / 10 }
        history.endpoints = ["gpu-1": history.fleet, "gpu-2": history.fleet, "cpu-box": history.fleet]
        return history
    }()

    public static let tokens = {
        var tokens = TokensInfo(sinceS: 3600, stepS: 60, from: 1_795_489_200)
        tokens.rows = [
            .init(endpoint: "gpu-1", model: "llama3.2:3b", inputTokens: 12_000, outputTokens: 34_000),
            .init(endpoint: "gpu-2", model: "llama3.2:3b", inputTokens: 2000, outputTokens: 4000),
        ]
        tokens.input = (0..<60).map { $0 * 10 }
        tokens.output = (0..<60).map { ($0 * 37) % 900 }
        tokens.totalInput = 1_234_567
        tokens.totalOutput = 7_654_321
        return tokens
    }()

    public static let config = ConfigInfo(
        path: "/etc/routerd/config.yaml",
        settings: [
            .init(name: "queue_limit", value: "256", isDefault: false, needsRestart: false),
            .init(name: "listen", value: "127.0.0.1:12434", isDefault: true, needsRestart: true),
        ])
}
