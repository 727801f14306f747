// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// What `routerctl` does when its output goes nowhere. What breaks without these: a script goes on as if it had read something, or a command never
/// ends behind `head`.
@Suite struct BrokenPipeTests {
    private static func shell(_ daemon: RunningDaemon, _ command: String, within seconds: Double = 15) throws -> (
        status: Int32, output: String, errors: String
    ) {
        // `$0` is routerctl with its socket; the shell waits for all parts of a pipe.
        let routerctl = try "\(Checkout.binary("routerctl")) --socket \(daemon.socketPath)"
        return try ChildProcess.run("/bin/sh", ["-c", command.replacingOccurrences(of: "routerctl", with: routerctl)], within: seconds)
    }

    @Test(arguments: ["watch --interval 200ms", "events --follow", "events --follow --json"])
    func whatGoesOnEndsWithItsReader(_ command: String) throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            let isOver = SharedFlag()
            // Something to tell of, all the while.
            let operatorEnded = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                while !isOver.value {
                    _ = try? daemon.control().drain("gpu")
                    _ = try? daemon.control().resume("gpu")
                    usleep(50_000)
                }
                operatorEnded.signal()
            }
            defer {
                isOver.set(true)
                #expect(operatorEnded.wait(timeout: .now() + 10) == .success)
            }
            let watch = Stopwatch()
            let result = try Self.shell(daemon, "routerctl \(command) | head -n 1")
            #expect(!result.output.isEmpty && watch.seconds < 10, "\(result)")
        }
    }

    static let commands = [
        "status", "endpoints", "endpoints gpu", "models", "requests", "queue", "explain m", "tokens", "events", "config show", "cache stats", "ping",
        "version", "--json status", "show m", "completion bash", "watch --count 1",
    ]

    /// Whatever could not be written was not done.
    @Test func outputThatCannotBeWrittenIsAFailure() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            var tried = 0
            for command in Self.commands {
                let good = try Self.shell(daemon, "routerctl \(command)")
                #expect(good.status == 0, "\(command): \(good)")
                // An empty list may be no output at all.
                guard !good.output.isEmpty else { continue }
                tried += 1
                let result = try Self.shell(daemon, "routerctl \(command) > /dev/full")
                #expect(result.status == 1, "\(command): status \(result.status)")
                #expect(result.errors.hasPrefix("routerctl: ") && result.errors.contains("space"), "\(command): '\(result.errors)'")
            }
            #expect(tried > 10)
        }
    }

    /// A script that reads one line of a table is no reason for a complaint.
    @Test func aReaderThatHasEnoughIsNoFailureToReport() throws {
        let endpoint = try FakeEndpoint("gpu", available: (0..<2000).map { "model-\($0)" }, loaded: [])
        try RunningDaemon.run([endpoint]) { daemon in
            let result = try Self.shell(daemon, "routerctl models | head -n 1")
            #expect(!result.output.isEmpty && result.errors.isEmpty, "\(result)")
        }
    }
}
