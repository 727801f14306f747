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
