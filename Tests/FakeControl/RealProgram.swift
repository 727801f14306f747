// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// Runs the real `routerctl`.
public enum RealProgram {
    public struct Outcome: Sendable {
        public var status: Int32
        public var out: String
        public var err: String
    }

    /// Beside the test bundle, or in `ROUTERD_BIN_DIR`.
    public static let routerctl: String = {
        let environment = ProcessInfo.processInfo.environment["ROUTERD_BIN_DIR"].map { [$0] } ?? []
        let ours = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map { ($0 as NSString).deletingLastPathComponent }
        let root = ((#filePath as NSString).deletingLastPathComponent as NSString).appendingPathComponent("../../.build/debug")
        let folders = environment + [ours, root].compactMap { $0 }
        let found = folders.map { "\($0)/routerctl" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { fatalError("no routerctl in \(folders)") }
        return found
    }()

    /// Runs it without a terminal, with a clean environment, for at most `limit` seconds.
    public static func run(_ arguments: [String], environment: [String: String] = [:], executable: String = routerctl, limit: Double = 30) throws
        -> Outcome
    {
        // Not Foundation's Process: it waits for whatever the program left running, such as a terminal server, too.
        let result = try ChildProcess.run(
            executable, arguments, environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"].merging(environment) { $1 }, isClean: true,
            within: limit)
        return Outcome(status: result.status, out: result.output, err: result.errors)
    }

    /// Asks until it is true, for at most `seconds`.
    public static func eventually(_ seconds: Double = 10, _ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            if try condition() { return true }
            usleep(20_000)
        }
        return try condition()
    }
}
