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
        guard ask.takesContext, pairs[pair].sharesContext, hasConfigurations(pair),
            let there = pairs[pair].configuration.shareable(pairs[pair].contexts)
        else { return nil }
        let contexts = pairs[pair].contexts
        var options = ask.options ?? .unset
        if let asked = options.contextLength, contexts.given(asked) > contexts.given(there) { return nil }
        options.contextLength = there
        return pairs[pair].configuration.serves(options, contexts) ? there : nil
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
    /// What a request has to ask for so that it finds the model as it wants it; nil where that is not known.
    fileprivate func shareable(_ contexts: Contexts) -> Int32? {
        options?.contextLength ?? (contexts.areMultiplied ? nil : context)
    }
}
