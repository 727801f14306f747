// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Core
import Logging
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// The daemon's command line. Options win over the environment, the environment over the file.
@main
struct Routerd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routerd",
        abstract: "One address in front of a fleet of language model servers.",
        discussion: """
            SIGHUP reads the configuration again. SIGTERM and SIGINT let running streams end and stop; a second one, a second later or more, \
            stops at once.
            """,
        version: "routerd \(ProductVersion.current)")

    @Option(
        name: [.long, .customLong("config-path")], help: "The configuration. Else $NOMYO_ROUTER_CONFIG_PATH, ./config.yaml, /etc/routerd/config.yaml."
    )
    var config: String?

    @Option(name: .long, help: ArgumentHelp("Address of the HTTP port, several times if need be.", valueName: "host:port"))
    var listen: [String] = []

    @Option(name: .long, help: ArgumentHelp("The control socket.", valueName: "path"))
    var control: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level?

    @Option(name: .long, help: "text or json.")
    var logFormat: LogFormat = .text

    @Flag(name: .long, help: "Check the configuration and exit: status 0 if it is good, 1 if not.")
    var check = false

    func run() async throws {
        // A client that goes away in the middle of a write is an error there, not a signal that ends us.
        signal(SIGPIPE, SIG_IGN)
        // Nor does a file that may grow no further end us: the write fails, and is told.
        signal(SIGXFSZ, SIG_IGN)
        // Before there is anything that a signal could leave behind, and before there is anybody to hear it.
        if !check, !SignalPipe.install() { fail("no pipe for signals: \(String(cString: strerror(errno)))") }
        let source = ConfigSource(option: config, listen: listen)
        let loaded: Config
        do {
            loaded = try source.load()
        } catch {
            fail("\(error)")
        }
        let socketPath = SocketPath.search(
            option: control, configured: loaded.control.socketPath, environment: ProcessInfo.processInfo.environment)
        let findings = Preflight.findings(loaded, controlPath: socketPath, controlOption: control)
        if check {
            for notice in loaded.notices { print(notice) }
            if !findings.isEmpty { fail(findings.map(\.description).joined(separator: "\n")) }
            print("\(source.path): good")
            return
        }
        let obstacles = findings.filter { $0.consequence == .noStart }
        if !obstacles.isEmpty { fail(obstacles.map(\.description).joined(separator: "\n")) }
        let events = EventLog()
        LogSetup.start(level: logLevel ?? loaded.logLevel.flatMap(Logger.Level.init(rawValue:)) ?? .info, format: logFormat, events: events)
        do {
            try await Daemon.run(loaded, source: source, socketPath: socketPath, findings: findings, events: events)
        } catch {
            fail("\(error)")
        }
    }

    private func fail(_ message: String) -> Never {
        let line = Array("routerd: \(message)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        Glibc.exit(1)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
