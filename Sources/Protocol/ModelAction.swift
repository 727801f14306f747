// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Parameters of `model.load`, `model.unload`, `model.pull`, `model.delete`, `model.copy` and `model.show`.
public struct ModelActionParams: Codable, Sendable, Equatable {
    public var model: String
    /// Name of the endpoint. Nil: for `load` the one that the scheduler would choose, for `unload` those that have it in memory, for `show`
    /// one that has it, else as `model_management` says.
    public var endpoint: String?
    /// Of `model.copy`: the new name.
    public var destination: String?
    /// Of `model.load`: as Ollama's `keep_alive`; nil for the endpoint's own.
    public var keepAlive: String?

    public init(model: String, endpoint: String? = nil, destination: String? = nil, keepAlive: String? = nil) {
        self.model = model
        self.endpoint = endpoint
        self.destination = destination
        self.keepAlive = keepAlive
    }
}

/// How an action on a model goes: notifications with the method `progress`, before the reply to the call.
public struct ModelProgress: Codable, Sendable, Equatable {
    public var endpoint: String
    /// In the endpoint's words, such as `pulling manifest`.
    public var status: String
    /// Bytes; nil where the endpoint does not tell.
    public var completed: Int?
    public var total: Int?

    public init(endpoint: String, status: String, completed: Int? = nil, total: Int? = nil) {
        self.endpoint = endpoint
        self.status = status
        self.completed = completed
        self.total = total
    }
}

/// Answer to the actions: what came of it on each endpoint. It failed everywhere: an error instead.
public struct ModelActionInfo: Codable, Sendable, Equatable {
    public struct Outcome: Codable, Sendable, Equatable {
        public var endpoint: String
        /// Empty where it was done.
        public var failure: String

        public init(endpoint: String, failure: String = "") {
            self.endpoint = endpoint
            self.failure = failure
        }
    }

    public var schema = ProductVersion.schema
    public var model: String
    public var outcomes: [Outcome]
    /// Of `model.show`: what the endpoint says of the model, as JSON text; nil for the others.
    public var details: String?

    public init(model: String, outcomes: [Outcome], details: String? = nil) {
        self.model = model
        self.outcomes = outcomes
        self.details = details
    }
}
