// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Parameters of `cancel`.
public struct CancelParams: Codable, Sendable {
    /// As `requests` tells it.
    public var id: String

    public init(id: String) {
        self.id = id
    }
}

/// Answer to `cancel`: the request as it was. Its client got an error, its slot is back.
public struct CancelInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var cancelled: RequestInfo

    public init(cancelled: RequestInfo) {
        self.cancelled = cancelled
    }
}

/// Parameters of `weight`. It holds until a reload changes the endpoint's weight, or the daemon ends.
public struct WeightParams: Codable, Sendable {
    public var endpoint: String
    /// Above 0, at most 1000.
    public var weight: Double

    public init(endpoint: String, weight: Double) {
        self.endpoint = endpoint
        self.weight = weight
    }
}
