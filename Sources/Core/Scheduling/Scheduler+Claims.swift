// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Claims: where models in use are in the way of a load that is worth more, they get nothing new.
extension Scheduler {
    /// For how long a claim holds without being renewed.
    private static let claimTime = TimeAmount.seconds(2)

    /// What is in the way of a load of this pair comes to its end.
    mutating func claim(_ pair: PairIndex, now: NIODeadline) {
        let book = pairs[pair].book
        for victim in makeRoom(for: pair).busy where pairs[victim].claim == nil || pairs[victim].claim?.book == book {
            pairs[victim].claim = (book, now + Self.claimTime)
            hasClaims = true
        }
    }

    mutating func release(claimsFor book: BookIndex, on place: PlaceIndex) {
        guard hasClaims else { return }
        for pair in places[place].resident where pairs[pair].claim?.book == book { pairs[pair].claim = nil }
    }

    mutating func dropOldClaims(now: NIODeadline) {
        hasClaims = false
        for place in places.indices {
            for pair in places[place].pairs {
                guard let claim = pairs[pair].claim else { continue }
                if claim.until <= now || line.waiting(for: claim.book) == 0 { pairs[pair].claim = nil } else { hasClaims = true }
            }
        }
    }
}
