// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// `routerctl events`: what the daemon's log has lately.
struct EventsCommand: ParsableCommand {
    enum Level: String, ExpressibleByArgument, CaseIterable {
        case debug, info, notice, warning, error, critical
    }

    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Print what happened lately, the oldest first, and with --follow what happens.",
        discussion: "With --follow and --json each event is a line of JSON. " + ListOptions.describe(table([])))

    /// Milliseconds between two questions to the daemon.
    static let intervalMs = 500

    @Flag(name: [.long, .customShort("f")], help: "Go on until Ctrl-C, or until the daemon ends.")
    var follow = false

    @Option(name: .long, help: ArgumentHelp("Only events at least as serious.", valueName: "level"))
    var level: Level?

    @Option(name: [.long, .customShort("n")], help: ArgumentHelp("At most so many to begin with, the newest.", valueName: "number"))
    var limit: Int?

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("--limit is not below 0") }
        if follow, list.quiet { throw ValidationError("--follow and --quiet exclude each other") }
    }

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let params = EventParams(level: level?.rawValue, limit: limit)
        // Where nothing is to be shown to begin with, the newest one still tells where to go on.
        var events = try session.ask { client throws(ControlError) in
            limit == 0 ? [] : try client.events(params).events
        }
        guard follow else {
            let answer = EventList(events: events)
            let table = Self.table(events)
            return try list.show(answer, table, on: session.output) { page in
                if page.isTerminal { events.forEach { Self.print($0, on: page) } } else { page.table(table) }
            }
        }
        var last = try session.ask { client throws(ControlError) in try client.events(EventParams(limit: 1)).events.last?.sequence } ?? 0
        last = min(last, events.last.map(\.sequence) ?? last)
        var isFirst = true
        while true {
            try write(events, withTitles: isFirst, session.output)
            isFirst = false
            last = max(last, events.last?.sequence ?? 0)
            try StandardOutput.wait(milliseconds: Self.intervalMs)
            events = try session.ask { [last] client throws(ControlError) in
                try client.events(EventParams(after: last, level: level?.rawValue, limit: 1000)).events
            }
        }
    }

    private func write(_ events: [EventInfo], withTitles: Bool, _ output: Output) throws {
        if output.json {
            return try StandardOutput.write(lines: try events.map { try Output.encode($0, pretty: false) })
        }
        let page = Page(width: output.width, style: output.style)
        if page.isTerminal, list.format == nil {
            events.forEach { Self.print($0, on: page) }
        } else {
            let table = try list.format.map { try Self.table(events).choosing($0) } ?? Self.table(events)
            page.table(table)
        }
        let lines = page.isTerminal && list.format == nil ? page.lines[...] : withTitles ? page.lines[...] : page.lines.dropFirst()
        try StandardOutput.write(lines: lines.filter { !$0.isEmpty })
    }

    static func table(_ events: [EventInfo]) -> TextTable {
        var table = TextTable([
            TableColumn("SEQUENCE", right: true, rank: 20),
            TableColumn("TIME", rank: 80),
            TableColumn("LEVEL", rank: 90),
            TableColumn("MESSAGE", minimum: 16, rank: 100),
            TableColumn("FACTS", minimum: 16, rank: 70),
        ])
        table.rows = events.map { event in
            [
                .init("\(event.sequence)", .dim), .init(event.at), .init(event.level, tone(event)), .init(event.message), .init(facts(event), .dim),
            ]
        }
        return table
    }

    /// One event at a terminal: nothing of a log is cut, so long ones go on below.
    static func print(_ event: EventInfo, on page: Page) {
        let facts = facts(event)
        let head = "\(event.at)  \(DisplayText.pad(event.level, to: 8))  "
        let indent = String(repeating: " ", count: min(4, max(0, (page.width ?? 80) - 20)))
        let text = head + event.message + (facts.isEmpty ? "" : "  \(facts)")
        for (index, part) in page.wrapped(text, width: (page.width ?? 80) - indent.count).enumerated() {
            page.line(index == 0 ? part : indent + part, tone(event))
        }
    }

    private static func tone(_ event: EventInfo) -> Tone {
        event.severity >= 4 ? .bad : event.severity == 3 ? .warning : event.severity == 0 ? .dim : .plain
    }

    /// `name=value`, sorted; values with blanks in quotes.
    static func facts(_ event: EventInfo) -> String {
        event.facts.sorted { $0.key < $1.key }.map { name, value in
            value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" })
                ? "\(name)=\"\(value.replacing("\"", with: "\\\""))\"" : "\(name)=\(value)"
        }.joined(separator: " ")
    }
}
