// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The configuration: what is in force, what a text would change.
enum ConfigMethods {
    static let all: [ControlMethod] = [
        .make("config.show", .read) { (_: NoParams, router) in
            router.configInfo()
        },
        // It reads files that the text names as the daemon's user: not for everybody.
        .make("config.check", .change, isLogged: false) { (params: ConfigCheckParams, router) in
            try router.checkConfig(params)
        },
        .make("reload", .change) { (params: ReloadParams, router) in
            try await router.reload(dryRun: params.dryRun ?? false)
        },
    ]
}
