// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl status`: the daemon and its fleet on one page.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the daemon, its endpoints and its line on one page.")

    @Flag(name: [.long, .customShort("q")], help: "Print nothing; the exit status tells whether the daemon answers.")
    var quiet = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        let status = try session.ask { client throws(ControlError) in try client.status() }
        if !quiet { try session.output.show(status) { Self.print(status, on: $0) } }
    }

    static func print(_ status: StatusInfo, on page: Page) {
        let up = status.endpoints.count { $0.state == "up" || $0.state == "degraded" }
        let all = status.endpoints.count
        let queue = status.queue
        let oldest = queue.waiting > 0 ? ", the first for \(Quantity.duration(ms: queue.oldestMs))" : ""
        let requests = status.requests
        var facts: [(name: String, value: String, tone: Tone)] = [
            ("Daemon", "routerd \(status.version), process \(status.pid)", .plain),
            ("State", "\(status.state) for \(Quantity.duration(s: status.uptimeS))", status.state == "running" ? .good : .warning),
            ("Listens on", status.listen.joined(separator: ", "), .plain),
            ("Configuration", status.configPath, .plain),
            ("Endpoints", "\(up) of \(all) up", up == all ? .good : up == 0 ? .bad : .warning),
            ("In flight", "\(requests.inFlight)", .plain),
            ("Waiting", "\(queue.waiting) of \(queue.limit)\(oldest)", queue.waiting > 0 ? .warning : .plain),
            (
                "Requests",
                "\(requests.total) have come, \(Quantity.rate(requests.perSecond)) a second: \(requests.completed) completed, "
                    + "\(requests.failed) failed, \(requests.aborted) aborted, \(requests.rejected) rejected, \(requests.open) under way", .plain
            ),
            ("Connections", "\(status.connections)", .plain),
            ("Storage", storage(status.storage), status.storage?.fault.isEmpty ?? true ? .plain : .bad),
            ("Cache", cache(status.cache), status.cache.fault.isEmpty ? .plain : .bad),
        ]
        if let log = status.accessLog { facts.append((name: "Access log", value: accessLog(log), tone: log.fault.isEmpty ? .plain : .bad)) }
        page.facts(facts)
        page.blank()
        page.table(EndpointsCommand.table(status.endpoints))
    }

    private static func cache(_ cache: CacheInfo) -> String {
        guard cache.enabled else { return "off" }
        let rate = cache.hitRate.map { ", \(Int(($0 * 100).rounded()))% hits" } ?? ""
        return "on, \(cache.backend), \(cache.entries) entries\(rate)" + (cache.fault.isEmpty ? "" : ", out of order: \(cache.fault)")
    }

    private static func accessLog(_ log: StatusInfo.AccessLog) -> String {
        let lost = log.lostLines == 0 ? "" : ", \(log.lostLines) lines lost"
        return log.path + (log.fault.isEmpty ? "" : ", cannot be written: \(log.fault)") + lost
    }

    private static func storage(_ storage: StatusInfo.Storage?) -> String {
        guard let storage else { return "unknown" }
        let aside = storage.setAside.isEmpty ? "" : ", a damaged file was set aside: \(storage.setAside)"
        return (storage.fault.isEmpty ? "good" : "token counts are in memory only: \(storage.fault)") + aside
    }
}
