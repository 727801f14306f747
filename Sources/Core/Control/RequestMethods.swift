// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Requests: those that run, those that wait, and the end of one.
enum RequestMethods {
    static let all: [ControlMethod] = [
        .make("requests", .read) { (_: NoParams, router) in
            RequestList(requests: await router.requests())
        },
        .make("queue", .read) { (_: NoParams, router) in
            QueueList(waiting: await router.queue())
        },
        .make("cancel", .change) { (params: CancelParams, router) in
            try await router.cancel(params.id)
        },
    ]
}
