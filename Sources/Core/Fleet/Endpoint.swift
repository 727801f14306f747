// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// An endpoint's identity while the daemon runs. It survives a reload that keeps the URL, and is never used again.
public struct EndpointID: Hashable, Sendable, Comparable {
    public let rawValue: Int

    public init(_ rawValue: Int) {
        self.rawValue = rawValue
    }

    public static func < (left: EndpointID, right: EndpointID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What software an endpoint runs. What it can do follows from this (`Capability`), never from a URL.
public enum EndpointKind: String, Sendable, CaseIterable {
    case ollama
    case llamaServer = "llama-server"

    /// The route families that the kind answers natively.
    public var capabilities: Capabilities {
        switch self {
        case .ollama: [.ollamaAPI, .openAIAPI]
        case .llamaServer: [.openAIAPI]
        }
    }
}

/// Route families, as a set: what a request needs and what an endpoint has.
public struct Capabilities: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `/api/...` as Ollama speaks it.
    public static let ollamaAPI = Capabilities(rawValue: 1 << 0)
    /// `/v1/...` as OpenAI, Ollama and llama-server speak it.
    public static let openAIAPI = Capabilities(rawValue: 1 << 1)
}

/// One configured endpoint: everything about it that does not change between two reloads.
public struct Endpoint: Sendable, Equatable {
    public let id: EndpointID
    /// Unique within the fleet.
    public var name: String
    public var address: EndpointAddress
    public var kind: EndpointKind
    /// Slots for each endpoint-model pair.
    public var limit: Int
    /// Above 1 attracts more of the requests that could go to several equal endpoints.
    public var weight: Double
    /// Sent as `Authorization: Bearer` to this endpoint and nowhere else.
    public var key: Secret?
    /// Memory for models, bytes, where the operator told us; nil means unknown.
    public var vramBytes: Int?

    public init(
        id: EndpointID, name: String, address: EndpointAddress, kind: EndpointKind, limit: Int, weight: Double = 1, key: Secret? = nil,
        vramBytes: Int? = nil
    ) {
        self.id = id
        self.name = name
        self.address = address
        self.kind = kind
        self.limit = limit
        self.weight = weight
        self.key = key
        self.vramBytes = vramBytes
    }
}

/// Where an endpoint listens. Plain HTTP for now: `https` is refused by the configuration.
public struct EndpointAddress: Sendable, Hashable {
    /// A name or an IP address, without brackets.
    public var host: String
    public var port: Int
    /// Empty, or a path that begins with a slash and does not end with one; it goes before every route's path.
    public var basePath: String
    /// As it was configured, normalised: no final slash. Shown to people and compared by a reload.
    public var url: String

    public init(host: String, port: Int, basePath: String = "", url: String) {
        self.host = host
        self.port = port
        self.basePath = basePath
        self.url = url
    }

    /// The value of the `Host` header for this address.
    public var authority: String {
        let bracketed = host.contains(":") ? "[\(host)]" : host
        return port == 80 ? bracketed : "\(bracketed):\(port)"
    }
}

/// A text that must not reach a log, a status or a stranger: it prints as `***`.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself, for the one place that sends or compares it.
    public let exposed: String

    public init(_ text: String) {
        self.exposed = text
    }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
