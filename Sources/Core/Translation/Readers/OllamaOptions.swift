// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Ollama's `options`, as far as they say how tokens are chosen.
enum OllamaOptions {
    /// The same name means the same in every dialect that knows it. Those beyond OpenAI's own are llama-server's and vLLM's; a service that
    /// does not know one says so itself.
    static let parameters = Sampling.Parameter.allCases.filter { $0 != .logit_bias }

    /// How a model is loaded. An OpenAI-compatible endpoint has loaded it as its operator wished; the answer's text does not depend on
    /// these, and most of Ollama's clients send one or another.
    static let loadOptions = [
        "num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "use_mlock", "num_thread", "num_keep", "numa", "low_vram", "f16_kv", "vocab_only",
        "logits_all", "penalize_newline",
    ]

    /// - Returns: the options that are left out.
    static func read(_ options: JSONValue?, into sampling: inout Sampling) throws(TranslationError) -> [String] {
        guard let options = options.given else { return [] }
        guard options.object != nil else { throw .malformed("options", "options must be an object, not \(options.kind)") }
        for parameter in parameters { sampling.values[parameter] = options[parameter.rawValue].given }
        sampling.stop = options["stop"].given
        if let count = options["num_predict"].given {
            guard let limit = count.integer else { throw .malformed("options.num_predict", "num_predict must be a whole number") }
            // -1 and -2 mean as much as there is room for, which is what an absent limit means elsewhere.
            if limit >= 0 { sampling.maxTokens = count }
        }
        return try FieldTable.ollamaOptions.check(options, prefix: "options.")
    }

    /// The other way round.
    static func write(_ sampling: Sampling) -> JSONValue? {
        var options: JSONValue = [:]
        for parameter in parameters { options[parameter.rawValue] = sampling.values[parameter] }
        if let stop = sampling.stop { options["stop"] = stop.string == nil ? stop : [stop] }
        options["num_predict"] = sampling.maxTokens
        // Not as one expression: its nil would be a null of JSON.
        if options == [:] { return nil }
        return options
    }
}
