// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// `routerctl watch`: snapshots for programs, one JSON object on each line.
struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print a snapshot of everything again and again, one line of JSON each.",
        discussion: "The fields are those of the subscription's snapshots in routerd-control(7), and a schema number. A person wants routerctl top.")

    /// How much longer than the interval a snapshot may take, milliseconds.
    static let patienceMs = 10_000

    @Option(
        name: .long, help: ArgumentHelp("Between two snapshots, 100ms to 60s; a second without it.", valueName: "time"), transform: Duration.parse)
    var interval: Duration?

    @Option(name: [.long, .customShort("n")], help: ArgumentHelp("End after so many; without it, with the daemon or Ctrl-C.", valueName: "number"))
    var count: Int?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let interval, !(100...60_000).contains(interval.milliseconds) { throw ValidationError("--interval is from 100ms to 60s") }
        if let count, count < 1 { throw ValidationError("--count is at least 1") }
    }

    func run() throws {
        let session = try Session(options)
        let intervalMs = interval?.milliseconds ?? 1000
        let patience = min(session.client.timeoutMs, Self.patienceMs)
        _ = try session.ask { client throws(ControlError) in try client.subscribe(intervalMs: intervalMs) }
        var seen = 0
        while seen < count ?? .max {
            let snapshot = try next(session, within: intervalMs + patience)
            try StandardOutput.write(line: try Output.encode(snapshot, pretty: false))
            seen += 1
        }
    }

    /// The next snapshot, unless the reader of the last one is gone.
    private func next(_ session: Session, within limitMs: Int) throws -> SnapshotInfo {
        let deadline = Clock.nowMs() + limitMs
        while true {
            let left = max(0, deadline - Clock.nowMs())
            let turn = min(StandardOutput.lookMs, left)
            do throws(ControlError) {
                return try session.client.nextSnapshot(timeoutMs: turn)
            } catch {
                guard error == .timedOut, turn < left else { throw Diagnosis.failure(error) }
            }
            try StandardOutput.wait(milliseconds: 0)
        }
    }
}
