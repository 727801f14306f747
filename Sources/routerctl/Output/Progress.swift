// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// One line on the terminal's standard error that says what is being waited for.
struct Progress {
    private let isTerminal: Bool
    private var shown = ""

    init(isTerminal: Bool) { self.isTerminal = isTerminal }

    mutating func show(_ left: [EndpointInfo], waitedMs: Int) {
        guard isTerminal else { return }
        let text = Self.text(left, waitedMs: waitedMs)
        guard text != shown else { return }
        shown = text
        Output.write(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
    }

    /// Takes the line away.
    mutating func end() {
        guard !shown.isEmpty else { return }
        shown = ""
        Output.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
    }

    /// Short enough for one line of 79 columns, as a wrapped line could not be taken away.
    static func text(_ left: [EndpointInfo], waitedMs: Int) -> String {
        let total = left.reduce(0) { $0 + $1.inFlight }
        let names = left.map { DisplayText.clean($0.name) }.joined(separator: ", ")
        return DisplayText.truncate("\(total) in flight, \(waitedMs / 1000)s: \(names)", to: 79, ellipsis: "..")
    }

    /// A length of time as the operator would write it.
    static func seconds(_ milliseconds: Int) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}
