// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol

/// A real `routerd` in a folder of its own, on a free port.
public final class RunningDaemon: Sendable {
    public let folder: TemporaryFolder
    public let port: Int
    public let process: ChildProcess
    private let preamble: String

    public var socketPath: String { folder.path + "/s" }
    public var configPath: String { folder.path + "/config.yaml" }
    public var log: String { folder.read("log") }

    /// What every configuration here begins with: a free port, and polls in quick succession.
    public static let preamble = """
        listen: 127.0.0.1:0
        threads: 2
        poll_interval: 200ms
        poll_models_interval: 500ms
        poll_max_backoff: 400ms

        """

    /// - Parameters:
    ///   - config: the rest of the configuration.
    ///   - up: waits until so many endpoints are up.
    ///   - fileBlocks: no file of the daemon may have more blocks of 512 bytes, as on a full disk.
    ///   - hosts: a file that stands in the place of /etc/hosts for this daemon: it runs in a mount namespace of its own.
    ///   - preamble: what the configuration begins with.
    public init(
        _ config: String, up: Int = 1, environment: [String: String] = [:], fileBlocks: Int? = nil, hosts: String? = nil,
        preamble: String = RunningDaemon.preamble
    ) throws {
        self.preamble = preamble
        folder = try TemporaryFolder()
        try folder.write(preamble + config, to: "config.yaml")
        let socket = folder.path + "/s"
        let log = folder.path + "/log"
        let command = try [Checkout.binary("routerd"), "--config", folder.path + "/config.yaml", "--control", socket, "--log-level", "debug"]
        var limited = fileBlocks.map { ["/bin/sh", "-c", "ulimit -f \($0); exec \"$0\" \"$@\""] + command } ?? command
        if let hosts { limited = MountNamespace.command(limited, hosts: hosts) }
        let process = try ChildProcess(
            limited[0], Array(limited.dropFirst()),
            environment: ["NOMYO_ROUTER_DB_PATH": folder.path + "/tokens.db"].merging(environment) { $1 }, output: log, errors: log)
        self.process = process
        do {
            let status = try eventualValue("a daemon that answers, with \(up) endpoints up", within: 30) { () -> StatusInfo? in
                if let status = process.exitStatus { throw TestFailure("routerd ended with status \(status)") }
                guard let client = try? ControlClient(path: socket, timeoutMs: 2000), let status = try? client.status() else { return nil }
                return !status.listen.isEmpty && status.endpoints.filter { $0.state == "up" }.count >= up ? status : nil
            }
            port = status.listen.first.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
        } catch {
            process.kill()
            throw TestFailure("\(error)\n--- log of routerd:\n\(folder.read("log"))")
        }
    }

    /// A daemon in front of these endpoints, each of them up.
    public convenience init(_ endpoints: [FakeEndpoint], limit: Int? = nil, _ config: String = "") throws {
        try self.init(Self.entries(endpoints, limit: limit) + config, up: endpoints.count)
    }

    /// The two lists of a configuration.
    public static func entries(_ endpoints: [FakeEndpoint], limit: Int? = nil) -> String {
        var text = ""
        for (key, isLlamaServer) in [("endpoints", false), ("llama_server_endpoints", true)] {
            let entries = endpoints.filter { ($0.kind == .llamaServer) == isLlamaServer }.map { $0.entry(limit: limit) }
            if !entries.isEmpty { text += "\(key):\n" + entries.joined() }
        }
        return text
    }

    public func control() throws -> ControlClient { try ControlClient(path: socketPath) }
    public func status() throws -> StatusInfo { try control().status() }

    public func endpoint(_ name: String) throws -> EndpointInfo {
        guard let found = try status().endpoints.first(where: { $0.name == name }) else { throw TestFailure("no endpoint '\(name)'") }
        return found
    }

    public func client(receiveBuffer: Int? = nil) throws -> RawClient { try RawClient(port: port, receiveBuffer: receiveBuffer) }

    /// Replaces the configuration file; nothing happens before a reload.
    public func rewriteConfig(_ config: String) throws { try folder.write(preamble + config, to: "config.yaml") }

    /// Runs the real `routerctl` against this daemon.
    public func routerctl(_ arguments: String..., within seconds: Double = 60) throws -> (status: Int32, output: String, errors: String) {
        try ChildProcess.run(Checkout.binary("routerctl"), ["--socket", socketPath] + arguments, within: seconds)
    }

    /// Waits until no lease is held and nobody waits: what must hold after any traffic.
    ///
    /// - Returns: the status that showed it.
    @discardableResult
    public func waitUntilIdle(within seconds: Double = 20) throws -> StatusInfo {
        var last: StatusInfo?
        do {
            return try eventualValue("all counters at zero", within: seconds) { () -> StatusInfo? in
                let status = try self.status()
                last = status
                let isIdle =
                    status.requests.inFlight == 0 && status.requests.waiting == 0 && status.queue.waiting == 0
                    && status.endpoints.allSatisfy { $0.inFlight == 0 && $0.waiting == 0 && $0.inFlightByModel.values.allSatisfy { $0 == 0 } }
                return try isIdle && self.control().requests().requests.isEmpty ? status : nil
            }
        } catch {
            throw TestFailure("\(error)\n\(last.map { "\($0.requests) \($0.endpoints.map { "\($0.name): \($0.inFlightByModel)" })" } ?? "")")
        }
    }

    /// Resident memory, bytes.
    public func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { throw TestFailure("no VmRSS") }
        return kilobytes * 1024
    }

    /// Whether resident memory has grown by less than that, bytes; by less than five times as much under a sanitizer, which marks all memory
    /// and keeps what was freed.
    public func hasGrown(from before: Int, byLessThan limit: Int) throws -> Bool {
        try residentBytes() - before < (Checkout.isSanitized ? 5 * limit : limit)
    }

    /// SIGTERM, and its exit status.
    public func stop(within seconds: Double = 40) throws -> Int32 {
        process.signal(SIGTERM)
        return try process.waitForExit(within: seconds)
    }

    /// Runs a test's body, and shows the daemon's log if it throws. Afterwards the daemon must be idle and stop in order.
    public static func run(
        _ config: String, up: Int = 1, hosts: String? = nil, preamble: String = RunningDaemon.preamble, _ body: (RunningDaemon) throws -> Void
    ) throws {
        try RunningDaemon(config, up: up, hosts: hosts, preamble: preamble).finish(body)
    }

    public static func run(
        _ endpoints: [FakeEndpoint], limit: Int? = nil, _ config: String = "", preamble: String = RunningDaemon.preamble,
        _ body: (RunningDaemon) throws -> Void
    ) throws {
        try RunningDaemon(entries(endpoints, limit: limit) + config, up: endpoints.count, preamble: preamble).finish(body)
    }

    private func finish(_ body: (RunningDaemon) throws -> Void) throws {
        do {
            try body(self)
            try waitUntilIdle()
            let status = try stop()
            guard status == 0 else { throw TestFailure("routerd ended with status \(status)") }
            guard !FileManager.default.fileExists(atPath: socketPath) else { throw TestFailure("routerd left its socket behind") }
        } catch {
            let ending = process.exitStatus.map { "routerd had ended with status \($0)" } ?? "routerd was running"
            process.kill()
            throw TestFailure("\(error)\n--- \(ending); its log:\n\(log.suffix(6000))")
        }
    }
}
