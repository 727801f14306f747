// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// `simulated-endpoint` as a process.
final class SimulatedServer: Sendable {
    let url: String
    private let process: ChildProcess
    private let folder: TemporaryFolder

    init(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        let process = try ChildProcess(
            Checkout.binary("simulated-endpoint"), ["--port", "0", "--token-time", "2ms", "--load-time", "50ms", "--tokens", "6"] + arguments,
            output: log,
            errors: log)
        url = try eventualValue("a simulated endpoint") {
            folder.read("log").split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("http://") }.map(String.init)
        }
        self.process = process
        self.folder = folder
    }
}
