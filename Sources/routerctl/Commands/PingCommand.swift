// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Answer of `routerctl ping --json`.
struct PingInfo: Encodable {
    var schema = ProductVersion.schema
    var path: String
    /// Of the daemon.
    var version: String
    /// Round trips in the order in which they were made, milliseconds.
    var timesMs: [Double]

    var minMs: Double { timesMs.min() ?? 0 }
    var maxMs: Double { timesMs.max() ?? 0 }
    var meanMs: Double { timesMs.isEmpty ? 0 : timesMs.reduce(0, +) / Double(timesMs.count) }

    private enum Keys: String, CodingKey {
        case schema, path, version, timesMs, minMs, meanMs, maxMs
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(schema, forKey: .schema)
        try container.encode(path, forKey: .path)
        try container.encode(version, forKey: .version)
        try container.encode(timesMs, forKey: .timesMs)
        try container.encode(minMs, forKey: .minMs)
        try container.encode(meanMs, forKey: .meanMs)
        try container.encode(maxMs, forKey: .maxMs)
    }
}

/// `routerctl ping`: whether the daemon answers, and how fast.
struct PingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Ask the daemon for a sign of life, and tell how long it took.")

    @Option(name: [.long, .customShort("n")], help: ArgumentHelp("How often; once without it.", valueName: "number"))
    var count = 1

    @Option(name: .long, help: ArgumentHelp("Between two, such as 200ms; a second without it.", valueName: "time"), transform: Duration.parse)
    var interval: Duration?

    @Flag(name: [.long, .customShort("q")], help: "Print nothing; the exit status tells.")
    var quiet = false

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if count < 1 { throw ValidationError("--count is at least 1") }
    }

    func run() throws {
        let session = try Session(options)
        var info = PingInfo(path: session.path, version: "", timesMs: [])
        for round in 1...count {
            if round > 1 { try StandardOutput.wait(milliseconds: interval?.milliseconds ?? 1000) }
            let start = Clock.nowUs()
            info.version = try session.ask { client throws(ControlError) in try client.hello() }.version
            // Thousandths: more than that is noise.
            info.timesMs.append(Double(Clock.nowUs() - start) / 1000)
            if !quiet, !options.json { try session.output.show(info) { Self.print(info, round: round, on: $0) } }
        }
        if options.json, !quiet { try session.output.show(info) { _ in } }
        if count > 1, !quiet, !options.json, session.output.width != nil {
            let page = Page(width: session.output.width, style: session.output.style)
            page.line("\(count) times: least \(Self.text(info.minMs)), mean \(Self.text(info.meanMs)), most \(Self.text(info.maxMs))")
            try StandardOutput.write(lines: page.lines)
        }
    }

    static func print(_ info: PingInfo, round: Int, on page: Page) {
        let time = info.timesMs.last ?? 0
        guard page.isTerminal else { return page.line(["\(round)", rounded(time)], separator: "\t") }
        page.line("routerd \(info.version) at \(info.path): \(text(time))")
    }

    private static func text(_ milliseconds: Double) -> String { "\(rounded(milliseconds)) ms" }

    private static func rounded(_ milliseconds: Double) -> String { "\((milliseconds * 100).rounded() / 100)" }
}
