// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Ollama's `options` as members of a `/v1` request.
enum OllamaOptions {
    /// Ollama's name to the one there. Those beyond OpenAI's own are llama-server's and vLLM's; a service that does not know
    /// one says so itself.
    private static let names: [String: String] = [
        "temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop", "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty", "top_k": "top_k", "min_p": "min_p", "typical_p": "typical_p", "repeat_penalty": "repeat_penalty",
        "repeat_last_n": "repeat_last_n", "mirostat": "mirostat", "mirostat_tau": "mirostat_tau", "mirostat_eta": "mirostat_eta",
    ]

    /// How a model is loaded. An OpenAI-compatible endpoint has loaded it as its operator wished; the answer's text does not
    /// depend on these, and most of Ollama's clients send one or another.
    private static let loadOptions: Set<String> = [
        "num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "use_mlock", "num_thread", "num_keep", "numa", "low_vram", "f16_kv", "vocab_only",
        "logits_all", "penalize_newline",
    ]

    static func translate(_ options: JSONValue?, into request: inout JSONValue) throws(TranslationError) {
        guard let options = options.given else { return }
        guard let members = options.object?.members else { throw .malformed("options", "options must be an object, not \(options.kind)") }
        for member in members where member.value != .null {
            if let name = names[member.key] {
                request[name] = member.value
            } else if member.key == "num_predict" {
                guard let count = member.value.integer else { throw .malformed("options.num_predict", "num_predict must be a whole number") }
                // -1 and -2 mean as much as there is room for, which is what an absent limit means there.
                if count >= 0 { request["max_tokens"] = .integer(count) }
            } else if !loadOptions.contains(member.key) {
                throw .unsupported("options.\(member.key)", "the option \(member.key) has no counterpart at an OpenAI-compatible endpoint")
            }
        }
    }
}
