// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a request asks of a `SimulatedServer`.
public struct ServerWork: Sendable {
    /// Chosen by the caller; no two at the same time may have the same.
    public var request: Int
    /// Index into the server's models.
    public var model: Int
    /// Requests of the same conversation find their prefix warm.
    public var conversation: Int
    public var promptTokens: Int
    /// Of those, what need not be computed where the conversation is warm.
    public var sharedTokens: Int
    public var outputTokens: Int
    /// Seconds that the model stays afterwards; nil for the machine's own.
    public var keepAlive: Double?
    /// Tokens of context that it asks for (`num_ctx`); nil for the server's own.
    public var context: Int?
    /// Of the load that it waited for.
    var loadSeconds = 0.0

    public init(
        request: Int, model: Int, conversation: Int, promptTokens: Int, sharedTokens: Int = 0, outputTokens: Int, keepAlive: Double? = nil,
        context: Int? = nil
    ) {
        self.request = request
        self.model = model
        self.conversation = conversation
        self.promptTokens = promptTokens
        self.sharedTokens = sharedTokens
        self.outputTokens = outputTokens
        self.keepAlive = keepAlive
        self.context = context
    }

    /// - Parameter context: what the router has it ask for instead of its own.
    init(_ asked: SimulatedRequest, request: Int, context: Int?) {
        self.init(
            request: request, model: asked.model, conversation: asked.conversation, promptTokens: asked.promptTokens,
            sharedTokens: asked.sharedTokens, outputTokens: asked.outputTokens, context: context ?? asked.context)
    }
}

/// What came of a `ServerWork`, times in seconds.
public struct WorkFigures: Sendable {
    /// Tokens of the prompt that were not computed.
    public var warmTokens = 0
    /// Of the load that it waited for; zero if its model was in memory.
    public var load = 0.0
    /// From a free slot to the first token.
    public var prefill = 0.0
    /// From the first token to the end.
    public var decode = 0.0
}

/// What happened on a `SimulatedServer`.
public enum ServerNotice: Sendable {
    case firstToken(request: Int)
    case finished(request: Int, WorkFigures)
    /// A load ended; nobody may have asked for it but the router.
    case loaded(model: Int, seconds: Double)
    case evicted(model: Int)
}
