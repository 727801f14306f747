// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Synchronization

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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"].merging(environment) { $1 }
        let out = Pipe()
        let err = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = err
        try process.run()
        let late = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: late)
        let errors = Mutex(Data())
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) {
            let data = err.fileHandleForReading.readDataToEndOfFile()
            errors.withLock { $0 = data }
        }
        let output = out.fileHandleForReading.readDataToEndOfFile()
        group.wait()
        process.waitUntilExit()
        late.cancel()
        return Outcome(
            status: process.terminationStatus, out: String(decoding: output, as: UTF8.self),
            err: String(decoding: errors.withLock { $0 }, as: UTF8.self))
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
