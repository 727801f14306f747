// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

// The fields of everything that a snapshot holds. A field that is added to one of these structs belongs here too: `SnapshotFieldsTests`
// fails until it is.

extension RequestInfo.Phase: WireValue {
    func write(to writer: inout JSONWriter) { writer.text(rawValue) }

    static func read(from cursor: inout JSONCursor) throws(JSONError) -> RequestInfo.Phase {
        let offset = cursor.offset
        guard let phase = RequestInfo.Phase(rawValue: try cursor.takeText()) else { throw cursor.error(.known, at: offset) }
        return phase
    }
}

extension RequestInfo: WireRow {
    static let fields: [WireField<RequestInfo>] = [
        WireField("age_ms", \.ageMs), WireField("bytes_sent", \.bytesSent), WireField("cache", \.cache), WireField("client", \.client),
        WireField("endpoint", \.endpoint), WireField("id", \.id), WireField("key", \.key), WireField("method", \.method),
        WireField("model", \.model), WireField("phase", \.phase), WireField("phase_ms", \.phaseMs), WireField("route", \.route),
        WireField("tokens", \.tokens), WireField("tokens_per_second", \.tokensPerSecond), WireField("why", \.why),
    ]

    static let blank = RequestInfo(
        id: "", client: "", method: "", route: "", model: "", endpoint: "", phase: .receiving, ageMs: 0, phaseMs: 0, tokens: 0, bytesSent: 0)
}

extension WaiterInfo: WireRow {
    static let fields: [WireField<WaiterInfo>] = [
        WireField("age_ms", \.ageMs), WireField("begins_in_ms", \.beginsInMs), WireField("behind", \.behind),
        WireField("blocked_by", \.blockedBy), WireField("client", \.client),
        WireField("id", \.id), WireField("key", \.key), WireField("model", \.model), WireField("position", \.position),
    ]

    static let blank = WaiterInfo(id: "", client: "", model: "", ageMs: 0, position: 0)
}

extension EventInfo: WireRow {
    static let fields: [WireField<EventInfo>] = [
        WireField("at", \.at), WireField("facts", \.facts), WireField("level", \.level), WireField("message", \.message),
        WireField("sequence", \.sequence),
    ]

    static let blank = EventInfo(sequence: 0, at: "", level: "", message: "")
}

extension LoadsInfo.Asked: WireRow {
    static let fields: [WireField<LoadsInfo.Asked>] = [
        WireField("address", \.address), WireField("agent", \.agent), WireField("options", \.options), WireField("reloads", \.reloads),
    ]

    static let blank = LoadsInfo.Asked(options: "", address: "", agent: "", reloads: 0)
}

extension LoadsInfo: WireRow {
    static let fields: [WireField<LoadsInfo>] = [
        WireField("asked", \.asked), WireField("configuration", \.configuration), WireField("evicted", \.evicted), WireField("first", \.first),
    ]

    static let blank = LoadsInfo()
}

extension EstimatesInfo: WireRow {
    static let fields: [WireField<EstimatesInfo>] = [
        WireField("is_size_measured", \.isSizeMeasured), WireField("load_s", \.loadS), WireField("loads", \.loads),
        WireField("size_bytes", \.sizeBytes), WireField("speed", \.speed), WireField("speed_answers", \.speedAnswers),
        WireField("token_answers", \.tokenAnswers), WireField("tokens_per_second", \.tokensPerSecond),
    ]

    static let blank = EstimatesInfo()
}

extension ModelInfo.Place: WireRow {
    static let fields: [WireField<ModelInfo.Place>] = [
        WireField("configuration", \.configuration), WireField("endpoint", \.endpoint),
        WireField("estimates", \.estimates), WireField("expires_at", \.expiresAt),
        WireField("in_flight", \.inFlight), WireField("limit", \.limit), WireField("loads", \.loads), WireField("name", \.name),
        WireField("size_vram_bytes", \.sizeVramBytes), WireField("state", \.state),
    ]

    static let blank = ModelInfo.Place(endpoint: "", name: "", state: "", inFlight: 0, limit: 0)
}

extension ModelInfo: WireRow {
    static let fields: [WireField<ModelInfo>] = [
        WireField("aliases", \.aliases), WireField("context_length", \.contextLength), WireField("name", \.name),
        WireField("parameter_size", \.parameterSize), WireField("places", \.places), WireField("quantization", \.quantization),
        WireField("requests_total", \.requestsTotal), WireField("size_bytes", \.sizeBytes), WireField("tokens_total", \.tokensTotal),
        WireField("waiting", \.waiting),
    ]

    static let blank = ModelInfo(name: "", sizeBytes: nil, parameterSize: nil, quantization: nil, waiting: 0, places: [])
}

extension EndpointInfo.Loaded: WireRow {
    static let fields: [WireField<EndpointInfo.Loaded>] = [
        WireField("configuration", \.configuration), WireField("context_length", \.contextLength),
        WireField("estimates", \.estimates), WireField("expires_at", \.expiresAt),
        WireField("in_flight", \.inFlight), WireField("loads", \.loads), WireField("name", \.name),
        WireField("size_vram_bytes", \.sizeVramBytes), WireField("slots", \.slots),
    ]

    static let blank = EndpointInfo.Loaded(name: "")
}

extension EndpointInfo.SetAside: WireRow {
    static let fields: [WireField<EndpointInfo.SetAside>] = [
        WireField("model", \.model), WireField("reason", \.reason), WireField("retry_at", \.retryAt), WireField("since", \.since),
    ]

    static let blank = EndpointInfo.SetAside(model: "", reason: "", since: "")
}

extension EndpointInfo: WireRow {
    static let fields: [WireField<EndpointInfo>] = [
        WireField("aborts_total", \.abortsTotal), WireField("answer_p50_ms", \.answerP50Ms), WireField("answer_p95_ms", \.answerP95Ms),
        WireField("available", \.available), WireField("client_errors_total", \.clientErrorsTotal),
        WireField("configured_weight", \.configuredWeight),
        WireField("embeddings_p50_ms", \.embeddingsP50Ms), WireField("embeddings_p95_ms", \.embeddingsP95Ms),
        WireField("failures_total", \.failuresTotal), WireField("has_key", \.hasKey), WireField("head_p50_ms", \.headP50Ms),
        WireField("head_p95_ms", \.headP95Ms), WireField("in_flight", \.inFlight),
        WireField("in_flight_by_model", \.inFlightByModel), WireField("kind", \.kind), WireField("limit", \.limit),
        WireField("loaded", \.loaded), WireField("loaded_models", \.loadedModels), WireField("name", \.name),
        WireField("polled_ago_ms", \.polledAgoMs), WireField("reason", \.reason), WireField("requests_per_second", \.requestsPerSecond),
        WireField("requests_total", \.requestsTotal), WireField("retries_total", \.retriesTotal),
        WireField("set_aside", \.setAside), WireField("since", \.since), WireField("slots", \.slots),
        WireField("state", \.state), WireField("tokens_per_second", \.tokensPerSecond), WireField("tokens_total", \.tokensTotal),
        WireField("ttft_p50_ms", \.ttftP50Ms), WireField("ttft_p95_ms", \.ttftP95Ms), WireField("url", \.url),
        WireField("version", \.version), WireField("vram_bytes", \.vramBytes), WireField("waiting", \.waiting), WireField("weight", \.weight),
        WireField("words", \.words),
    ]

    static let blank = EndpointInfo(
        name: "", url: "", kind: "", state: "", reason: "", since: "", version: "", inFlight: 0, limit: 0, waiting: 0, weight: 1, loaded: [],
        available: [])
}
