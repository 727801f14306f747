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
        try withOptions(try ConfigReader.load(path: path, environment: ProcessInfo.processInfo.environment))
    }

    /// Reads a text as if it were the file.
    ///
    /// - Parameter path: shown in errors.
    /// - Throws: `ConfigErrors`.
    func read(_ text: String, path: String) throws -> Config {
        try withOptions(try ConfigReader.read(yaml: text, file: path, environment: ProcessInfo.processInfo.environment))
    }

    /// Options of the command line win.
    private func withOptions(_ config: Config) throws -> Config {
        var config = config
        if !listen.isEmpty { config.listen = try listen.map { try ConfigReader.listenAddress($0) } }
        return config
    }
}
