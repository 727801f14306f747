// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Where the values of a configuration were given, for what is found out about them later.
///
/// It is no part of what a configuration means: all are equal.
struct ConfigOrigins: Sendable, Equatable {
    var file = ""
    /// By the key's name; a key that was not given is not there.
    var places: [String: ConfigError.Place] = [:]

    static func == (_: ConfigOrigins, _: ConfigOrigins) -> Bool { true }
}
