// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// As `SnapshotFields`, for the parts that there is one of.

extension CacheInfo.HitRate: WireRow {
    static let fields: [WireField<CacheInfo.HitRate>] = [
        WireField("minutes", \.minutes), WireField("rate", \.rate), WireField("requests", \.requests),
    ]

    static let blank = CacheInfo.HitRate(minutes: 0, requests: 0, rate: nil)
}

extension CacheInfo.Namespace: WireRow {
    static let fields: [WireField<CacheInfo.Namespace>] = [
        WireField("bytes", \.bytes), WireField("entries", \.entries), WireField("model", \.model), WireField("name", \.name),
        WireField("tenant", \.tenant),
    ]

    static let blank = CacheInfo.Namespace(name: "", model: "", tenant: "", entries: 0, bytes: 0)
}

extension CacheInfo: WireRow {
    static let fields: [WireField<CacheInfo>] = [
        WireField("backend", \.backend), WireField("bypasses", \.bypasses), WireField("bytes", \.bytes), WireField("enabled", \.enabled),
        WireField("entries", \.entries), WireField("exact_hits", \.exactHits), WireField("fault", \.fault), WireField("guarded", \.guarded),
        WireField("hit_rates", \.hitRates), WireField("misses", \.misses), WireField("namespaces", \.namespaces),
        WireField("not_kept", \.notKept), WireField("oldest_s", \.oldestS), WireField("schema", \.schema),
        WireField("seconds_saved", \.secondsSaved), WireField("semantic", \.semantic), WireField("semantic_fault", \.semanticFault),
        WireField("semantic_hits", \.semanticHits), WireField("shared", \.shared), WireField("tokens_saved", \.tokensSaved),
        WireField("vectors", \.vectors),
    ]

    static let blank = CacheInfo()
}

extension StatusInfo.Queue: WireRow {
    static let fields: [WireField<StatusInfo.Queue>] = [
        WireField("limit", \.limit), WireField("oldest_ms", \.oldestMs), WireField("timeout_s", \.timeoutS), WireField("waiting", \.waiting),
    ]

    static let blank = StatusInfo.Queue(waiting: 0, oldestMs: 0, limit: 0, timeoutS: 0)
}

extension StatusInfo.Requests: WireRow {
    static let fields: [WireField<StatusInfo.Requests>] = [
        WireField("aborted", \.aborted), WireField("completed", \.completed), WireField("failed", \.failed), WireField("in_flight", \.inFlight),
        WireField("per_second", \.perSecond), WireField("rejected", \.rejected), WireField("total", \.total), WireField("waiting", \.waiting),
    ]

    static let blank = StatusInfo.Requests(inFlight: 0, waiting: 0, total: 0, completed: 0, failed: 0, aborted: 0, rejected: 0)
}

extension StatusInfo.Storage: WireRow {
    static let fields: [WireField<StatusInfo.Storage>] = [WireField("fault", \.fault), WireField("set_aside", \.setAside)]

    static let blank = StatusInfo.Storage(fault: "", setAside: "")
}

extension StatusInfo.AccessLog: WireRow {
    static let fields: [WireField<StatusInfo.AccessLog>] = [
        WireField("fault", \.fault), WireField("lost_lines", \.lostLines), WireField("path", \.path),
    ]

    static let blank = StatusInfo.AccessLog(path: "", fault: "", lostLines: 0)
}

extension StatusInfo: WireRow {
    static let fields: [WireField<StatusInfo>] = [
        WireField("access_log", \.accessLog), WireField("cache", \.cache), WireField("config_path", \.configPath),
        WireField("connections", \.connections),
        WireField("endpoints", \.endpoints), WireField("listen", \.listen), WireField("pid", \.pid), WireField("queue", \.queue),
        WireField("requests", \.requests), WireField("schema", \.schema), WireField("state", \.state), WireField("storage", \.storage),
        WireField("uptime_s", \.uptimeS), WireField("version", \.version),
    ]

    static let blank = StatusInfo(
        version: "", pid: 0, uptimeS: 0, state: "", listen: [], configPath: "", connections: 0, endpoints: [], queue: .blank, requests: .blank,
        cache: .blank)
}

extension SnapshotInfo: WireRow {
    static let fields: [WireField<SnapshotInfo>] = [
        WireField("at_ms", \.atMs), WireField("events", \.events), WireField("models", \.models), WireField("queue", \.queue),
        WireField("requests", \.requests), WireField("schema", \.schema), WireField("sequence", \.sequence), WireField("status", \.status),
    ]

    static let blank = SnapshotInfo(sequence: 0, atMs: 0, status: .blank, requests: [])
}
