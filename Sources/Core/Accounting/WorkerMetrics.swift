// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What one event loop has measured: plain values, added up over all loops when somebody asks.
///
/// A request costs it two look-ups by small numbers: names are put to them only when they are shown.
struct WorkerMetrics: Sendable {
    /// What was asked for, and how it was answered.
    struct Kind: Hashable, Sendable {
        var action: Route.Action
        /// 499 for a client that left.
        var status: Int

        /// How fast an endpoint refuses or fails says nothing about how fast it answers.
        fileprivate var hasTimes: Bool { status < 400 || status == 499 }
    }

    /// How often each kind came. A list, as a model has few kinds, and mostly the first: comparing costs less than a dictionary's hashing.
    struct KindCounts: Sendable {
        private(set) var all: [(kind: Kind, count: Int)] = []

        mutating func add(_ count: Int, _ kind: Kind) {
            for index in all.indices where all[index].kind == kind {
                all[index].count += count
                return
            }
            all.append((kind, count))
        }
    }

    /// One model on one endpoint.
    struct Place: Sendable {
        let endpoint: EndpointID
        var endpointName: String
        /// As the endpoint spells it.
        let model: String
        let tokenKey: TokenKey
        var requests = KindCounts()
        var timeToHead = Histogram(bounds: Histogram.seconds)
        var timeToFirstToken = Histogram(bounds: Histogram.seconds)
        /// Whole answers, and whole answers of vectors.
        var wholeTime = Histogram(bounds: Histogram.seconds)
        var embeddingsTime = Histogram(bounds: Histogram.seconds)
        var timePerToken = Histogram(bounds: Histogram.tokenSeconds)
        var tokens = TokenSum()
        /// What the token counter has not been told yet.
        var untold = TokenSum()

        init(_ placement: Placement, _ endpoint: Endpoint) {
            self.endpoint = endpoint.id
            endpointName = endpoint.name
            model = placement.listedModel
            tokenKey = TokenKey(endpoint: endpoint.address.url, model: ModelName.counted(placement.listedModel, placement.kind))
        }

        fileprivate mutating func count(_ kind: Kind, _ timings: AnswerTimings?, _ tokens: TokenSum) {
            requests.add(1, kind)
            if let timings, kind.hasTimes { record(timings) }
            self.tokens += tokens
            untold += tokens
        }

        private mutating func record(_ timings: AnswerTimings) {
            if timings.manner == .embeddings {
                if let whole = timings.whole { embeddingsTime.record(whole.seconds) }
                return
            }
            if let head = timings.timeToHead { timeToHead.record(head.seconds) }
            if let first = timings.timeToFirstToken { timeToFirstToken.record(first.seconds) }
            if let whole = timings.whole { wholeTime.record(whole.seconds) }
            if let perToken = timings.timePerToken { timePerToken.record(perToken.seconds) }
        }

        fileprivate mutating func add(_ other: Place) {
            for (kind, count) in other.requests.all { requests.add(count, kind) }
            timeToHead.add(other.timeToHead)
            timeToFirstToken.add(other.timeToFirstToken)
            wholeTime.add(other.wholeTime)
            embeddingsTime.add(other.embeddingsTime)
            timePerToken.add(other.timePerToken)
            tokens += other.tokens
        }
    }

    /// What an endpoint does, beyond the scheduler's books.
    struct OfEndpoint: Sendable {
        var times = AnswerTimes()
        /// Requests that were lost there and tried again elsewhere.
        var retries = 0
        /// Answers with a status of 400 to 499, a client's leaving aside.
        var clientErrors = 0

        static func + (left: OfEndpoint, right: OfEndpoint) -> OfEndpoint {
            var sum = left
            sum.times += right.times
            sum.retries += right.retries
            sum.clientErrors += right.clientErrors
            return sum
        }
    }

    /// What went to a model, whatever the endpoint.
    struct OfModel: Sendable, Equatable {
        var requests = 0
        /// Of answers.
        var tokens = 0

        static func + (left: OfModel, right: OfModel) -> OfModel {
            OfModel(requests: left.requests + right.requests, tokens: left.tokens + right.tokens)
        }
    }

    private(set) var endpoints: [EndpointID: OfEndpoint] = [:]

    /// By the scheduler's number of the pair, of which there are as many as endpoints have models: no client can make more.
    private(set) var places: [Int: Place] = [:]
    /// Requests that went to no model of an endpoint.
    private(set) var others: [Kind: Int] = [:]

    /// The first token of a streamed answer has come. To be told then, and again with the other times when the answer has ended.
    mutating func firstToken(_ endpoint: EndpointID, after time: TimeAmount) {
        endpoints[endpoint, default: OfEndpoint()].times.firstTokens.record(time)
    }

    mutating func retried(_ endpoint: EndpointID) { endpoints[endpoint, default: OfEndpoint()].retries += 1 }

    /// By the models' names as endpoints spell them.
    var models: [String: OfModel] {
        places.values.reduce(into: [:]) { models, place in
            models[place.model, default: OfModel()].requests += place.requests.all.reduce(0) { $0 + $1.count }
            models[place.model, default: OfModel()].tokens += place.tokens.output
        }
    }

    mutating func count(_ kind: Kind) { others[kind, default: 0] += 1 }

    /// - Parameter timings: nil where there was no answer, or none of a model's.
    mutating func count(_ kind: Kind, _ placement: Placement, _ shared: SharedEndpoint, _ timings: AnswerTimings?, tokens: TokenSum) {
        // Looked up once: each access to a value in a dictionary moves it out and in again.
        places[placement.pair, default: Place(placement, shared.endpoint)].count(kind, timings, tokens)
        if let timings, kind.hasTimes { endpoints[placement.endpoint, default: OfEndpoint()].times.record(timings) }
        if (400..<499).contains(kind.status) { endpoints[placement.endpoint, default: OfEndpoint()].clientErrors += 1 }
    }

    /// Tells the token counter what it has not been told.
    mutating func tell(_ counter: TokenCounter) {
        for (pair, place) in places where place.untold.total > 0 {
            counter.record(place.tokenKey, place.untold)
            places[pair]?.untold = TokenSum()
        }
    }

    /// A reload has given an endpoint another name.
    mutating func rename(_ names: (EndpointID) -> String?) {
        for (pair, place) in places {
            if let name = names(place.endpoint), name != place.endpointName { places[pair]?.endpointName = name }
        }
    }

    mutating func add(_ other: WorkerMetrics) {
        for (kind, count) in other.others { others[kind, default: 0] += count }
        for (pair, place) in other.places {
            if places[pair] == nil { places[pair] = place } else { places[pair]?.add(place) }
        }
    }
}
