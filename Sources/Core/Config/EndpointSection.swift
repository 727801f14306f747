// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Yams

/// Reads `endpoints`, `llama_server_endpoints` and `api_keys`: the fleet.
struct EndpointSection {
    static let keys = ["endpoints", "llama_server_endpoints"]
    private static let memberKeys = ["url", "name", "kind", "max_concurrent_connections", "weight", "api_key", "vram", "context", "tls", "words"]
    private static let expectation = "expected a list of endpoints, such as 'endpoints: [http://127.0.0.1:11434]'"
    private static let entryExpectation = "expected a URL such as http://127.0.0.1:11434, or a mapping with url"

    private(set) var endpoints: [Config.EndpointConfig] = []
    /// Where each URL and each name was first used, for the message about a second use.
    private var urls: [String: ConfigError.Place] = [:]
    private var names: [String: ConfigError.Place] = [:]

    /// - Parameter limit: `max_concurrent_connections` of the whole file.
    mutating func read(_ node: Node, key: String, limit: Int, with reader: inout ValueReader) {
        if ValueReader.isNull(node) { return }
        guard let entries = node.sequence else { return reader.fault(node, "\(Self.expectation), not \(ValueReader.kind(node))") }
        // In `endpoints` the URL tells, or polls do.
        let kind: EndpointKind? = key == "endpoints" ? nil : .llamaServer
        for entry in entries { read(entry: entry, kind: kind, key: key, limit: limit, with: &reader) }
    }

    private mutating func read(entry node: Node, kind: EndpointKind?, key: String, limit: Int, with reader: inout ValueReader) {
        guard node.mapping != nil else {
            guard let reading = reading(node, kind: kind, with: &reader) else { return }
            return add(Self.endpoint(reading, limit: limit), isOllamaV1: reading.isOllamaV1, at: node, with: &reader)
        }
        guard let members = reader.members(node, known: Self.memberKeys, of: "an endpoint") else { return }
        guard let url = members["url"] else { return reader.fault(node, "an endpoint needs a url") }
        let kind = members["kind"].flatMap { self.kind($0, key: key, listed: kind, with: &reader) } ?? kind
        let reading = reading(url, kind: kind, with: &reader)
        let name = members["name"].map { self.name($0, with: &reader) ?? "" }
        var endpoint = Self.endpoint(
            reading ?? EndpointURL.Reading(address: EndpointAddress(host: "", port: 0, url: ""), kind: kind), limit: limit)
        if let node = members["max_concurrent_connections"], let value = reader.integer(node, 1...100_000) {
            (endpoint.limit, endpoint.limitIsOwn) = (value, true)
        }
        if let node = members["weight"], let value = reader.number(node, Config.EndpointConfig.weights) { endpoint.weight = value }
        if let node = members["api_key"], !ValueReader.isNull(node) { endpoint.key = reader.secret(node) }
        if let node = members["vram"] { endpoint.vramBytes = reader.size(node, 0...(1 << 50)) }
        if let node = members["context"] { endpoint.context = reader.choice(node) }
        if let node = members["words"] { endpoint.words = WordsSection.read(node, with: &reader) }
        if let node = members["tls"] { readTLS(node, into: &endpoint, with: &reader) }
        // After all members, so that each of their faults is told.
        guard reading != nil, name != "" else { return }
        if let name { endpoint.name = name }
        add(endpoint, isOllamaV1: reading?.isOllamaV1 ?? false, at: node, with: &reader)
    }

    private mutating func add(_ endpoint: Config.EndpointConfig, isOllamaV1: Bool, at node: Node, with reader: inout ValueReader) {
        if let first = urls[endpoint.address.url] {
            if isOllamaV1 {
                return reader.notice(
                    node, "\(endpoint.address.url)/v1 is a part of the endpoint that is listed already\(Self.mention(first)): left out")
            }
            return reader.fault(node, "the endpoint \(endpoint.address.url) is listed twice\(Self.mention(first))")
        }
        if let first = names[endpoint.name] {
            return reader.fault(node, "the name \(ValueReader.quoted(endpoint.name)) is used twice\(Self.mention(first))")
        }
        urls[endpoint.address.url] = reader.place(node)
        names[endpoint.name] = reader.place(node)
        endpoints.append(endpoint)
    }

