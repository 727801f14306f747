// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl cache stats|get|invalidate`
struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "See, look into and clear the kept answers.",
        subcommands: [CacheStatsCommand.self, CacheGetCommand.self, CacheInvalidateCommand.self])

    @OptionGroup var options: GlobalOptions

    func run() throws {
        throw Failure(
            status: .usage, code: "usage", message: "a command is missing: stats, get or invalidate", advice: ["See routerctl cache --help"])
    }
}

struct CacheStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what the cache holds, and what it has saved.",
        discussion: "--format and --quiet list the namespaces alone. " + ListOptions.describe(table([])))

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let info = try session.ask { client throws(ControlError) in try client.cacheStats() }
        try list.show(info, Self.table(info.namespaces), on: session.output) { Self.print(info, on: $0) }
    }

    static func print(_ info: CacheInfo, on page: Page) {
        guard info.enabled else { return page.facts([("Cache", "off", .plain)]) }
        let rates = info.hitRates.map { "\(percent($0.rate)) over \($0.minutes) min" } + ["\(percent(info.hitRate)) since the start"]
        page.facts([
            ("Cache", "on, \(info.backend)", .plain),
            ("State", info.fault.isEmpty ? "good" : "requests go on without it: \(info.fault)", info.fault.isEmpty ? .good : .bad),
            ("By meaning", meaning(info), info.semanticFault.isEmpty ? .plain : .bad),
            ("Entries", "\(info.entries), \(Quantity.bytes(info.bytes))", .plain),
            ("Oldest", info.oldestS.map { Quantity.duration(s: Double($0)) } ?? "none", .plain),
            ("Hit rate", rates.joined(separator: ", "), .plain),
            ("Hits", "\(info.hits): \(info.exactHits) exact, \(info.semanticHits) by meaning, \(info.shared) shared in flight", .plain),
            ("Misses", "\(info.misses)", .plain),
            ("Bypasses", counts(info.bypasses), .plain),
            ("Not kept", counts(info.notKept), .plain),
            ("Saved", "\(info.tokensSaved) tokens, \(Quantity.duration(s: info.secondsSaved)) of generating", .plain),
        ])
        guard !info.namespaces.isEmpty else { return }
        page.blank()
        page.table(table(info.namespaces))
    }

    static func table(_ namespaces: [CacheInfo.Namespace]) -> TextTable {
        var table = TextTable(
            [
                TableColumn("NAMESPACE", minimum: 20, rank: 100),
                TableColumn("TENANT", rank: 50, hidesWhenEmpty: true),
                TableColumn("ENTRIES", right: true, rank: 90),
                TableColumn("SIZE", right: true, rank: 80),
            ], more: ["MODEL"])
        table.rows = namespaces.map {
            [.init($0.name), .init($0.tenant), .init("\($0.entries)"), .init(Quantity.bytes($0.bytes)), .init($0.model)]
        }
        return table
    }

    private static func meaning(_ info: CacheInfo) -> String {
        guard info.semantic else { return "off" }
        guard info.semanticFault.isEmpty else { return "equal requests only: \(info.semanticFault)" }
        return "\(info.vectors) questions; told apart: \(counts(info.guarded))"
    }

    private static func percent(_ rate: Double?) -> String { rate.map { "\(Int(($0 * 100).rounded()))%" } ?? "-" }

    private static func counts(_ counts: [String: Int]) -> String {
        counts.isEmpty ? "0" : counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }
}

struct CacheGetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print a kept answer, by the key that X-Cache-Key tells.",
        discussion: "Answers are other people's words: whoever may only read the daemon's state may not see them.")

    @Argument(help: "The entry's key, or its beginning.") var key: String

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        let info = try session.ask { [key] client throws(ControlError) in try client.cachedAnswer(key) }
        try session.output.show(info) { $0.line(info.answer) }
    }
}

struct CacheInvalidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invalidate", abstract: "Remove kept answers: those that fit all that is given.",
        discussion: "With --dry-run it only counts. Everything goes with --all, after a question.")

    @Option(name: .long, help: "Answers of this model.", completion: Completions.models) var model: String?
    @Option(name: .long, help: ArgumentHelp("A namespace as cache stats names it, or its beginning.", valueName: "name")) var namespace: String?
    @Option(name: .long, help: "A tenant as cache stats names it; \"\" for requests without a key.") var tenant: String?
    @Option(name: .long, help: "One answer, by its key or the key's beginning.") var key: String?
    @Option(
        name: .customLong("older-than"),
        help: ArgumentHelp("Answers at least this old, such as 30s, 5m, 1h; without a unit, seconds.", valueName: "time"),
        transform: Duration.parse)
    var olderThan: Duration?
    @Flag(name: .long, help: "Every kept answer.") var all = false
    @Flag(name: .customLong("dry-run"), help: "Count them, and remove none.") var dryRun = false

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        let isFiltered = model != nil || namespace != nil || tenant != nil || key != nil || olderThan != nil
        if !isFiltered, !all { throw ValidationError("say what: --model, --namespace, --tenant, --key, --older-than, or --all for everything") }
        if isFiltered, all { throw ValidationError("--all and a filter exclude each other") }
    }

    func run() throws {
        let session = try Session(options)
        var params = CacheInvalidateParams()
        params.model = model
        params.namespace = namespace
        params.tenant = tenant
        params.key = key
        params.olderThanS = olderThan.map { Double($0.milliseconds) / 1000 }
        params.dryRun = dryRun
        if all, !dryRun { try Confirmation.require("Remove every kept answer", yes: change.yes) }
        let result = try session.ask { [params] client throws(ControlError) in try client.cacheInvalidate(params) }
        try change.show(result, on: session.output) { Self.print(result, on: $0) }
    }

    static func print(_ result: CacheInvalidated, on page: Page) {
        guard page.isTerminal else { return page.line(["cleared", "\(result.cleared)"], separator: "\t") }
        guard result.enabled else { return page.line("The cache is off: there was nothing to remove.") }
        let what = "\(result.cleared) kept answer\(result.cleared == 1 ? "" : "s")"
        page.line(result.dryRun ? "Would remove \(what)." : "Removed \(what).")
    }
}
