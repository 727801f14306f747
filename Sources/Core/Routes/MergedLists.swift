// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What the fleet as a whole has, in the shapes in which one server would say it. Pure: bodies from reports.
///
/// An endpoint's own entries pass byte for byte; only what a client must find in every entry is added where it is missing, and
/// nothing is made up: what an endpoint does not tell is absent. The first endpoint in the configuration wins where two have the same.
public struct MergedLists: Sendable {
    private let fleet: [(endpoint: Endpoint, report: EndpointReport)]

    /// - Parameter fleet: in the order of the configuration. Endpoints that are down or in maintenance are left out; those that
    ///   drain stay, as their models are still there, and those that are degraded, with what was last known of them.
    public init(_ fleet: [(Endpoint, EndpointReport)]) {
        self.fleet = fleet.filter { $0.1.state.phase != .down && $0.1.state.phase != .maintenance }
    }

    /// The body of `/api/tags`: one entry for each combination of digest, name and id.
    public func tags() -> [UInt8] {
        struct Identity: Hashable { var digest, name, id: String }
        var seen: Set<Identity> = []
        return list(opening: #"{"models":["#) { emit in
            for (endpoint, report) in fleet {
                for model in report.models {
                    var entry = JSONEntry(model.json)
                    let name = entry.string("name") ?? entry.string("model") ?? ollamaName(model.name, endpoint.kind)
                    let asked = entry.string("model") ?? name
                    let id = entry.string("id") ?? (endpoint.kind == .ollama ? asked : model.name)
                    guard seen.insert(Identity(digest: model.digest, name: name, id: id)).inserted else { continue }
                    entry.addIfMissing("name", name)
                    entry.addIfMissing("model", asked)
                    entry.addIfMissing("id", id)
                    emit(entry.json)
                }
            }
        }
    }

    /// The body of `/api/ps`: the models in memory, each once, latest expiry first; those without one come last.
    public func ps() -> [UInt8] {
        struct Identity: Hashable { var digest, name: String }
        struct Row {
            var identity: Identity
            var expiry: RFC3339?
            var json: [UInt8]
        }
        var rows: [Row] = []
        for (endpoint, report) in fleet {
            for model in report.loaded {
                let name = ollamaName(model.name, endpoint.kind)
                var entry = JSONEntry(model.json)
                entry.addIfMissing("name", name)
                entry.addIfMissing("model", name)
                rows.append(
                    Row(
                        identity: Identity(digest: model.digest, name: name), expiry: model.expiresAt.flatMap(RFC3339.init), json: entry.json))
            }
        }
        // Stable, so that equal expiries stay in the configuration's order.
        let sorted = rows.enumerated().sorted { left, right in
            switch (left.element.expiry, right.element.expiry) {
            case (let one?, let other?) where one != other: other < one
            case (.some, nil): true
            case (nil, .some): false
            default: left.offset < right.offset
            }
        }
        var seen: Set<Identity> = []
        return list(opening: #"{"models":["#) { emit in
            for row in sorted where seen.insert(row.element.identity).inserted { emit(row.element.json) }
        }
    }

    /// The body of `/api/ps_details`: each model in memory with its endpoint, also where several have it. Sleeping ones hold no memory
    /// and are left out.
    public func psDetails() -> [UInt8] {
        list(opening: #"{"models":["#) { emit in
            for (endpoint, report) in fleet {
                for model in report.loaded where !model.isSleeping {
                    let entry =
                        endpoint.kind == .ollama
                        ? (try? JSONValue(parsing: model.json)) ?? [:] : LoadedRow.llamaServer(model, report.models.first { $0.name == model.name })
                    var row = entry
                    row["endpoint"] = .string(endpoint.address.url)
                    emit(row.bytes)
                }
            }
        }
    }

    /// The body of `/v1/models`: one entry for each id.
    public func openAIModels() -> [UInt8] {
        var seen: Set<String> = []
        return list(opening: #"{"object":"list","data":["#) { emit in
            for (endpoint, report) in fleet {
                for model in report.models where seen.insert(model.name).inserted { emit(openAIEntry(model, endpoint.kind, id: model.name)) }
            }
        }
    }

