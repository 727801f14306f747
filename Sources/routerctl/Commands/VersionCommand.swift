// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Protocol

/// Answer of `routerctl version --json`.
struct VersionInfo: Encodable {
    struct Daemon: Encodable {
        var version: String
        var controlProtocol: Int
        var pid: Int
    }

    var schema = ProductVersion.schema
    var routerctl = ProductVersion.current
    var controlProtocol = ProductVersion.controlProtocol
    /// Nil, and then left out, if no daemon answers.
    var routerd: Daemon?
}

/// `routerctl version`: of both programs; a daemon that does not answer is no failure here.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the version of routerctl, and of routerd if it runs.")

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let output = Output(json: options.json, environment: environment)
        var info = VersionInfo()
        do {
            let hello = try Session.connect(SocketPath.find(option: options.socket, environment: environment), environment: environment).hello()
            info.routerd = .init(version: hello.version, controlProtocol: hello.controlProtocol, pid: hello.pid)
            if let warning = Session.mismatch(hello) { Output.warn(warning) }
        } catch {
            if !options.json { Output.warn(Diagnosis.failure(error, option: options.socket).message) }
        }
        try output.show(info) { Self.print(info, on: $0) }
    }

    static func print(_ info: VersionInfo, on page: Page) {
        page.line("routerctl \(info.routerctl)")
        if let daemon = info.routerd { page.line("routerd \(daemon.version)") }
    }
}
