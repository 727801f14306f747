// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// How the endpoints are, and how they answered.
extension MetricsText {
    mutating func endpoints(_ fleet: [(Endpoint, EndpointReport)], _ scheduler: SchedulerSnapshot, now: NIODeadline) {
        let books = fleet.map { endpoint, report in (endpoint.name, report, scheduler.endpoints[endpoint.id] ?? SchedulerSnapshot.OfEndpoint()) }
        family("routerd_endpoint_state", "gauge", "1 for the state that the endpoint is in.")
        for (name, report, row) in books {
            let shown = report.state.shown(with: row.setAside, now: now).phase
            for phase in EndpointState.Phase.allCases {
                sample("routerd_endpoint_state", [("endpoint", name), ("state", phase.rawValue)], phase == shown ? 1 : 0)
            }
        }
        family(
            "routerd_breaker_state", "gauge",
            "0: gets requests; 1: gets one, to see how it is; 2: gets none. Without a model for the endpoint as a whole.")
        for (name, _, row) in books {
            if !row.setAside.contains(where: { $0.model == nil }) { sample("routerd_breaker_state", [("endpoint", name), ("model", "")], 0) }
            for breaker in row.setAside {
                sample(
                    "routerd_breaker_state", [("endpoint", name), ("model", breaker.model ?? "")],
                    breaker.isLeftAlone(now: now) && breaker.probe != .out ? 2 : 1)
            }
        }
        family("routerd_breaker_openings_total", "counter", "How often the endpoint, or a model on it, was set aside.")
        for (name, _, row) in books { sample("routerd_breaker_openings_total", [("endpoint", name)], Double(row.counters.breakerOpenings)) }
        family("routerd_verdicts_total", "counter", "Requests that an endpoint was given, by what became of them there.")
        for (name, _, row) in books {
            for verdict in LeaseEnd.Outcome.allCases {
                sample("routerd_verdicts_total", [("endpoint", name), ("verdict", verdict.rawValue)], Double(row.counters.count(of: verdict)))
            }
        }
    }
}