    /// The body of `/v1/models/{id}`; nil if no endpoint has it. As Ollama does, the answer repeats the id as it was asked for.
    ///
    /// - Parameter matches: whether the asked name (first) means the endpoint's (second).
    public func openAIModel(id: String, matches: (String, String) -> Bool = MergedLists.namesMatch) -> [UInt8]? {
        for exactly in [true, false] {
            for (endpoint, report) in fleet {
                for model in report.models where exactly ? model.name == id : matches(id, model.name) || model.aliases.contains(id) {
                    return openAIEntry(model, endpoint.kind, id: id)
                }
            }
        }
        return nil
    }

    /// The body of `/api/version`: the lowest version of the Ollama endpoints, as that is what a client may count on. Nil while
    /// none is known.
    public func version() -> [UInt8]? {
        let versions = fleet.filter { $0.endpoint.kind == .ollama && !$0.report.version.isEmpty }.map(\.report.version)
        guard let lowest = versions.min(by: { ServerVersion($0) < ServerVersion($1) }) else { return nil }
        return (["version": .string(lowest)] as JSONValue).bytes
    }

    /// Equal without regard to case, a missing tag meaning `latest`.
    public static func namesMatch(_ asked: String, _ name: String) -> Bool {
        func full(_ name: String) -> String { (hasTag(name) ? name : name + ":latest").lowercased() }
        return full(asked) == full(name)
    }

    private func openAIEntry(_ model: ModelListing, _ kind: EndpointKind, id: String) -> [UInt8] {
        // The endpoint's own entry, if it is one of this list.
        if kind != .ollama, !model.json.isEmpty { return model.json }
        var entry = JSONEntry([])
        entry.addIfMissing("id", id)
        entry.addIfMissing("object", "model")
        if let created = model.modifiedAt { entry.add("created", raw: Array("\(created)".utf8)) }
        if kind == .ollama { entry.addIfMissing("owned_by", namespace(model.name)) }
        return entry.json
    }

    /// `[host/][namespace/]model[:tag]`
    private func namespace(_ name: String) -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count > 1 ? String(parts[parts.count - 2]) : "library"
    }

    /// How the model is called among Ollama's: always with a tag.
    private func ollamaName(_ name: String, _ kind: EndpointKind) -> String {
        kind == .ollama || Self.hasTag(name) ? name : name + ":latest"
    }

    private static func hasTag(_ name: String) -> Bool {
        name.utf8.reversed().prefix { $0 != UInt8(ascii: "/") }.contains(UInt8(ascii: ":"))
    }

    private func list(opening: StaticString, _ fill: ((_ entry: [UInt8]) -> Void) -> Void) -> [UInt8] {
        var body = opening.withUTF8Buffer { Array($0) }
        var isFirst = true
        fill { entry in
            if !isFirst { body.append(UInt8(ascii: ",")) }
            isFirst = false
            body.append(contentsOf: entry)
        }
        body.append(contentsOf: "]}".utf8)
        return body
    }
}

/// One object of a list: its bytes as they came, to which members are added at the end.
private struct JSONEntry {
    private(set) var json: [UInt8]
    private var isEmpty = true

    /// - Parameter json: an object, or nothing for an empty one.
    init(_ json: [UInt8]) {
        self.json = json.isEmpty ? Array("{}".utf8) : json
        read { _, _ in isEmpty = false }
    }

    /// The text of a member, by its exact key; nil where it is missing, no text or empty.
    func string(_ key: StaticString) -> String? {
        var text: String?
        read { cursor, member in
            if cursor.keyMatches(member, key) { text = cursor.string(member.value) }
        }
        return text?.isEmpty == true ? nil : text
    }

    mutating func addIfMissing(_ key: StaticString, _ text: String) {
        var isThere = false
        read { cursor, member in
            if cursor.keyMatches(member, key) { isThere = true }
        }
        if !isThere { add(key, raw: Array(JSONText.quoted(text).utf8)) }
    }

    mutating func add(_ key: StaticString, raw: [UInt8]) {
        json.removeLast()
        if !isEmpty { json.append(UInt8(ascii: ",")) }
        isEmpty = false
        json.append(contentsOf: "\"\(key)\":".utf8)
        json.append(contentsOf: raw)
        json.append(UInt8(ascii: "}"))
    }

    private func read(_ body: (JSONCursor, JSONCursor.Member) -> Void) {
        json.withUnsafeBytes { bytes in
            let cursor = JSONCursor(bytes)
            // These bytes have been read once before they came here; if they are no object after all, nothing is found in them.
            guard var members = try? cursor.members() else { return }
            while let member = try? members.next() { body(cursor, member) }
        }
    }
}
