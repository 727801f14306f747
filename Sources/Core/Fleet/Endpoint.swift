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

/// One configured endpoint: everything about it that does not change between two reloads.
public struct Endpoint: Sendable, Equatable {
    public let id: EndpointID
    /// Unique within the fleet.
    public var name: String
    public var address: EndpointAddress
    /// As configured or assumed; `Fleet` replaces it by what polls have found.
    public var kind: EndpointKind
    /// Neither the list nor the URL nor `kind` says what it is: polls find out, and `kind` is a guess until then.
    public var kindIsOpen = false
    /// Slots for each endpoint-model pair.
    public var limit: Int
    /// The endpoint's own entry says the limit: what it tells of its slots may lower it, and not raise it.
    public var limitIsOwn = false
    /// In force: its share of what could go to several endpoints, beside theirs.
    public var weight: Double
    /// What the configuration says, where an operator has set another weight; nil where none has.
    public var configuredWeight: Double?
    /// Sent as `Authorization: Bearer` to this endpoint and nowhere else.
    public var key: Secret?
    /// Memory for models, bytes, where the operator told us; nil means unknown.
    public var vramBytes: Int?
    /// What becomes of requests for less context than there is; nil where the endpoint's entry does not say.
    public var context: ContextPolicy?
    /// What its entry says of its words; nil where it says nothing.
    var words: WordSettings?
    /// Where the address is `https`; nil for the usual settings. An endpoint is copied for each request, and few have any.
    public var tls: TLSClientSettings?

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

    /// How many requests for a model may be there at once. The endpoint's own number counts, unless its entry asks for less.
    ///
    /// - Parameter told: the slots that the endpoint itself has for the model; nil where it does not tell.
    func slots(told: Int?) -> Int {
        guard let told else { return limit }
        return limitIsOwn ? min(limit, told) : told
    }
}

/// Where an endpoint listens.
public struct EndpointAddress: Sendable, Hashable {
    public enum Scheme: String, Sendable {
        case http, https

        public var defaultPort: Int { self == .http ? 80 : 443 }
    }

    public let scheme: Scheme
    /// A name or an IP address, without brackets.
    public let host: String
    public let port: Int
    /// The value of the `Host` header for this address.
    public let authority: String
    /// Empty, or a path that begins with a slash and does not end with one; it goes before every route's path.
    public var basePath: String
    /// What stands for a route's `/v1` there, after `basePath`: a service's version path may be any.
    public var versionPath: String
    /// As it was configured, normalised: no final slash. Shown to people and compared by a reload.
    public var url: String

    public init(
        scheme: Scheme = .http, host: String, port: Int, basePath: String = "", versionPath: String = EndpointAddress.usualVersionPath, url: String
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        let bracketed = host.contains(":") ? "[\(host)]" : host
        authority = port == scheme.defaultPort ? bracketed : "\(bracketed):\(port)"
        self.basePath = basePath
        self.versionPath = versionPath
        self.url = url
    }

    public static let usualVersionPath = "/v1"

    /// A route's path (and query) as this endpoint has it.
    public func path(for route: Substring) -> (prefix: String, rest: Substring) {
        if versionPath != Self.usualVersionPath, route.hasPrefix("/v1/") || route == "/v1" {
            return (basePath + versionPath, route.dropFirst(Self.usualVersionPath.utf8.count))
        }
        return (basePath, route)
    }
}
