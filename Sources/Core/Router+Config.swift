// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The configuration for operators.
extension Router {
    func configInfo() -> ConfigInfo { ConfigInfo(path: configPath, settings: ConfigView.settings(config.withLockedValue { $0 })) }

    /// Reads a text as the configuration would be read, and brings nothing of it into force.
    func checkConfig(_ params: ConfigCheckParams) throws -> ConfigCheckInfo {
        var info = ConfigCheckInfo()
        do {
            let new = try readConfig(params.text, params.path)
            let diff = ConfigDiff(from: config.withLockedValue { $0 }, to: new)
            info = ConfigCheckInfo(notices: new.notices, changes: diff.changes, needsRestart: diff.needsRestart)
        } catch let errors as ConfigErrors {
            info.errors = errors.errors.map(\.description)
        } catch {
            info.errors = ["\(params.path): \(error)"]
        }
        let environment = ProcessInfo.processInfo.environment
        func hiding(_ lines: [String]) -> [String] { ConfigView.hiding(variablesOf: params.text, environment, in: lines) }
        return ConfigCheckInfo(
            errors: hiding(info.errors), notices: hiding(info.notices), changes: hiding(info.changes), needsRestart: info.needsRestart)
    }
}
