// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A program that the test has started, and that does not outlive it.
public final class ChildProcess: Sendable {
    public let pid: pid_t
    private let status = NIOLockedValueBox<Int32?>(nil)

    /// - Parameters:
    ///   - output: files for standard output and standard error; may be the same.
    ///   - environment: on top of the test's own, which is freed of what would configure a router.
    ///   - isClean: nothing of the test's own environment.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], isClean: Bool = false, output: String, errors: String
    ) throws {
        var variables =
            isClean
            ? [:]
            : ProcessInfo.processInfo.environment.filter { name, _ in
                !name.hasPrefix("NOMYO_ROUTER_") && !["ROUTERD_HOST", "ROUTERD_PORT", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].contains(name)
            }
        variables.merge(environment) { _, new in new }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The runtime of the tests may have blocked signals on this thread; the child must get them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var made: pid_t = 0
        let result = spawning.withLock { posix_spawn(&made, path, &actions, &attributes, &argv, &envp) }
        guard result == 0 else { throw TestFailure("cannot start \(path): \(String(cString: strerror(result)))") }
        pid = made
    }

    deinit { kill() }

    /// The exit status once it has ended, or 128 plus the signal; nil while it runs.
    public var exitStatus: Int32? {
        status.withLockedValue { known in
            if let known { return known }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            known = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
            return known
        }
    }

    public func signal(_ number: Int32) {
        // Not after its end: the number may belong to somebody else by then.
        if exitStatus == nil { _ = Glibc.kill(pid, number) }
    }

    public func waitForExit(within seconds: Double = 30) throws -> Int32 {
        try eventualValue("end of process \(pid)", within: seconds) { exitStatus }
    }

    public func kill() {
        signal(SIGKILL)
        _ = try? waitForExit(within: 5)
    }

    /// Runs a program to its end.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], isClean: Bool = false, within seconds: Double = 60
    ) throws -> (status: Int32, output: String, errors: String) {
        let folder = try TemporaryFolder()
        let child = try ChildProcess(
            path, arguments, environment: environment, isClean: isClean, output: folder.path + "/out", errors: folder.path + "/err")
        do {
            let status = try child.waitForExit(within: seconds)
            return (status, folder.read("out"), folder.read("err"))
        } catch {
            child.kill()
            throw TestFailure("\(path) \(arguments): \(error)\n\(folder.read("out"))\n\(folder.read("err"))")
        }
    }
}
