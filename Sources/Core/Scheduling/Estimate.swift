// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the scheduler counts with for a model on an endpoint, and how much stands behind it: zero answers make a guess.
public struct Estimate: Sendable, Equatable {
    /// How fast the endpoint is beside others; 1 where that was not measured.
    public var speed = 1.0
    /// Answers that told it.
    public var speedAnswers = 0
    /// Tokens a second of one stream alone; nil before an answer told it.
    public var tokensPerSecond: Double?
    public var tokenAnswers = 0
    /// Seconds that a load takes.
    public var loadSeconds = 0.0
    /// Loads there that told it. With none it follows from the model's size, or from what it took elsewhere.
    public var loads = 0
    /// Bytes of memory; nil where not even the size on disk is known.
    public var sizeBytes: Int?
    /// The endpoint has told how much it takes. Else it is what the file has, and a fifth more.
    public var isSizeMeasured = false
}

extension Scheduler {
    func estimate(_ pair: PairIndex) -> Estimate {
        let place = pairs[pair].place
        let pace = pairs[pair].pace
        return Estimate(
            speed: places[place].speed, speedAnswers: places[place].speedAnswers, tokensPerSecond: pace.map { Arithmetic.powerOfTwo($0.rate.value) },
            tokenAnswers: pace?.rate.answers ?? 0, loadSeconds: loadTime(pair), loads: pairs[pair].learned.loads, sizeBytes: pairs[pair].expectedSize,
            isSizeMeasured: pairs[pair].sizeInMemory != nil)
    }

    /// Whether operators are told what is counted with: of the many models that an endpoint has, those of which something is known.
    func hasEstimate(_ pair: PairIndex) -> Bool { pairs[pair].isListed && (pairs[pair].isUsable || pairs[pair].learned.loads > 0) }
}
