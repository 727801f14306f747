// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// `simulated-endpoint` as a process, on a free port.
public final class SimulatedEndpointProcess: Sendable {
    public let url: String
    private let process: ChildProcess
    private let folder: TemporaryFolder

    /// For tests that are not about time.
    public static let quick = ["--token-time", "2ms", "--load-time", "50ms", "--tokens", "6"]

    /// - Parameter arguments: on top of `pace` and the port.
    public init(_ arguments: [String], pace: [String] = quick) throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        let process = try ChildProcess(
            Checkout.binary("simulated-endpoint"), ["--port", "0"] + pace + arguments, output: log, errors: log)
        url = try eventualValue("a simulated endpoint") {
            if let status = process.exitStatus { throw TestFailure("simulated-endpoint ended with status \(status): \(folder.read("log"))") }
            return folder.read("log").split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("http://") }.map(String.init)
        }
        self.process = process
        self.folder = folder
    }

    public var port: Int { url.split(separator: ":").last.flatMap { Int($0) } ?? 0 }

    /// What it has printed.
    public var log: String { folder.read("log") }
}
