// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import ArgumentParser
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `routerctl completion bash|zsh|fish`
struct CompletionCommand: ParsableCommand {
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print the script by which a shell completes routerctl's commands, options and names.",
        discussion: """
            For bash: source <(routerctl completion bash). For zsh: save it as _routerctl in a folder of $fpath. \
            For fish: routerctl completion fish | source. `make install` puts all three where the shells look.
            """)

    @Argument(help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"))
    var shell: Shell

    @OptionGroup var options: GlobalOptions

    func run() throws {
        if options.json { throw Failure(status: .usage, code: "usage", message: "a script is no JSON") }
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        var script = Routerctl.completionScript(for: kind)
        if shell == .bash { script += BashColons.script(command: "routerctl", function: "_routerctl") }
        try StandardOutput.write(line: script)
    }
}
