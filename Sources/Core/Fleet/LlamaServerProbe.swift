// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Reads what llama-server answers to polls. Pure; all of it throws `ProbeError.badAnswer` only.
public enum LlamaServerProbe {
    public static let healthPath = "/health"
    public static let modelsPath = "/v1/models"

    /// While its model loads, llama-server answers 503 to everything. Nothing else of it is a 503.
    public static func isLoading(_ error: ProbeError) -> Bool {
        if case .status(503, _) = error { return true }
        return false
    }

    /// Checks `{"status": "ok"}`.
    public static func health(_ answer: [UInt8]) throws(ProbeError) {
        var status: String?
        try ProbeReading.members(of: answer) { cursor, member in
            if cursor.keyMatches(member, "status") { status = cursor.string(member.value) }
        }
        guard let status else { throw .badAnswer("no \"status\" in it") }
        guard status == "ok" else { throw .badAnswer("status is \"\(status)\"") }
    }

    /// `{"data": [{"id", "meta": {...}}]}`. The list of the same answer that is made to look like Ollama's is not read: its sizes
    /// are empty strings.
    ///
    /// A server with one model serves it, so that it counts as loaded. One with several says in `status.value` which are; those that
    /// sleep count, too, as they wake without a load from disk being asked for.
    public static func models(_ answer: [UInt8]) throws(ProbeError) -> (available: [ModelListing], loaded: [LoadedModel]) {
        let entries = try ProbeReading.list("data", of: answer) { cursor, entry, json in
            var listing = ModelListing(name: "", json: json)
            var isLoaded = true
            var members = try cursor.members(of: entry)
            while let member = try members.next() {
                if cursor.keyMatches(member, "id") {
                    listing.name = cursor.string(member.value) ?? ""
                } else if cursor.keyMatches(member, "meta"), member.value.kind == .object {
                    try readMeta(cursor, member.value, into: &listing)
                } else if cursor.keyMatches(member, "status"), member.value.kind == .object {
                    isLoaded = try ["loaded", "sleeping"].contains(statusValue(cursor, member.value))
                }
            }
            if listing.name.isEmpty { throw ProbeReading.MissingMember.named("id") }
            return (listing, isLoaded)
        }
        return (entries.map(\.0), entries.filter(\.1).map { LoadedModel(name: $0.0.name) })
    }

    private static func readMeta(_ cursor: JSONCursor, _ meta: JSONCursor.Value, into listing: inout ModelListing) throws {
        var members = try cursor.members(of: meta)
        while let member = try members.next() {
            if cursor.keyMatches(member, "size") {
                listing.sizeBytes = cursor.integer(member.value)
            } else if cursor.keyMatches(member, "n_params") {
                listing.parameterSize = cursor.integer(member.value).flatMap(parameterSize)
            } else if cursor.keyMatches(member, "ftype") {
                listing.quantization = cursor.string(member.value)
            }
        }
    }

    private static func statusValue(_ cursor: JSONCursor, _ status: JSONCursor.Value) throws -> String {
        var result = ""
        var members = try cursor.members(of: status)
        while let member = try members.next() {
            if cursor.keyMatches(member, "value") { result = cursor.string(member.value) ?? "" }
        }
        return result
    }

    /// A count of parameters as Ollama writes it: `3.2B`, `134.52M`.
    static func parameterSize(_ count: Int) -> String? {
        func decimal(_ hundredths: Int, _ unit: String, digits: Int) -> String {
            let whole = hundredths / 100
            let fraction = hundredths % 100
            if fraction == 0 { return "\(whole)\(unit)" }
            return digits == 1 ? "\(whole).\(fraction / 10)\(unit)" : "\(whole).\(fraction < 10 ? "0" : "")\(fraction)\(unit)"
        }
        switch count {
        case ..<1: return nil
        case ..<1_000: return "\(count)"
        case ..<1_000_000: return "\(count / 1_000)K"
        case ..<1_000_000_000: return decimal((count + 5_000) / 10_000, "M", digits: 2)
        default:
            let tenths = count / 100_000_000 + (count % 100_000_000 >= 50_000_000 ? 1 : 0)
            return decimal(tenths * 10, "B", digits: 1)
        }
    }
}
