// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// What operators cost: `make bench-control`. A real routerd in front of 50 fake endpoints carries some 500 requests; its CPU clock is read
// with no subscriber, with one, and with a hundred. Then that of the real console, in each of its views. README.md has the rules.

import Foundation
import Protocol
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

let arguments = CommandLine.arguments.dropFirst()
let isQuick = arguments.contains("--quick")
let isRecorded = arguments.contains("--record")
/// `--console`: the consoles alone; `--view NAME`: one of them.
let onlyConsole = arguments.contains("--console") || arguments.contains("--view")
let onlyView = arguments.firstIndex(of: "--view").flatMap { $0 + 1 < CommandLine.arguments.count ? CommandLine.arguments[$0 + 1] : nil }
let seconds = isQuick ? 5.0 : 30.0
let subscriberCount = 100

/// Nanoseconds that a clock shows.
func read(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A process's share of a core in percent, user and system, while the body waits.
func share(of pid: pid_t, _ wait: () -> Void) -> Double {
    var clock = clockid_t()
    clock_getcpuclockid(pid, &clock)
    let (cpu, wall) = (read(clock), read(CLOCK_MONOTONIC))
    wait()
    return Double(read(clock) - cpu) / Double(read(CLOCK_MONOTONIC) - wall) * 100
}

/// What is printed: a row for each measurement, and whether its bar was met.
struct CostTable {
    private(set) var text = "| share of a core, % | | bar |\n| --- | ---: | --- |\n"
    private(set) var isMissed = false

    /// - Parameter bar: the percentage that it has to stay below.
    mutating func add(_ name: String, _ percent: Double, below bar: Double? = nil) {
        let isMet = bar.map { percent < $0 } ?? true
        let verdict = bar.map { "below \(String(format: "%g", $0)): \(isMet ? "met" : "MISSED")" } ?? ""
        text += "| \(name) | \(String(format: "%.2f", percent)) | \(verdict) |\n"
        if !isMet { isMissed = true }
    }
}

var limit = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
limit.rlim_cur = limit.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)

let fleet = try BusyFleet()

@MainActor func measureSubscribers(_ table: inout CostTable) throws {
    func cost(_ count: Int, deltas: Bool) throws -> Double {
        let subscribers = try Subscribers(count, fleet.path, deltas: deltas)
        defer { subscribers.stop() }
        // The first snapshots, which are whole, are past.
        usleep(1_500_000)
        return share(of: fleet.daemon.pid) { usleep(UInt32(seconds * 1_000_000)) }
    }
    let none = share(of: fleet.daemon.pid) { usleep(UInt32(seconds * 1_000_000)) }
    table.add("routerd, no subscriber, \(Int(Double(BusyFleet.requestCount) * BusyFleet.tokensPerSecond)) tokens/s", none)
    table.add("one subscriber adds", try cost(1, deltas: true) - none)
    table.add("\(subscriberCount) subscribers add", try cost(subscriberCount, deltas: true) - none, below: 5)
    table.add("\(subscriberCount) subscribers to whole snapshots add", try cost(subscriberCount, deltas: false) - none)
}

@MainActor func measureConsoles(_ table: inout CostTable) throws {
    let program = try Checkout.binary("routerctl")
    for view in ["endpoints", "models", "requests", "queue", "cache", "tokens", "events"] where onlyView == nil || onlyView == view {
        let console = try TerminalRun([program, "top", "--socket", fleet.path, "--view", view], columns: 200, rows: 60)
        // Its start is past.
        _ = console.read(seconds: 3)
        var bytes = 0
        let used = share(of: console.pid) { bytes = console.read(seconds: seconds) }
        try console.leave(with: "q")
        table.add("console at 200x60, \(view), \(String(format: "%.1f", Double(bytes) / seconds / 1000)) kB/s to the terminal", used, below: 1)
    }
}

var table = CostTable()
do {
    if !onlyConsole { try measureSubscribers(&table) }
    try measureConsoles(&table)
    fleet.stop()
} catch {
    fleet.stop()
    FileHandle.standardError.write(Data("bench-control: \(error)\n".utf8))
    exit(1)
}

print(table.text)
if isRecorded {
    let file = Checkout.root + "/Benchmarks/RESULTS.md"
    let date = Date().formatted(.iso8601.year().month().day().time(includingFractionalSeconds: false).dateTimeSeparator(.space))
    let title = """

        ## Control socket and console, \(date) UTC, `make bench-control BENCH=--record`

        \(BusyFleet.endpointCount) endpoints, \(BusyFleet.requestCount) requests of which some end and begin all the time, interval 500 ms, \
        \(Int(seconds)) s for each row


        """
    try (String(contentsOfFile: file, encoding: .utf8) + title + table.text).write(toFile: file, atomically: true, encoding: .utf8)
}
exit(table.isMissed ? 1 : 0)
