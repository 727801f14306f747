// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport

/// A real routerd in front of fake endpoints, every slot of them taken by a stream, a few requests in line, and some that end and begin
/// all the time.
final class BusyFleet {
    static let endpointCount = 50
    static let slots = 10
    static let tokensPerSecond = 4.0
    static let models = (0..<10).map { "llama3.\($0):8b-instruct-q4_K_M" }
    /// All slots, and two in line for each model.
    static let requestCount = endpointCount * slots + 2 * models.count

    let path: String
    let daemon: ChildProcess
    private let folder: TemporaryFolder
    private let endpoints: [FakeEndpoint]
    private let traffic: Traffic

    init() throws {
        endpoints = try (0..<Self.endpointCount).map { index in
            try FakeEndpoint("gpu-\(index)", available: Self.models, loaded: [Self.models[index % Self.models.count]]) { connection, request in
                Self.stream(connection, model: request.string("model") ?? "")
            }
        }
        for endpoint in endpoints { endpoint.keepNoRequests() }
        folder = try TemporaryFolder()
        try folder.write(
            "listen: 127.0.0.1:0\nthreads: 2\ncache_enabled: false\n" + RunningDaemon.entries(endpoints, limit: Self.slots), to: "config.yaml")
        let path = folder.path + "/s"
        self.path = path
        daemon = try ChildProcess(
            try Checkout.binary("routerd"), ["--config", folder.path + "/config.yaml", "--control", path, "--log-level", "error"],
            environment: ["NOMYO_ROUTER_DB_PATH": folder.path + "/db"], output: folder.path + "/log", errors: folder.path + "/log")
        let status = try eventualValue("all endpoints up", within: 60) { () -> StatusInfo? in
            guard let status = try? ControlClient(path: path).status() else { return nil }
            return status.endpoints.filter { $0.state == "up" }.count == Self.endpointCount && !status.listen.isEmpty ? status : nil
        }
        let port = status.listen.first.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
        traffic = try Traffic(port: port, count: Self.requestCount, models: Self.models)
        try eventually("streams run", within: 60) {
            try ControlClient(path: path).requests().requests.count { $0.phase == .streaming } > Self.requestCount * 9 / 10
        }
    }

    func stop() {
        traffic.stop()
        daemon.kill()
        for endpoint in endpoints { endpoint.die() }
    }

    /// An answer of ten seconds to a minute. It does not watch for a client that leaves, as none does: five hundred threads that look
    /// every few milliseconds would be what is measured.
    private static func stream(_ connection: FakeConnection, model: String) {
        let tokens = Int.random(in: 40...240)
        let start = #"{"model":"\#(model)","created_at":"2026-01-02T03:04:05.678901234Z","message":{"role":"assistant","content":""#
        guard connection.startStream() else { return }
        for index in 0..<tokens {
            guard connection.sendChunk(start + " word\(index)\"},\"done\":false}\n") else { return }
            usleep(UInt32(1_000_000 / tokensPerSecond))
        }
        connection.sendChunk(
            start + "\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":5589157167,\"prompt_eval_count\":11,\"eval_count\":\(tokens)}\n")
        connection.sendLastChunk()
    }
}
