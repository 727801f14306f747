// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
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

/// The command tree. Read `Commands/` for what each command does.
struct Routerctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routerctl",
        abstract: "See and steer a running routerd.",
        discussion: """
            Speaks to the daemon over its control socket. Exit status: 0 done, 1 refused or failed, 2 wrong use, \
            3 no daemon, 4 timed out, 5 not allowed, 6 no such thing.
            """,
        version: "routerctl \(ProductVersion.current)",
        subcommands: [
            StatusCommand.self, EndpointsCommand.self, ModelsCommand.self, RequestsCommand.self, QueueCommand.self, ExplainCommand.self,
            TokensCommand.self,
            EventsCommand.self, CancelCommand.self,
            DrainCommand.self, MaintenanceCommand.self, ResumeCommand.self, WeightCommand.self,
            LoadCommand.self, UnloadCommand.self, PullCommand.self, DeleteCommand.self, CopyCommand.self, ShowCommand.self,
            ReloadCommand.self, ConfigCommand.self, CacheCommand.self,
            TopCommand.self, WatchCommand.self, PingCommand.self, VersionCommand.self, CompletionCommand.self, ProxyCommand.self,
        ]
    )

    // In the root and in each command, so that the options may stand before or after the command's name.
    @OptionGroup var options: GlobalOptions

    func run() throws {
        throw Failure(status: .usage, code: "usage", message: "a command is missing", advice: ["See routerctl --help"])
    }
}

/// Options of every command.
struct GlobalOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON, with stable snake_case keys and a schema number.")
    var json = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The daemon's control socket, or ssh://[user@]host[:port][/path]; without it the same places are searched as by routerd.",
            valueName: "path"),
        completion: .file())
    var socket: String?
}

@main
enum Main {
    static func main() {
        // A reader that closed the pipe is an error of the write, which ends the output quietly.
        signal(SIGPIPE, SIG_IGN)
        StandardOutput.reserve()
        exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Parses, runs, reports, and tells the exit status.
    static func run(_ arguments: [String]) -> ExitStatus {
        do {
            var command = try Routerctl.parseAsRoot(arguments)
            try command.run()
            return .done
        } catch {
            return finish(error, arguments: arguments)
        }
    }

    private static func finish(_ error: any Error, arguments: [String]) -> ExitStatus {
        let json = arguments.prefix { $0 != "--" }.contains("--json")
        let output = Output(json: json, environment: ProcessInfo.processInfo.environment)
        if let status = error as? ExitStatusOnly { return status.status }
        if let failure = error as? Failure {
            output.report(failure)
            return failure.status
        }
        let text = Routerctl.fullMessage(for: error)
        // Help and the version come as errors with the status success.
        if Routerctl.exitCode(for: error) == .success {
            do {
                try StandardOutput.write(line: text)
                return .done
            } catch {
                return finish(error, arguments: arguments)
            }
        }
        if let mistyped = Suggestion.failure(for: arguments) {
            output.report(mistyped)
        } else if json {
            output.report(Failure(status: .usage, code: "usage", message: Routerctl.message(for: error)))
        } else {
            StandardError.write(line: text)
        }
        return .usage
    }
}

/// Ends a command whose failures have all been reported already.
struct ExitStatusOnly: Error {
    let status: ExitStatus
}
