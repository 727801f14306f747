// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Protocol

/// `routerctl proxy`: the other end of `--socket ssh://...`. Nothing but the daemon's bytes comes out of it.
struct ProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: SocketProxy.commandName, abstract: "Connect standard input and output to the daemon's socket.", shouldDisplay: false)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let path = SocketPath.find(option: options.socket, environment: ProcessInfo.processInfo.environment)
        guard !SSHAddress.names(path) else {
            throw Failure(status: .usage, code: "usage", message: "proxy wants a socket of this machine, not \(path)")
        }
        do {
            try SocketProxy.run(path: path)
        } catch {
            throw Diagnosis.failure(error, option: options.socket)
        }
    }
}
