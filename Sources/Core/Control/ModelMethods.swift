// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Models: into memory and out of it, onto endpoints and off them.
enum ModelMethods {
    static let all: [ControlMethod] = [
        .makeLong("model.load", .change) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).load(params)
        },
        .makeLong("model.unload", .change) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).unload(params)
        },
        .makeLong("model.pull", .change) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).manage(.pull, params)
        },
        .makeLong("model.delete", .change) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).manage(.delete, params)
        },
        .makeLong("model.copy", .change) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).manage(.copy, params)
        },
        .makeLong("model.show", .read) { (params: ModelActionParams, router, progress) in
            try await router.modelActions(progress).show(params)
        },
    ]
}
