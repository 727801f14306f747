// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Has a configuration checked by `routerd --check` where no daemon runs.
enum OfflineCheck {
    static func run(_ file: String, because failure: Failure, environment: [String: String]) throws(Failure) -> ConfigCheckInfo {
        guard let program = routerd(environment: environment) else {
            var failure = failure
            failure.advice.append("To check a configuration without a daemon, routerd has to be beside routerctl or in the path.")
            throw failure
        }
        guard let (status, text) = capture(program, ["--check", "--config", file]) else {
            throw Failure(status: .failed, code: "failed", message: "cannot start \(program): \(String(cString: strerror(errno)))")
        }
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        if status == 0 { return ConfigCheckInfo(notices: lines.filter { !$0.hasSuffix(": good") }) }
        return ConfigCheckInfo(errors: lines.isEmpty ? ["\(program) ended with status \(status)"] : lines.map(withoutName))
    }

    /// Errors keep `file:line:column:` at the beginning.
    private static func withoutName(_ line: String) -> String {
        line.hasPrefix("routerd: ") ? String(line.dropFirst("routerd: ".count)) : line
    }

    private static func routerd(environment: [String: String]) -> String? {
        let ours = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments.first ?? ""
        let beside = ours.lastIndex(of: "/").map { [String(ours[..<$0])] } ?? []
        let folders = beside + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return folders.map { "\($0)/routerd" }.first { access($0, X_OK) == 0 }
    }

    /// Both outputs of a program, and its exit status; nil if it does not start.
    private static func capture(_ program: String, _ arguments: [String]) -> (status: Int32, text: String)? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        defer { close(ends[0]) }
        #if os(Linux)
            var actions = posix_spawn_file_actions_t()
        #else
            var actions: posix_spawn_file_actions_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, program, &actions, nil, &argv, environ)
        close(ends[1])
        guard result == 0 else {
            errno = result
            return nil
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return (status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F), String(decoding: bytes, as: UTF8.self))
    }
}
