// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads what llama-server answers to polls. Pure; all of it throws `ProbeError.badAnswer` only.
public enum LlamaServerProbe {
    public static let healthPath = "/health"
    public static let modelsPath = "/v1/models"

    /// Where a loaded model tells of itself. A server with one model ignores the name; one with several must not load the model
    /// for the question's sake.
    public static func propsPath(_ model: String) -> String { "/props?model=\(PercentEncoding.encode(model))&autoload=false" }
    /// Where it tells of its slots. Asked only of a model that does not sleep: the question would wake it.
    public static func slotsPath(_ model: String) -> String { "/slots?model=\(PercentEncoding.encode(model))" }

    /// While its model loads, llama-server answers 503 to everything. Nothing else of it is a 503.
    public static func isLoading(_ error: ProbeError) -> Bool {
        if case .status(503, _, _) = error { return true }
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

    /// `{"data": [{"id", "meta": {...}, "status": ...}]}`. The list of the same answer that is made to look like Ollama's is not
    /// read: its sizes are empty strings.
    ///
    /// A server with one model serves it, so that it counts as loaded. One with several says in `status`, an object with `value` or
    /// the text alone, which are; those that sleep count, too, as they wake without a load from disk being asked for.
    public static func models(_ answer: [UInt8]) throws(ProbeError) -> (available: [ModelListing], loaded: [LoadedModel]) {
        let entries = try ProbeReading.list("data", of: answer) { cursor, entry, json in
            var listing = ModelListing(name: "", json: json)
            var status: String?
            var context: Int?
            var members = try cursor.members(of: entry)
            while let member = try members.next() {
                listing.aliases += try ProbeReading.aliases(cursor, member)
                if cursor.keyMatches(member, "id") {
                    listing.name = cursor.string(member.value) ?? ""
                } else if cursor.keyMatches(member, "created") {
                    listing.modifiedAt = cursor.integer(member.value)
                } else if cursor.keyMatches(member, "meta"), member.value.kind == .object {
                    try readMeta(cursor, member.value, into: &listing, context: &context)
                } else if cursor.keyMatches(member, "status") {
                    status = try member.value.kind == .object ? statusValue(cursor, member.value) : cursor.string(member.value)
                }
            }
            if listing.name.isEmpty { throw ProbeReading.MissingMember.named("id") }
            var loaded: LoadedModel?
            if status.map({ ["loaded", "sleeping"].contains($0) }) ?? true {
                loaded = LoadedModel(name: listing.name)
                loaded?.contextLength = context
                loaded?.isSleeping = status == "sleeping"
            }
            return (listing, loaded)
        }
        return (entries.map(\.0), entries.compactMap(\.1))
    }

    /// What `/props` tells of a loaded model.
    public struct Props: Sendable, Equatable {
        public var slots: Int?
        public var contextLength: Int?
        public var isSleeping = false
        public var build = ""
    }

    /// `{"total_slots", "default_generation_settings": {"n_ctx"}, "is_sleeping", "build_info"}`
    public static func props(_ answer: [UInt8]) throws(ProbeError) -> Props {
        var props = Props()
        try ProbeReading.members(of: answer) { cursor, member in
            if cursor.keyMatches(member, "total_slots") {
                props.slots = cursor.integer(member.value).flatMap { $0 > 0 ? $0 : nil }
            } else if cursor.keyMatches(member, "is_sleeping") {
                props.isSleeping = cursor.bool(member.value) ?? false
            } else if cursor.keyMatches(member, "build_info") {
                props.build = cursor.string(member.value) ?? ""
            } else if cursor.keyMatches(member, "default_generation_settings"), member.value.kind == .object {
                var inner = try cursor.members(of: member.value)
                while let member = try inner.next() {
                    if cursor.keyMatches(member, "n_ctx") { props.contextLength = cursor.integer(member.value).flatMap { $0 > 0 ? $0 : nil } }
                }
            }
        }
        return props
    }

    /// `[{"id": 0, ...}, ...]`: as many slots as there are entries.
    public static func slots(_ answer: [UInt8]) throws(ProbeError) -> Int {
        guard let slots = try? JSONValue(parsing: answer).array, !slots.isEmpty else { throw .badAnswer("no list of slots") }
        return slots.count
    }

    private static func readMeta(_ cursor: JSONCursor, _ meta: JSONCursor.Value, into listing: inout ModelListing, context: inout Int?) throws {
        var members = try cursor.members(of: meta)
        while let member = try members.next() {
            if cursor.keyMatches(member, "size") {
                listing.sizeBytes = cursor.integer(member.value)
            } else if cursor.keyMatches(member, "n_params") {
                listing.parameterSize = cursor.integer(member.value).flatMap(parameterSize)
            } else if cursor.keyMatches(member, "n_ctx") {
                context = cursor.integer(member.value)
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
