// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Everything that the screen needs. Changed by `update` only, shown by `draw`.
public struct Model: Sendable {
    public enum Pane: Sendable { case endpoints, requests }

    /// A change that waits for the operator's yes. It keeps the endpoint's name: the selection may move meanwhile.
    public struct Question: Equatable, Sendable {
        public var change: Change
        public var endpoint: String
        public var inFlight: Int
    }

    public struct Message: Equatable, Sendable {
        public var text: String
        public var isError: Bool
        public var sinceMs: Int
    }

    public enum Connection: Equatable, Sendable {
        case live
        case lost(String)
    }

    /// A good message goes by itself after this time; a bad one stays until a key is pressed.
    static let messageMs = 6000
    /// Without a snapshot for so long the picture is old, even if the connection stands.
    static let staleMs = 3000

    public var size: Size
    public var nowMs = 0
    public var snapshot: SnapshotInfo?
    /// When the last snapshot came, by our clock.
    public var snapshotMs = 0
    public var connection = Connection.live
    public var rates = Rates()
    public var pane = Pane.endpoints
    /// Selections are names and not positions, so that they stay with their row when others come and go.
    public var selectedEndpoint: String?
    public var selectedRequest: String?
    public var question: Question?
    public var message: Message?
    public var showsHelp = false
    public var helpOffset = 0

    public init(size: Size) {
        self.size = size
    }

    public var endpoints: [EndpointInfo] { snapshot?.status.endpoints ?? [] }
    public var requests: [RequestInfo] { snapshot?.requests ?? [] }

    public var endpointIndex: Int? { endpoints.firstIndex { $0.name == selectedEndpoint } }
    public var requestIndex: Int? { requests.firstIndex { $0.id == selectedRequest } }

    /// How old the picture is, milliseconds; nil while it is fresh.
    public var staleMs: Int? {
        guard snapshot != nil else { return nil }
        let age = max(0, nowMs - snapshotMs)
        return connection != .live || age >= Self.staleMs ? age : nil
    }
}
