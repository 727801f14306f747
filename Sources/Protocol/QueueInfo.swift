// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One request that waits in the router's line.
public struct WaiterInfo: Codable, Sendable, Equatable {
    /// The request's id, as in `requests`.
    public var id: String
    /// Address and port of the client.
    public var client: String
    /// Name of the client's key; empty where keys have no names.
    public var key: String
    /// The model as the client named it.
    public var model: String
    public var ageMs: Int
    /// Requests for the same model that are before it, in the order in which they would go now.
    public var position: Int
    /// Ids of the first few of those, the next to go first.
    public var behind: [String]
    /// Each endpoint that could serve it and why it does not now, such as `gpu1: 4 of 4 slots taken`.
    public var blockedBy: [String]
    /// Until it is expected to get its slot; nil where that is not known, or later than it waits for.
    public var beginsInMs: Int?

    public init(
        id: String, client: String, key: String = "", model: String, ageMs: Int, position: Int, behind: [String] = [], blockedBy: [String] = []
    ) {
        self.id = id
        self.client = client
        self.key = key
        self.model = model
        self.ageMs = ageMs
        self.position = position
        self.behind = behind
        self.blockedBy = blockedBy
    }
}

/// Answer to `queue`: who has waited longest first.
public struct QueueList: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var waiting: [WaiterInfo]

    public init(waiting: [WaiterInfo]) {
        self.waiting = waiting
    }
}
