// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Where the configuration comes from, so that a reload reads the same again.
struct ConfigSource: Sendable {
    let path: String
    private let listen: [String]

    init(option: String?, listen: [String]) {
        path = option ?? SocketPath.configFile(environment: ProcessInfo.processInfo.environment) ?? "./config.yaml"
        self.listen = listen
    }

    /// - Throws: `ConfigErrors`, which say file, line and column.
    func load() throws -> Config {
        var config = try ConfigReader.load(path: path, environment: ProcessInfo.processInfo.environment)
        if !listen.isEmpty { config.listen = try listen.map { try ConfigReader.listenAddress($0) } }
        return config
    }
}