    // MARK: Members

    private static func endpoint(_ reading: EndpointURL.Reading, limit: Int) -> Config.EndpointConfig {
        var endpoint = Config.EndpointConfig(
            name: defaultName(reading.address), address: reading.address, kind: reading.kind ?? .ollama, limit: limit)
        endpoint.kindIsOpen = reading.kind == nil
        return endpoint
    }

    private func readTLS(_ node: Node, into endpoint: inout Config.EndpointConfig, with reader: inout ValueReader) {
        if endpoint.address.scheme == .http { reader.fault(node, "tls is for endpoints whose URL begins with https://") }
        endpoint.tls = TLSSection.read(node, for: endpoint.address.url, with: &reader)
    }

    private func reading(_ node: Node, kind: EndpointKind?, with reader: inout ValueReader) -> EndpointURL.Reading? {
        guard let text = reader.text(node, Self.entryExpectation) else { return nil }
        do {
            return try EndpointURL.read(text, kind: kind)
        } catch {
            reader.fault(node, error.message)
            return nil
        }
    }

    private func kind(_ node: Node, key: String, listed: EndpointKind?, with reader: inout ValueReader) -> EndpointKind? {
        guard let text = reader.choice(node, EndpointKind.allCases.map(\.rawValue)), let kind = EndpointKind(rawValue: text) else { return nil }
        if listed == .llamaServer, kind != .llamaServer {
            reader.fault(node, "\(key) holds llama-server only; list this endpoint under endpoints")
            return nil
        }
        return kind
    }

    private func name(_ node: Node, with reader: inout ValueReader) -> String? {
        let expectation = "expected a name of 1 to 64 letters, digits and any of . _ : / -"
        guard let text = reader.text(node, expectation) else { return nil }
        let isGood = text.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || "._:/-".unicodeScalars.contains($0)
        }
        guard isGood, (1...64).contains(text.unicodeScalars.count) else {
            reader.fault(node, "\(expectation), not \(ValueReader.quoted(text))")
            return nil
        }
        return text
    }

    private static func defaultName(_ address: EndpointAddress) -> String {
        String(address.url.dropFirst(address.scheme.rawValue.utf8.count + "://".utf8.count))
    }

    private static func mention(_ place: ConfigError.Place) -> String {
        if case .file(_, let line, _) = place, line > 0 { return " (first in line \(line))" }
        return ""
    }

    // MARK: Keys of endpoints

    /// `api_keys`: the endpoints' keys by URL. A key of an endpoint's own entry wins.
    mutating func readKeys(_ node: Node, with reader: inout ValueReader) {
        if ValueReader.isNull(node) { return }
        guard let mapping = node.mapping else {
            return reader.fault(node, "expected a mapping of an endpoint's URL to its key, not \(ValueReader.kind(node))")
        }
        for (urlNode, keyNode) in mapping {
            guard let text = reader.text(urlNode, "expected an endpoint's URL") else { continue }
            let key = ValueReader.isNull(keyNode) || keyNode.scalar?.string == "" ? nil : reader.secret(keyNode)
            // Any reading of a final /v1 may be the endpoint's.
            let kinds: [EndpointKind?] = [nil] + EndpointKind.allCases
            let urls = kinds.compactMap { try? EndpointURL.read(text, kind: $0).address.url }
            guard let index = endpoints.firstIndex(where: { urls.contains($0.address.url) }) else {
                let known = endpoints.map(\.address.url)
                reader.notice(
                    urlNode,
                    "a key for \(text.contains("@") ? "a URL" : ValueReader.quoted(text)), which is not an endpoint\(Spelling.hint(for: text, among: known))"
                )
                continue
            }
            if endpoints[index].key == nil { endpoints[index].key = key }
        }
    }
}
