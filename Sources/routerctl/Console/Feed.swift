// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// The console's way to the daemon: a subscription that comes back by itself, and changes, each on a thread of its own.
struct Feed: Sendable {
    /// Between snapshots, milliseconds.
    static let intervalMs = 500
    /// A daemon silent for so long is taken for gone, milliseconds.
    static let silenceMs = 5000
    /// Between two attempts to connect, milliseconds.
    static let retryMs = 500

    let path: String
    let mailbox: Mailbox
    /// Turns a failed call into words.
    let describe: @Sendable (ControlError) -> String

    /// Starts the subscription; it ends with the program.
    func start() {
        Background.run { [self] in
            while true {
                do throws(ControlError) {
                    let client = try ControlClient(path: path, timeoutMs: Self.silenceMs)
                    _ = try client.subscribe(intervalMs: Self.intervalMs)
                    while true { mailbox.post(.snapshot(try client.nextSnapshot(timeoutMs: Self.silenceMs))) }
                } catch {
                    mailbox.post(.lost(describe(error)))
                }
                usleep(UInt32(Self.retryMs * 1000))
            }
        }
    }

    /// Asks for a change; the answer comes as an event.
    func ask(_ change: Change, endpoint: String) {
        Background.run { [self] in
            mailbox.post(.answered(change, endpoint: endpoint, answer: answer(change, endpoint)))
        }
    }

    private func answer(_ change: Change, _ endpoint: String) -> Result<EndpointInfo, AnswerFailure> {
        do throws(ControlError) {
            let client = try ControlClient(path: path, timeoutMs: Self.silenceMs)
            let list =
                switch change {
                case .drain: try client.drain(endpoint)
                case .maintenance: try client.maintenance(endpoint)
                case .resume: try client.resume(endpoint)
                }
            guard let info = list.endpoints.first else { return .failure(AnswerFailure("routerd named no endpoint")) }
            return .success(info)
        } catch {
            return .failure(AnswerFailure(describe(error)))
        }
    }
}
