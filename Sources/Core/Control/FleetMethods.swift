// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Endpoints and models: see them, take them out of service, bring them back.
enum FleetMethods {
    static let all: [ControlMethod] = [
        .make("endpoints", .read) { (params: EndpointFilterParams, router) in
            try await router.endpoints(params.endpoint)
        },
        .make("models", .read) { (params: ModelFilterParams, router) in
            try await router.models(params.model)
        },
        .make("drain", .change) { (params: EndpointParams, router) in
            try await router.setWish(.drain, params.endpoint, dryRun: params.dryRun ?? false)
        },
        .make("maintenance", .change) { (params: EndpointParams, router) in
            try await router.setWish(.maintenance, params.endpoint, dryRun: params.dryRun ?? false)
        },
        .make("resume", .change) { (params: EndpointParams, router) in
            try await router.setWish(nil, params.endpoint)
        },
        .make("weight", .change) { (params: WeightParams, router) in
            try await router.setWeight(params.weight, params.endpoint)
        },
    ]
}
