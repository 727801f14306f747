// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Waits until drained endpoints have finished what they had.
enum Drained {
    /// Milliseconds between two questions to the daemon.
    static let interval = 100

    static func wait(for names: [String], session: Session, options: WaitOptions, isQuiet: Bool) throws(Failure) -> EndpointList {
        let start = Clock.nowMs()
        var progress = Progress(isTerminal: isatty(STDERR_FILENO) == 1, isSilent: session.output.json || isQuiet)
        defer { progress.end() }
        var isCancelled = false
        while true {
            let all = try session.ask { client throws(ControlError) in try client.endpoints() }
            let ours = try check(names, in: all.endpoints)
            let left = ours.filter { $0.inFlight > 0 }
            if left.isEmpty { return EndpointList(endpoints: ours) }
            let waited = Clock.nowMs() - start
            if let patience = options.cancelAfter, !isCancelled, waited >= patience.milliseconds {
                try cancelAll(on: Set(names), session)
                isCancelled = true
                continue
            }
            if let timeout = options.timeout, waited >= timeout.milliseconds { throw timedOut(left, after: timeout) }
            progress.show(left, waitedMs: waited)
            let next = [options.timeout, isCancelled ? nil : options.cancelAfter].compactMap { $0.map { max(1, $0.milliseconds - waited) } }
            usleep(UInt32(min(interval, next.min() ?? interval) * 1000))
        }
    }

    /// One that has ended by itself meanwhile is just as well.
    private static func cancelAll(on names: Set<String>, _ session: Session) throws(Failure) {
        let requests = try session.ask { client throws(ControlError) in try client.requests() }.requests
        for request in requests where names.contains(request.endpoint) {
            do {
                _ = try session.ask { client throws(ControlError) in try client.cancel(request.id) }
            } catch  where error.status != .notFound {
                throw error
            } catch {}
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
}
