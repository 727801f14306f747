// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What a request has been through at endpoints, and whether it may be tried at another. Pure.
///
/// An endpoint that cannot be reached has seen nothing of the request, and one that is busy, or is not the right one, has done nothing with
/// it: none of them counts against `retries`. What each of the others may have done with it is bounded, as a request that kills its server would otherwise go
/// from endpoint to endpoint and take the fleet down.
struct Retries {
    /// What happened at an endpoint.
    enum Cause: Equatable {
        case unreachable, busy, notHere, broken, overdue

        var reason: Config.RetryReason {
            switch self {
            case .unreachable: .unreachable
            case .busy: .busy
            case .notHere: .notHere
            case .broken: .broken
            case .overdue: .overdue
            }
        }

        /// Of several failures the client is told the one that says most of what it may do: that it may come again, what went wrong,
        /// that nobody could be asked, that the model is gone.
        fileprivate var tellingness: Int {
            switch self {
            case .busy: 4
            case .broken: 3
            case .overdue: 2
            case .unreachable: 1
            case .notHere: 0
            }
        }
    }

    /// What the client gets if nothing better comes.
    enum Told {
        /// The endpoint's own answer, as it came.
        case answer(Attempt)
        case error(RouterError)

        /// Of equal causes an endpoint's own words say more than ours, and ours more than an answer that looks good and is not.
        fileprivate var worth: Int {
            switch self {
            case .answer(let attempt): attempt.held.map { $0.head.status >= 400 ? 2 : $0.body.isEmpty ? 0 : 1 } ?? 0
            case .error: 1
            }
        }
    }

    struct Policy: Sendable, Equatable {
        /// Other endpoints that a request may be tried at; 0 turns it off.
        var limit = 2
        var reasons = Set(Config.RetryReason.allCases) { didSet { mask = Self.mask(reasons) } }
        /// The same, for a look at each answer.
        private var mask = Self.mask(Set(Config.RetryReason.allCases))

        init(limit: Int = 2, reasons: Set<Config.RetryReason> = Set(Config.RetryReason.allCases)) {
            self.limit = limit
            self.reasons = reasons
            mask = Self.mask(reasons)
        }

        func allows(_ reason: Config.RetryReason) -> Bool { limit > 0 && mask & reason.bit != 0 }

        private static func mask(_ reasons: Set<Config.RetryReason>) -> UInt8 { reasons.reduce(0) { $0 | $1.bit } }
    }

    /// Endpoints that are not to be asked again.
    private(set) var excluded: [EndpointID] = []
    /// For people: "gpu-3: 503 busy".
    private(set) var notes: [String] = []
    private(set) var best: (told: Told, cause: Cause)?
    private var counted = 0
    /// Failures of all kinds.
    private(set) var count = 0

    /// Whether the request may go elsewhere after this.
    ///
    /// - Parameter isRepeatable: nothing is done twice if the endpoint had begun with it.
    func allows(_ cause: Cause, _ policy: Policy, isRepeatable: Bool) -> Bool {
        guard policy.allows(cause.reason) else { return false }
        switch cause {
        case .unreachable, .busy, .notHere: return true
        case .broken, .overdue: return isRepeatable && counted < policy.limit
        }
    }

    mutating func note(_ cause: Cause, at endpoint: Endpoint, _ words: String, _ told: Told) {
        count += 1
        // The same words again say nothing new, and a busy endpoint may say them often.
        let note = "\(endpoint.name): \(words)"
        if notes.last != note, notes.count < Self.notesKept { notes.append(note) }
        if best.map({ Self.tellsMore(told, cause, than: $0.told, $0.cause) }) ?? true { best = (told, cause) }
        switch cause {
        case .unreachable, .notHere: exclude(endpoint.id)
        // The scheduler leaves it alone for as long as it asks for, and the request may come back to it.
        case .busy: break
        case .broken, .overdue:
            counted += 1
            exclude(endpoint.id)
        }
    }

    private static func tellsMore(_ told: Told, _ cause: Cause, than best: Told, _ bestCause: Cause) -> Bool {
        guard cause.tellingness == bestCause.tellingness else { return cause.tellingness > bestCause.tellingness }
        return told.worth >= best.worth
    }

    mutating func exclude(_ endpoint: EndpointID) { if !excluded.contains(endpoint) { excluded.append(endpoint) } }

    /// Another model is asked for: every endpoint is as good as new.
    mutating func startOver() { excluded = [] }

    private static let notesKept = 8
}

extension Config.RetryReason {
    fileprivate var bit: UInt8 {
        switch self {
        case .unreachable: 1
        case .busy: 2
        case .broken: 4
        case .notHere: 8
        case .overdue: 16
        }
    }
}

/// The head of an answer, and what came of its body, kept from the client until it is clear whether it gets them.
struct HeldAnswer {
    let head: ResponseHead
    var body: [UInt8] = []

    /// An error of more than this is none that anybody reads; nor is it worth the memory.
    static let limit = 64 * 1024
}
