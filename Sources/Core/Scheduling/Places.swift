// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One endpoint in the scheduler's books.
struct Place: Sendable {
    /// Its `kind` is what polls have found, where the configuration leaves it open.
    var endpoint: Endpoint
    var capabilities: Capabilities
    /// Where the configuration leaves the kind open.
    var foundKind: EndpointKind?
    var phase: EndpointState.Phase = .starting
    var reason = ""
    /// Leases held there, over all models.
    var inFlight = 0
    /// The pairs of this endpoint that have any meaning: models that it has, and models of which leases are still out.
    var pairs: [Int] = []
    /// A reload took it out of the fleet; it stays in the books until its leases are back.
    var isRemoved = false
    /// The most memory that was ever seen in use by models there, bytes: so much fits.
    var largestSeen = 0
    var counters = EndpointCounters()

    init(endpoint: Endpoint) {
        self.endpoint = endpoint
        capabilities = endpoint.kind.capabilities()
    }

    var takesWork: Bool { !isRemoved && phase.takesWork }
}

/// What an endpoint has done since the daemon started.
public struct EndpointCounters: Sendable, Equatable {
    public var granted = 0
    public var completed = 0
    public var failed = 0
    public var unreachable = 0
    public var aborted = 0
    public var lost = 0
    public var tokens = 0
}

/// One model on one endpoint: what has slots.
struct Pair: Sendable {
    let place: Int
    /// As the endpoint spells it.
    let name: String
    /// The endpoint has it, as far as is known.
    var isPresent = true
    var isLoaded = false
    /// Leases whose grant made the endpoint load the model, and that are not back yet.
    var loading = 0
    var inFlight = 0
    /// Bytes on disk.
    var sizeBytes: Int?
    /// Bytes in memory, when it was last seen there.
    var sizeInMemory: Int?
    /// Slots that the endpoint itself has for the model, where it tells.
    var slots: Int?
    var learned = Learned()

    /// How many requests may be there at once. The endpoint's own number counts, unless its entry asks for less.
    func limit(_ endpoint: Endpoint) -> Int {
        guard let slots else { return endpoint.limit }
        return endpoint.limitIsOwn ? min(endpoint.limit, slots) : slots
    }

    /// The memory it will take: as seen before, else a fifth more than on disk, for the context.
    var expectedSize: Int? { sizeInMemory ?? sizeBytes.map { $0 + $0 / 5 } }
    var isUsable: Bool { isLoaded || loading > 0 }
}
