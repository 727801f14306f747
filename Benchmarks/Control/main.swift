// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// What operators cost: `make bench-control`. A real routerd in front of 50 fake endpoints carries 500 streams; its CPU clock is read
// with no subscriber, with one, and with a hundred. Then the CPU that a console takes to read the same snapshots. README.md has the rules.

import Foundation
import Protocol
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

let endpointCount = 50
let requestCount = 500
let subscriberCount = 100
let seconds = CommandLine.arguments.contains("--quick") ? 5.0 : 20.0

/// Nanoseconds that a clock shows.
func read(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The daemon's share of a core, percent, while `seconds` pass.
func share(of pid: pid_t) -> Double {
    var clock = clockid_t()
    clock_getcpuclockid(pid, &clock)
    let (cpu, wall) = (read(clock), read(CLOCK_MONOTONIC))
    usleep(UInt32(seconds * 1_000_000))
    return Double(read(clock) - cpu) / Double(read(CLOCK_MONOTONIC) - wall) * 100
}

/// Many subscribers on one thread, which reads what comes and counts it.
final class Subscribers {
    private let sockets: [Int32]
    private let reader: Thread
    /// Ends the thread by becoming readable.
    private let wakeup: (Int32, Int32)

    init(_ count: Int, _ path: String, deltas: Bool) throws {
        sockets = try (0..<count).map { _ in try Self.connect(path) }
        let call = Array("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"deltas\":\(deltas)}}\n".utf8)
        for socket in sockets { send(socket, call, call.count, 0) }
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        wakeup = (ends[0], ends[1])
        let all = sockets + [ends[0]]
        reader = Thread {
            var polled = all.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            while true {
                poll(&polled, nfds_t(polled.count), -1)
                if polled[polled.count - 1].revents != 0 { return }
                for entry in polled where entry.revents != 0 { _ = recv(entry.fd, &buffer, buffer.count, Int32(MSG_DONTWAIT)) }
            }
        }
        reader.start()
    }

    func stop() {
        write(wakeup.1, "x", 1)
        while !reader.isFinished { usleep(1000) }
        for socket in sockets + [wakeup.0, wakeup.1] { close(socket) }
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw TestFailure("cannot connect to \(path)") }
        return descriptor
    }
}

var limit = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
limit.rlim_cur = limit.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)

let models = (0..<10).map { "llama3.\($0):8b-instruct-q4_K_M" }
let server = FakeModelServer(tokens: 10_000, pace: 0.5)
let endpoints = try (0..<endpointCount).map { index in
    try FakeEndpoint("gpu-\(index)", available: models, loaded: [models[index % 10]], server: server)
}
for endpoint in endpoints { endpoint.keepNoRequests() }
let folder = try TemporaryFolder()
try folder.write("listen: 127.0.0.1:0\nthreads: 2\ncache_enabled: false\n" + RunningDaemon.entries(endpoints, limit: 16), to: "config.yaml")
let path = folder.path + "/s"
let daemon = try ChildProcess(
    try Checkout.binary("routerd"), ["--config", folder.path + "/config.yaml", "--control", path, "--log-level", "error"],
    environment: ["NOMYO_ROUTER_DB_PATH": folder.path + "/db"], output: folder.path + "/log", errors: folder.path + "/log")
let status = try eventualValue("all endpoints up", within: 60) { () -> StatusInfo? in
    guard let status = try? ControlClient(path: path).status() else { return nil }
    return status.endpoints.filter { $0.state == "up" }.count == endpointCount && !status.listen.isEmpty ? status : nil
}
let port = status.listen.first.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
let clients = try (0..<requestCount).map { index in
    let client = try RawClient(port: port)
    let body = #"{"model":"\#(models[index % 10])","messages":[{"role":"user","content":"hello"}]}"#
    try client.send(RawClient.request("POST", "/api/chat", body: body))
    return client
}
try eventually("all streams run", within: 60) {
    try ControlClient(path: path).requests().requests.filter { $0.phase == .streaming }.count == requestCount
}

let none = share(of: daemon.pid)
func cost(_ count: Int, deltas: Bool) throws -> Double {
    let subscribers = try Subscribers(count, path, deltas: deltas)
    defer { subscribers.stop() }
    // The first snapshots, which are whole, are past.
    usleep(1_500_000)
    return share(of: daemon.pid)
}
let one = try cost(1, deltas: true)
let hundred = try cost(subscriberCount, deltas: true)
let whole = try cost(subscriberCount, deltas: false)

let client = try ControlClient(path: path)
_ = try client.subscribe(intervalMs: 500)
_ = try client.nextSnapshot(timeoutMs: 5000)
let (cpu, wall) = (read(CLOCK_THREAD_CPUTIME_ID), read(CLOCK_MONOTONIC))
var frames = 0
while Double(read(CLOCK_MONOTONIC) - wall) < seconds * 1e9 {
    guard try client.nextSnapshot(timeoutMs: 5000).requests.count == requestCount else { throw TestFailure("requests are missing") }
    frames += 1
}
let reading = Double(read(CLOCK_THREAD_CPUTIME_ID) - cpu) / Double(read(CLOCK_MONOTONIC) - wall) * 100

func row(_ text: String, _ percent: Double, _ bar: String = "") -> String { "| \(text) | \(String(format: "%.2f", percent)) | \(bar) |\n" }
func verdict(_ isMet: Bool, _ bar: String) -> String { "\(bar): \(isMet ? "met" : "MISSED")" }
var table = "| share of a core, % | | bar |\n| --- | ---: | --- |\n"
table += row("routerd, no subscriber, \(requestCount) streams of 2 tokens/s", none)
table += row("one subscriber adds", one - none)
table += row("\(subscriberCount) subscribers add", hundred - none, verdict(hundred - none < 5, "below 5"))
table += row("\(subscriberCount) subscribers to whole snapshots add", whole - none)
table += row("a console's reading, \(String(format: "%.1f", Double(frames) / seconds)) snapshots/s", reading, verdict(reading < 1, "below 1"))
print(table)
if CommandLine.arguments.contains("--record") {
    let file = Checkout.root + "/Benchmarks/RESULTS.md"
    let date = Date().formatted(.iso8601.year().month().day().time(includingFractionalSeconds: false).dateTimeSeparator(.space))
    let title =
        "\n## Control socket, \(date) UTC\n\n\(endpointCount) endpoints, \(requestCount) requests, interval 500 ms, \(Int(seconds)) s for each row\n\n"
    try (String(contentsOfFile: file, encoding: .utf8) + title + table).write(toFile: file, atomically: true, encoding: .utf8)
}
daemon.kill()
for client in clients { client.close() }
for endpoint in endpoints { endpoint.die() }
exit(hundred - none < 5 && reading < 1 ? 0 : 1)
