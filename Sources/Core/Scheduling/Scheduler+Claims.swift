// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Claims: where models in use are in the way of a load that is worth more, they get nothing new.
extension Scheduler {
    /// For how long a claim holds without being renewed.
    private static let claimTime = TimeAmount.seconds(2)

    /// What is in the way of a load of this pair comes to its end.
    mutating func claim(_ pair: PairIndex, for ask: Ask, now: NIODeadline) {
        let book = pairs[pair].book
        if isUsable(pair), pairs[pair].claim == nil || pairs[pair].claim?.isBy(book, ask) ?? false {
            pairs[pair].claim = Claim(book: book, options: ask.options, until: now + Self.claimTime)
            hasClaims = true
        }
        for victim in makeRoom(for: pair).busy where pairs[victim].claim == nil || pairs[victim].claim?.book == book {
            pairs[victim].claim = Claim(book: book, until: now + Self.claimTime)
            hasClaims = true
        }
    }

    /// Whether the request may have a slot of the pair, or a load.
    func isUnclaimed(_ pair: PairIndex, _ ask: Ask) -> Bool { pairs[pair].claim?.isBy(pairs[pair].book, ask) ?? true }

    mutating func release(claimsFor book: BookIndex, on place: PlaceIndex) {
        guard hasClaims else { return }
        for pair in places[place].resident where pairs[pair].claim?.book == book { pairs[pair].claim = nil }
    }

    mutating func dropOldClaims(now: NIODeadline) {
        hasClaims = false
        for place in places.indices {
            for pair in places[place].pairs {
                guard let claim = pairs[pair].claim else { continue }
                if claim.until <= now || !isWaitedFor(claim, pair) { pairs[pair].claim = nil } else { hasClaims = true }
            }
        }
    }
}

extension Scheduler {
    /// Whether anybody is left in line who needs what is claimed.
    private func isWaitedFor(_ claim: Claim, _ pair: PairIndex) -> Bool {
        if claim.book != pairs[pair].book { return line.waiting(for: claim.book) > 0 }
        return line.groups(of: claim.book).contains { line[$0].options == claim.options }
    }
}

extension Claim {
    /// Whether the request is one of those that it is made for, of the same model.
    fileprivate func isBy(_ book: BookIndex, _ ask: Ask) -> Bool { self.book == book && options == ask.options }
}
