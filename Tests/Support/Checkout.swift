// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// Where the checkout and its binaries are.
public enum Checkout {
    /// The package's root.
    public static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// The daemon under test was built with the thread sanitizer.
    public static let isThreadSanitized = ProcessInfo.processInfo.environment["ROUTERD_BIN_DIR"]?.contains(".build-thread") ?? false
    /// The daemon under test was built with any sanitizer.
    public static let isSanitized = ProcessInfo.processInfo.environment["ROUTERD_BIN_DIR"]?.contains(".build-") ?? false
    /// The folder of `routerd` and `routerctl`: `$ROUTERD_BIN_DIR`, else that of the debug build.
    public static let binaries = ProcessInfo.processInfo.environment["ROUTERD_BIN_DIR"] ?? root + "/.build/debug"

    /// - Parameter name: `routerd` or `routerctl`.
    public static func binary(_ name: String) throws -> String {
        let path = "\(binaries)/\(name)"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw TestFailure("\(path) is missing: run `swift build`, or name the folder of the binaries in ROUTERD_BIN_DIR")
        }
        return path
    }
}

/// A folder for one test, gone with its owner. Its path is short, because the path of a Unix socket must be.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        var template = Array("/tmp/rd.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw TestFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
    }

    public func read(_ name: String) -> String { (try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)) ?? "" }
}
