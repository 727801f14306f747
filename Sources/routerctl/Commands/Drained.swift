// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// `--wait` and `--timeout`.
struct WaitOptions: ParsableArguments {
    @Flag(name: .long, help: "Return when nothing is in flight there.")
    var wait = false

    @Option(
        name: .long,
        help: ArgumentHelp("How long to wait, such as 500ms, 30s, 5m, 1h; without a unit, seconds. Then exit status 4.", valueName: "time"),
        transform: { text in
            guard let duration = Duration(text) else { throw ValidationError("\"\(text)\" is no length of time; write 500ms, 30s, 5m or 1h") }
            return duration
        })
    var timeout: Duration?

    func validate() throws {
        if timeout != nil, !wait { throw ValidationError("--timeout has a meaning only with --wait") }
    }
}

/// Waits until drained endpoints have finished what they had.
enum Drained {
    /// Milliseconds between two questions to the daemon.
    static let interval = 100

    static func wait(for names: [String], session: Session, timeout: Duration?) throws(Failure) -> EndpointList {
        let start = nowMs()
        var progress = Progress(isTerminal: isatty(STDERR_FILENO) == 1 && !session.output.json)
        defer { progress.end() }
        while true {
            let all = try session.ask { client throws(ControlError) in try client.endpoints() }
            let ours = try check(names, in: all.endpoints)
            let left = ours.filter { $0.inFlight > 0 }
            if left.isEmpty { return EndpointList(endpoints: ours) }
            let waited = nowMs() - start
            if let timeout, waited >= timeout.milliseconds { throw timedOut(left, after: timeout) }
            progress.show(left, waitedMs: waited)
            let pause = timeout.map { min(interval, max(1, $0.milliseconds - waited)) } ?? interval
            usleep(UInt32(pause * 1000))
        }
    }

    /// The endpoints waited for. Someone else may have resumed or removed one meanwhile: then waiting has no end.
    static func check(_ names: [String], in endpoints: [EndpointInfo]) throws(Failure) -> [EndpointInfo] {
        var found: [EndpointInfo] = []
        for name in names {
            guard let endpoint = endpoints.first(where: { $0.name == name }) else {
                throw Failure(status: .notFound, code: "not_found", message: "\(name) is no longer configured")
            }
            if endpoint.state == "up" || endpoint.state == "degraded" {
                throw Failure(status: .failed, code: "refused", message: "\(name) was put back into service while waiting")
            }
            found.append(endpoint)
        }
        return found
    }

    static func timedOut(_ left: [EndpointInfo], after timeout: Duration) -> Failure {
        let list = left.map { "\($0.inFlight) on \($0.name)" }.joined(separator: ", ")
        return Failure(
            status: .timedOut, code: "timed_out", message: "still in flight after \(Progress.seconds(timeout.milliseconds)): \(list)",
            advice: ["Drained they stay: they get nothing new. routerctl resume puts them back into service."])
    }

    private static func nowMs() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}
