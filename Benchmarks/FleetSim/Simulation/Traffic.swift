// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// One request of a trace.
public struct SimulatedRequest: Sendable {
    public var at: Double
    public var model: Int
    public var key: Int
    public var conversation: Int
    /// 0 for the first of its conversation.
    public var turn: Int
    public var promptTokens: Int
    /// Of those, what the turn before ended with: warm where that turn went.
    public var sharedTokens: Int
    public var outputTokens: Int
    /// Seconds after which the client leaves if no token has come.
    public var patience: Double
    /// Tokens of context that it asks for (`num_ctx`); nil where it asks for none.
    public var context: Int?
}

/// How requests come.
public struct TrafficShape: Sendable {
    /// Of the load that the fleet carries with everything resident.
    public var load: Double
    /// Seconds of arrivals.
    public var duration: Double
    /// Bursts: for a tenth of the time the rate is three times as high.
    public var isBursty = true
    /// Exponent of the models' popularity.
    public var zipf = 1.0
    /// Seconds between two shifts of who is popular.
    public var shiftEvery = 1800.0
    /// The chance that a turn is followed by another.
    public var followUp = 0.35
    public var promptTokens = 300.0
    public var outputTokens = 150.0
    /// Relative demand of the keys.
    public var keys: [Double] = [8, 4, 2, 1, 1]
    /// Tokens of context that the keys ask for; a key beyond the last asks for none.
    public var contexts: [Int?] = []

    public init(load: Double, duration: Double) {
        self.load = load
        self.duration = duration
    }

    /// Long conversations with long prompts, where a warm prefix is worth much.
    public static func conversations(load: Double, duration: Double) -> TrafficShape {
        var shape = TrafficShape(load: load, duration: duration)
        shape.followUp = 0.8
        shape.promptTokens = 1500
        return shape
    }

    /// Ten keys that want as much of everything. With `differ`, three of them ask for another context than the rest. The requests are the
    /// same either way.
    public static func configurations(load: Double, duration: Double, differ: Bool = true) -> TrafficShape {
        var shape = TrafficShape(load: load, duration: duration)
        shape.keys = Array(repeating: 1, count: 10)
        if differ { shape.contexts = [16_384, 16_384, 16_384] }
        return shape
    }

    /// One key asks for far more than the fleet can do; the four others for what is left to them easily.
    public static func flood(duration: Double) -> TrafficShape {
        var shape = TrafficShape(load: 4.4, duration: duration)
        shape.keys = [1, 1, 1, 1, 40]
        return shape
    }
}

/// The trace of one fleet, load and seed. The times do not depend on how requests are served: every rule gets the same.
public struct Traffic: Sendable {
    public private(set) var requests: [SimulatedRequest] = []

    public init(_ shape: TrafficShape, fleet: FleetShape, seed: UInt64) {
        var source = Source(shape, fleet: fleet, seed: seed)
        // The mean work decides how many requests make the load: measured on a first trace at any rate.
        let probe = source.make(rate: 1, until: 4000)
        let work = probe.map { Self.work($0, fleet) }.reduce(0, +) / Double(max(1, probe.count))
        let growth = Double(probe.count) / 4000
        source = Source(shape, fleet: fleet, seed: seed &+ 1)
        requests = source.make(rate: shape.load * fleet.capacity(meanWork: work) / growth, until: shape.duration)
    }

    /// The same requests in a shorter time.
    public func quicker(by factor: Double) -> Traffic {
        var traffic = self
        for index in requests.indices {
            traffic.requests[index].at /= factor
            traffic.requests[index].patience /= factor
        }
        return traffic
    }

    private static func work(_ request: SimulatedRequest, _ fleet: FleetShape) -> Double {
        let model = fleet.models[request.model]
        return Double(request.promptTokens - request.sharedTokens) / model.prefillRate + Double(request.outputTokens) / model.decodeRate
    }
}

/// Makes traces.
private struct Source {
    let shape: TrafficShape
    let fleet: FleetShape
    var random: SimulationRandom
    /// Models, most popular first.
    var ranks: [Int]
    var conversations = 0

    init(_ shape: TrafficShape, fleet: FleetShape, seed: UInt64) {
        self.shape = shape
        self.fleet = fleet
        random = SimulationRandom(seed: seed)
        ranks = Array(fleet.models.indices).shuffled(using: &random)
    }

    mutating func make(rate: Double, until end: Double) -> [SimulatedRequest] {
        let popularity = fleet.models.indices.map { pow(Double($0 + 1), -shape.zipf) }
        var requests: [SimulatedRequest] = []
        var now = 0.0
        var nextShift = shape.shiftEvery
        var isBurst = false
        var nextSwitch = random.exponential(mean: 270)
        while true {
            while shape.isBursty, now >= nextSwitch {
                isBurst.toggle()
                nextSwitch += random.exponential(mean: isBurst ? 30 : 270)
            }
            // A tenth of the time at three times the rate leaves 7/9 for the rest.
            let factor = shape.isBursty ? (isBurst ? 3.0 : 7.0 / 9) : 1
            now += random.exponential(mean: 1 / (rate * factor))
            guard now < end else { break }
            while now >= nextShift {
                nextShift += shape.shiftEvery
                for _ in 0..<max(1, ranks.count / 6) { ranks.swapAt(pick(popularity), Int.random(in: ranks.indices, using: &random)) }
            }
            converse(from: now, until: end, model: ranks[pick(popularity)], key: pick(shape.keys), into: &requests)
        }
        return requests.sorted { $0.at < $1.at }
    }

    /// All turns of a conversation. The next turn comes after the answer would have been read.
    private mutating func converse(from start: Double, until end: Double, model: Int, key: Int, into requests: inout [SimulatedRequest]) {
        var at = start
        var prompt = 0
        var shared = 0
        let conversation = conversations
        conversations += 1
        for turn in 0..<20 {
            let fresh = turn == 0 ? shape.promptTokens : shape.promptTokens / 5
            prompt += max(10, Int(random.logNormal(mean: fresh, sigma: 0.8)))
            let output = min(1500, max(5, Int(random.logNormal(mean: shape.outputTokens, sigma: 0.7))))
            let isImpatient = random.unit() < 0.05
            requests.append(
                SimulatedRequest(
                    at: at, model: model, key: key, conversation: conversation, turn: turn, promptTokens: prompt, sharedTokens: shared,
                    outputTokens: output, patience: isImpatient ? 2 + random.exponential(mean: 20) : 300,
                    context: key < shape.contexts.count ? shape.contexts[key] : nil))
            guard random.unit() < shape.followUp else { return }
            prompt += output
            shared = prompt
            at += Double(output) / fleet.models[model].decodeRate * 1.5 + 5 + random.exponential(mean: 25)
            guard at < end else { return }
        }
    }

    private mutating func pick(_ weights: [Double]) -> Int {
        var left = random.unit() * weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
            left -= weight
            if left < 0 { return index }
        }
        return weights.count - 1
    }
}
