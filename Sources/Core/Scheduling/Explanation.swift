// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What would be done with a request now, and what each alternative would cost. Times are seconds.
public struct Explanation: Sendable, Equatable {
    /// A part of a cost.
    public struct Part: Sendable, Equatable {
        /// Raw values are stable names for programs.
        public enum Name: String, Sendable, CaseIterable {
            /// To read the prompt, as fast as the endpoint is with what runs there.
            case prefill
            /// What the conversation's warm beginning saves of it; negative.
            case warm
            /// To load the model, or what is left of a load under way.
            case load
            /// Loads before it on the endpoint.
            case loadsBefore = "loads_before"
            /// Until the models in the way are idle.
            case busyModels = "busy_models"
            /// What the load costs those who would find their model pushed out.
            case harm
            /// Until a slot frees.
            case line
        }

        public var name: Name
        public var seconds: Double
        /// Answers by which it was measured, or loads for a load; 0 for a guess, nil for what follows from other figures.
        public var answers: Int?

        public init(_ name: Name, _ seconds: Double, answers: Int? = nil) {
            self.name = name
            self.seconds = seconds
            self.answers = answers
        }
    }

    /// One thing that could be done.
    public struct Option: Sendable, Equatable {
        /// Where; nil for waiting in line.
        public var endpoint: EndpointID?
        public var endpointName: String
        /// As the endpoint spells it; empty for the line.
        public var model: String
        /// What a grant would say; nil for the line and for what is impossible.
        public var why: Grant.Reason?
        /// Why it cannot be done now ("every slot is taken", "draining", ...); empty if it can.
        public var obstacle: String
        /// What the rule compares, harm and all; nil where it is impossible.
        public var cost: Double?
        /// Of that what the request itself would wait for: its expected time to the first token.
        public var expected: Double?
        public var parts: [Part]
        /// The same for people: one line.
        public var words: String
        /// With what the model is in memory there, for people; nil where it is not, or that is not known.
        public var configuration: String?
        /// What is counted with there; nil for the line.
        public var estimate: Estimate?

        public init(
            endpoint: EndpointID? = nil, endpointName: String = "", model: String = "", why: Grant.Reason? = nil, obstacle: String = "",
            cost: Double? = nil, expected: Double? = nil, parts: [Part] = [], words: String = ""
        ) {
            self.endpoint = endpoint
            self.endpointName = endpointName
            self.model = model
            self.why = why
            self.obstacle = obstacle
            self.cost = cost
            self.expected = expected
            self.parts = parts
            self.words = words
        }
    }

    /// The asked model.
    public var model: String
    /// Best first; what is impossible comes last.
    public var options: [Option]
    /// The option that a request would get now: an endpoint, or the line. Nil where it would be refused.
    public var chosen: Option?
    public var refusal: Refusal?
    /// Requests in line for the model.
    public var waiting: Int
    /// Requests a second for the model, lately.
    public var demand: Double

    public init(
        model: String, options: [Option] = [], chosen: Option? = nil, refusal: Refusal? = nil, waiting: Int = 0, demand: Double = 0
    ) {
        self.model = model
        self.options = options
        self.chosen = chosen
        self.refusal = refusal
        self.waiting = waiting
        self.demand = demand
    }
}
