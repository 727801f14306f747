// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What becomes of a request that asks for less context than its model is loaded with, or for none.
public enum ContextPolicy: String, Sendable, CaseIterable {
    /// It goes on as it came, byte for byte, and the model is loaded anew for it.
    case asAsked = "as_asked"
    /// It gets the context that is there, which is never less than it asks for.
    case share
}

extension Scheduler {
    /// The context that the request is to ask for instead of its own, so that it finds the model as it is loaded; nil where it has to go on
    /// as it came.
    func sharedContext(_ pair: PairIndex, _ ask: Ask) -> Int32? {
        guard ask.takesContext, pairs[pair].sharesContext, hasConfigurations(pair) else { return nil }
        return pairs[pair].configuration.contextToShare(with: ask.options ?? .unset, pairs[pair].contexts)
    }

    /// Whether requests with these options find the model as they want it, or get the context that is there.
    func serves(_ pair: PairIndex, _ options: RunnerOptions) -> Bool {
        let configuration = pairs[pair].configuration
        return configuration.serves(options, pairs[pair].contexts)
            || (pairs[pair].sharesContext && configuration.contextToShare(with: options, pairs[pair].contexts) != nil)
    }

    /// Marks the pairs whose contexts are shared: what is said of a model goes before what is said of its endpoint, and that before what is
    /// said of all.
    mutating func setContextPolicies() {
        for index in pairs.indices {
            pairs[index].sharesContext = (places[pairs[index].place].endpoint.context ?? settings.context) == .share
        }
        for (name, policy) in settings.contextByModel {
            for candidate in lookUp(name).candidates { pairs[candidate.pair].sharesContext = policy == .share }
        }
    }
}

extension LoadedConfiguration {
    /// What a request with these options has to ask for so that it finds the model as it is loaded; nil where that does not do for it.
    fileprivate func contextToShare(with asked: RunnerOptions, _ contexts: Contexts) -> Int32? {
        guard let there = shareable(contexts) else { return nil }
        var options = asked
        if let asked = options.contextLength, contexts.given(asked) > contexts.given(there) { return nil }
        options.contextLength = there
        return serves(options, contexts) ? there : nil
    }

    /// What the model is loaded with, as a request says it; nil where that is not known.
    private func shareable(_ contexts: Contexts) -> Int32? {
        options?.contextLength ?? (contexts.areMultiplied ? nil : context)
    }
}
