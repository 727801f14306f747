// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What models are loaded with, and why they are loaded.
extension MetricsText {
    mutating func loads(_ endpoints: [Endpoint], _ histories: [EndpointID: [String: LoadHistory]], _ scheduler: SchedulerSnapshot) {
        family("routerd_model_configuration", "gauge", "1 for the options that a model in memory was loaded with, as far as they are known.")
        for endpoint in endpoints {
            for (model, words) in (scheduler.endpoints[endpoint.id]?.configurations ?? [:]).sorted(by: { $0.key < $1.key }) {
                sample("routerd_model_configuration", [("endpoint", endpoint.name), ("model", model), ("options", words)], 1)
            }
        }
        family(
            "routerd_model_loads_total", "counter",
            "Loads that the router set off: first, evicted (it had been there), configuration (it was there with other options).")
        for endpoint in endpoints {
            for (model, history) in (histories[endpoint.id] ?? [:]).sorted(by: { $0.key < $1.key }) {
                for cause in CountedLoad.allCases {
                    let labels = [("endpoint", endpoint.name), ("model", model), ("cause", cause.rawValue)]
                    sample("routerd_model_loads_total", labels, Double(history.counts[cause] ?? 0))
                }
            }
        }
    }
}
