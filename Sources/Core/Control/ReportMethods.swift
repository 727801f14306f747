// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// What was: the last minutes, the last events, the tokens.
enum ReportMethods {
    static let all: [ControlMethod] = [
        .make("history", .read) { (params: HistoryParams, router) in
            router.historyInfo(of: params.endpoints)
        },
        .make("events", .read) { (params: EventParams, router) in
            EventList(events: try router.events(params))
        },
        .make("tokens", .read) { (params: TokensParams, router) in
            try await router.tokens(params)
        },
    ]
}
