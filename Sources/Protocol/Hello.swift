// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Versions that both programs agree on.
public enum ProductVersion {
    /// The version of routerd and routerctl.
    public static let current = "0.1.0"
    /// The control protocol. It grows by fields; it rises when a field changes its meaning or goes.
    public static let controlProtocol = 2
    /// The `schema` of all JSON that `routerctl --json` prints.
    public static let schema = 1
}

/// Parameters of `hello`: who calls. A client of another version of the protocol is refused, and told which side is to be updated.
public struct HelloParams: Codable, Sendable, Equatable {
    /// Nil asks nothing of the daemon.
    public var controlProtocol: Int?
    /// Of the client, for the refusal: `routerctl`.
    public var name: String?
    public var version: String?

    public init(controlProtocol: Int? = nil, name: String? = nil, version: String? = nil) {
        self.controlProtocol = controlProtocol
        self.name = name
        self.version = version
    }

    /// Why this client and that daemon do not understand each other; nil if they do.
    public func mismatch(daemonVersion: String = ProductVersion.current, daemonProtocol: Int = ProductVersion.controlProtocol) -> String? {
        guard let controlProtocol, controlProtocol != daemonProtocol else { return nil }
        let client = name ?? "the client"
        let older = controlProtocol < daemonProtocol ? client : "routerd"
        return """
            \(client)\(version.map { " \($0)" } ?? "") speaks control protocol \(controlProtocol), routerd \(daemonVersion) speaks \
            \(daemonProtocol): update \(older)
            """
    }
}

/// Answer to `hello`: who speaks at the other end.
public struct HelloInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var name: String
    public var version: String
    public var controlProtocol: Int
    public var pid: Int
    /// What this peer may do: `read`, or `read` and `change`.
    public var access: [String]
    /// The methods that the daemon knows, sorted.
    public var methods: [String]

    public init(name: String, version: String, controlProtocol: Int, pid: Int, access: [String], methods: [String]) {
        self.name = name
        self.version = version
        self.controlProtocol = controlProtocol
        self.pid = pid
        self.access = access
        self.methods = methods
    }
}
