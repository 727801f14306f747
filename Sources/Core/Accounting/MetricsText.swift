// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The page that Prometheus reads (text exposition format 0.0.4). Pure: text from values.
struct MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    typealias Labels = [(String, String)]

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: Labels = [], _ value: Double) {
        text += "\(name)\(Self.labels(labels)) \(Self.number(value))\n"
    }

    /// One without labels.
    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        family(name, "counter", help)
        sample(name, [], Double(value))
    }

    mutating func histogram(_ name: String, _ labels: Labels, _ histogram: Histogram) {
        var cumulative = 0
        for (index, count) in histogram.counts.enumerated() {
            cumulative += count
            let bound = index < histogram.bounds.count ? Self.number(histogram.bounds[index]) : "+Inf"
            sample("\(name)_bucket", labels + [("le", bound)], Double(cumulative))
        }
        sample("\(name)_sum", labels, histogram.sum)
        sample("\(name)_count", labels, Double(cumulative))
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
    }

    private static func labels(_ labels: Labels) -> String {
        if labels.isEmpty { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}

extension MetricsText {
    /// Everything that the router tells.
    init(
        _ metrics: WorkerMetrics, counters: WorkerCounters, fleet: [(Endpoint, EndpointReport)], scheduler: SchedulerSnapshot, connections: Int,
        version: String, now: NIODeadline = .now()
    ) {
        family("routerd_build_info", "gauge", "What runs here.")
        sample("routerd_build_info", [("version", version)], 1)
        family("routerd_connections", "gauge", "Client connections.")
        sample("routerd_connections", [], Double(connections))
        family("routerd_waiting", "gauge", "Requests that wait for a slot.")
        sample("routerd_waiting", [], Double(scheduler.waiting))
        family("routerd_in_flight", "gauge", "Requests that an endpoint works on.")
        for (endpoint, _) in fleet {
            for (model, count) in (scheduler.endpoints[endpoint.id]?.inFlightByModel ?? [:]).sorted(by: { $0.key < $1.key }) {
                sample("routerd_in_flight", [("endpoint", endpoint.name), ("model", model)], Double(count))
            }
        }
        endpoints(fleet, scheduler, now: now)
        family("routerd_model_loaded", "gauge", "1 for each model in an endpoint's memory.")
        for (endpoint, report) in fleet {
            for model in report.loaded { sample("routerd_model_loaded", [("endpoint", endpoint.name), ("model", model.name)], 1) }
        }
        family("routerd_outcomes_total", "counter", "Requests by how they ended.")
        for (outcome, count) in [
            ("completed", counters.completed), ("failed", counters.failed), ("aborted", counters.aborted), ("rejected", counters.rejected),
        ] { sample("routerd_outcomes_total", [("outcome", outcome)], Double(count)) }
        family("routerd_requests_total", "counter", "Requests by route, model, endpoint and status; 499 is a client that left.")
        let places = metrics.places.values.sorted { ($0.endpointName, $0.model) < ($1.endpointName, $1.model) }
        func requests(_ counts: [(kind: WorkerMetrics.Kind, count: Int)], _ endpoint: String, _ model: String) {
            for (kind, count) in counts.sorted(by: { ($0.kind.action.label, $0.kind.status) < ($1.kind.action.label, $1.kind.status) }) {
                let labels = [("route", kind.action.label), ("model", model), ("endpoint", endpoint), ("status", String(kind.status))]
                sample("routerd_requests_total", labels, Double(count))
            }
        }
        for place in places { requests(place.requests.all, place.endpointName, place.model) }
        requests(metrics.others.map { ($0.key, $0.value) }, "", "")
        func labels(_ place: WorkerMetrics.Place) -> Labels { [("endpoint", place.endpointName), ("model", place.model)] }
        family("routerd_tokens_total", "counter", "Tokens of prompts and of answers, as the endpoints tell them.")
        for place in places {
            sample("routerd_tokens_total", labels(place) + [("type", "prompt")], Double(place.tokens.input))
            sample("routerd_tokens_total", labels(place) + [("type", "answer")], Double(place.tokens.output))
        }
        times(places.map { (labels($0), $0) })
    }
}
