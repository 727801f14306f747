// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the router counts with for a model on an endpoint, and how many answers stand behind it: what none does is a guess.
public struct EstimatesInfo: Codable, Sendable, Equatable {
    /// How fast the endpoint is beside others; 1 where that was not measured.
    public var speed: Double
    public var speedAnswers: Int
    /// Of one stream alone; nil before an answer told it.
    public var tokensPerSecond: Double?
    public var tokenAnswers: Int
    /// Seconds that a load takes.
    public var loadS: Double
    /// Loads there that told it.
    public var loads: Int
    /// Memory, bytes; nil where nothing is known.
    public var sizeBytes: Int?
    /// The endpoint has told the size. Else it is guessed from the size on disk.
    public var isSizeMeasured: Bool

    public init(
        speed: Double = 1, speedAnswers: Int = 0, tokensPerSecond: Double? = nil, tokenAnswers: Int = 0, loadS: Double = 0, loads: Int = 0,
        sizeBytes: Int? = nil, isSizeMeasured: Bool = false
    ) {
        self.speed = speed
        self.speedAnswers = speedAnswers
        self.tokensPerSecond = tokensPerSecond
        self.tokenAnswers = tokenAnswers
        self.loadS = loadS
        self.loads = loads
        self.sizeBytes = sizeBytes
        self.isSizeMeasured = isSizeMeasured
    }
}
