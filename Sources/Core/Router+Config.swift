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

    /// What a configuration needs of this machine and does not find. What the one in force lacks as well is told already, and does not stop
    /// a reload that mends something else.
    func newFindings(of new: Config) -> [String] {
        let known = Set(Preflight.findings(config.withLockedValue { $0 }, controlPath: controlPath).map(\.error.message))
        return Preflight.findings(new, controlPath: new.control.socketPath ?? controlPath).filter { !known.contains($0.error.message) }
            .map(\.description)
    }

    /// Reads a text as the configuration would be read, and brings nothing of it into force.
    func checkConfig(_ params: ConfigCheckParams) throws -> ConfigCheckInfo {
        var info = ConfigCheckInfo()
        do {
            let new = try readConfig(params.text, params.path)
            let diff = ConfigDiff(from: config.withLockedValue { $0 }, to: new)
            let findings = Preflight.findings(new, controlPath: new.control.socketPath ?? controlPath).map(\.description)
            info = ConfigCheckInfo(errors: findings, notices: new.notices, changes: diff.changes, needsRestart: diff.needsRestart)
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
