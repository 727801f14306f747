// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Says on standard error what is being waited for: one line that is drawn over at a terminal, a line every few seconds else.
struct Progress {
    /// Milliseconds between two lines where there is no terminal.
    static let steadyMs = 5000

    private let isTerminal: Bool
    private let isSilent: Bool
    private var shown = ""
    private var lastLineMs = 0

    init(isTerminal: Bool, isSilent: Bool) {
        self.isTerminal = isTerminal
        self.isSilent = isSilent
    }

    mutating func show(_ left: [EndpointInfo], waitedMs: Int) {
        guard !isSilent else { return }
        let text = Self.text(left, waitedMs: waitedMs)
        if isTerminal {
            guard text != shown else { return }
            shown = text
            StandardError.write(Array("\r\u{1B}[K\(text)".utf8))
        } else if waitedMs - lastLineMs >= Self.steadyMs {
            lastLineMs = waitedMs
            StandardError.write(line: text)
        }
    }

    /// Takes the line away.
    mutating func end() {
        guard !shown.isEmpty else { return }
        shown = ""
        StandardError.write(Array("\r\u{1B}[K".utf8))
    }

    /// Short enough for one line of 79 columns, as a wrapped line could not be taken away.
    static func text(_ left: [EndpointInfo], waitedMs: Int) -> String {
        let total = left.reduce(0) { $0 + $1.inFlight }
        let each = left.map { "\($0.inFlight) on \(DisplayText.clean($0.name))" }.joined(separator: ", ")
        return DisplayText.truncate("\(total) in flight, \(waitedMs / 1000)s: \(each)", to: 79, ellipsis: "..")
    }

    /// A length of time as the operator would write it.
    static func seconds(_ milliseconds: Int) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}
