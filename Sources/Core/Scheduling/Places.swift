// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

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
    var pairs: [PairIndex] = []
    /// Of those the ones that take memory, as far as is known: loaded, on the way, or in use.
    var resident: [PairIndex] = []
    var pairOfBook: [BookIndex: PairIndex] = [:]
    /// The pair that stands for all names that its list does not have; nil before one was asked for.
    var unlisted: PairIndex?
    /// The last list of its models, to see at a glance that nothing has changed.
    var listing: [ModelListing] = []
    /// A reload took it out of the fleet; it stays in the books until its leases are back.
    var isRemoved = false
    /// The most memory that was ever seen in use by models there, bytes: so much fits.
    var largestSeen = 0
    /// The least that was seen not to fit, bytes.
    var leastOverflow: Int?
    /// How fast it makes tokens beside others, with as much to do.
    private(set) var speed = 1.0
    /// The same as a power of two.
    var logSpeed = 0.0 {
        didSet { speed = Arithmetic.powerOfTwo(logSpeed) }
    }
    /// Answers that told it.
    var speedAnswers = 0
    /// Bytes per second that a load takes; nil until one was measured.
    var bandwidth: Double?
    /// When its last load ahead of need failed: some time passes before the next.
    var loadFailed: NIODeadline?
    /// Of which models the failures are since it last answered.
    var failing = FailingModels.none
    var counters = EndpointCounters()

    init(endpoint: Endpoint) {
        self.endpoint = endpoint
        capabilities = endpoint.kind.capabilities()
    }

    var takesWork: Bool { !isRemoved && phase.takesWork }

    /// What each further stream costs the others.
    static let slowing = 0.25
}

/// What a model that is in memory has to make way for.
struct Claim: Sendable, Equatable {
    var book: BookIndex
    /// What its next request asks for, where the model itself is to be loaded again.
    var options: RunnerOptions?
    var until: NIODeadline
}

/// Whether an endpoint fails with one model or with whatever it is asked for.
enum FailingModels: Sendable, Equatable {
    case none
    case one(PairIndex)
    case several

    mutating func add(_ pair: PairIndex) {
        switch self {
        case .none: self = .one(pair)
        case .one(pair): break
        case .one, .several: self = .several
        }
    }
}

/// What an endpoint has done since the daemon started.
public struct EndpointCounters: Sendable, Equatable {
    public var granted = 0
    public var completed = 0
    public var refused = 0
    public var notHere = 0
    public var busy = 0
    public var failed = 0
    public var unreachable = 0
    public var aborted = 0
    public var lost = 0
    public var tokens = 0
    /// How often its breaker, or one of its models', has opened; probes that failed are no openings.
    public var breakerOpenings = 0
}

/// One model on one endpoint: what has slots.
struct Pair: Sendable {
    // What each decision reads of every pair stands together.

    let place: PlaceIndex
    /// What is known of the model everywhere.
    let book: BookIndex
    /// The endpoint has it, as far as is known.
    var isPresent = true
    /// False for the one that stands for all names that the endpoint does not list.
    var isListed = true
    var isLoaded = false
    /// Whether a request that sets no options finds it as it wants it, if it is in memory: found once for each change, as each decision
    /// asks.
    private(set) var servesUnset = true
    var isPinned = false
    /// Its breaker, its endpoint's, or the one of a route that it does not serve is not closed: whether it is asked is looked at closely.
    var isSetAside = false
    /// Leases whose grant made the endpoint load the model, and that are not back yet.
    var loading = 0
    var inFlight = 0
    /// Slots that the endpoint itself has for the model, where it tells.
    var slots: Int?
    /// A load ahead of need was asked for, and counts until then.
    var aheadUntil: NIODeadline?
    /// It gets nothing new: a waiting request needs its memory, or needs it otherwise.
    var claim: Claim?
    /// Bytes on disk.
    var sizeBytes: Int?
    /// Bytes in memory, when it was last seen there.
    var sizeInMemory: Int?
    var learned = Learned()

    /// Requests that it was given, each counted by its weight: `Scheduler+Weights`.
    var shareClock = 0.0
    /// When a lease was last given or came back.
    var lastUsed = NIODeadline.uptimeNanoseconds(0)
    /// When the load under way is expected to end.
    var readyAt = NIODeadline.uptimeNanoseconds(0)
    /// The last report had it in memory. A load's end is known before a report tells of it, and of what went for it.
    var isReported = false
    /// With what it is in memory, or will be once the load under way has ended.
    private(set) var configuration = LoadedConfiguration.unknown
    /// Goes up whenever it is loaded with another: what comes of an earlier request tells nothing of the present.
    var configurationNumber: UInt32 = 0
    var contexts = LoadedConfiguration.Contexts() {
        didSet { servesUnset = configuration.serves(.unset, contexts) }
    }
    /// Tokens of context that the endpoint has whatever is asked for; nil where requests say it, or it is not known.
    var fixedContext: Int32?
    /// Requests that ask for less context than there is get what there is.
    var sharesContext = false
    /// What its endpoint told of the configuration before.
    var contextBefore: Int32?
    /// Why the load under way has begun.
    var loadCause = LoadCause.first
    /// Models that are taken to have gone for the load under way.
    var displaced: [PairIndex] = []
    /// Bytes that would be in use if it fitted beside everything, as the load under way began.
    var usedAtLoad = 0
    /// As the endpoint spells it.
    let name: String
    /// Other names that the endpoint has for it.
    var aliases: [String] = []
    var prefixes = PrefixMemory()
    /// Nil until an answer has told it.
    var pace: Pace?

    init(place: PlaceIndex, name: String, book: BookIndex) {
        self.place = place
        self.name = name
        self.book = book
    }

    mutating func set(_ new: LoadedConfiguration) {
        configuration = new
        servesUnset = configuration.serves(.unset, contexts)
    }

    /// It is loaded again with other options; until then the endpoint tells of the old ones.
    var isReloading: Bool { loading > 0 && !isLoaded && loadCause == .configuration }

    /// The memory it will take: as seen before, else a fifth more than on disk, for the context.
    var expectedSize: Int? { sizeInMemory ?? sizeBytes.map { $0 + $0 / 5 } }
    var isUsable: Bool { isLoaded || loading > 0 || aheadUntil != nil }
    /// Of what has no name nobody knows what it takes.
    var takesMemory: Bool { isListed && (isUsable || inFlight > 0) }
}
