// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How fast a model makes tokens on an endpoint, as measured there. Logarithms to the base of 2, as it is ratios that are compared.
struct Pace: Sendable, Equatable {
    /// Of tokens per second for one stream alone.
    fileprivate(set) var rate: Mean
    /// The rate beyond the endpoint's speed, as of its last answer: the same on each endpoint, if speeds are right.
    fileprivate(set) var excess: Double
}

/// The paces of a model on all endpoints, added up, so that an answer costs the same however many there are.
struct Paces: Sendable, Equatable {
    private(set) var count = 0
    private var sum = 0.0

    /// What the model's rate would be at speed 1.
    var mean: Double { count > 0 ? sum / Double(count) : 0 }

    fileprivate mutating func replace(_ old: Double?, by new: Double) {
        if old == nil { count += 1 }
        sum += new - (old ?? 0)
    }
}

/// An endpoint's speed is that by which its models' rates differ from those that the same models have elsewhere.
///
/// Each endpoint's rate is measured by itself, and each answer moves the speed a part of the way to where it agrees with those of the
/// others. So the order of the traffic does not matter, nor how much of it goes to whom, and what one endpoint does moves no other's rate.
extension Scheduler {
    /// The part of the way for each answer.
    private static let step = 0.3
    /// A speed that is off by more than that, in powers of two, has spoilt what was counted with it.
    private static let far = 1.2
    /// Beyond that, in powers of two, it is a fault of the measurement.
    private static let most = 7.0

    /// - Parameter rate: tokens per second, as if nothing else had run there.
    mutating func learnSpeed(_ pair: PairIndex, _ rate: Double) {
        guard rate > 0 else { return }
        let place = pairs[pair].place
        let book = pairs[pair].book
        let old = pairs[pair].pace
        var pace = old ?? Pace(rate: Mean(0), excess: 0)
        pace.rate.add(Arithmetic.binaryLogarithm(rate))
        pace.excess = pace.rate.value - places[place].logSpeed
        books[book].paces.replace(old?.excess, by: pace.excess)
        if books[book].paces.count > 1 {
            let distance = pace.excess - books[book].paces.mean
            if abs(distance) > Self.far { books[book].distrustTimes() }
            let speed = places[place].logSpeed + Self.step * distance
            places[place].logSpeed = min(Self.most, max(-Self.most, speed))
            places[place].speedAnswers += 1
            let excess = pace.rate.value - places[place].logSpeed
            books[book].paces.replace(pace.excess, by: excess)
            pace.excess = excess
        }
        pairs[pair].pace = pace
    }
}
