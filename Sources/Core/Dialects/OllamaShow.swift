// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// `/api/show` for a model of a `/v1` endpoint: what its list tells, in Ollama's words. What it does not tell is left out.
enum OllamaShow {
    static func answer(_ model: ModelListing, loaded: LoadedModel?) -> JSONValue {
        let entry = (try? JSONValue(parsing: model.json)) ?? [:]
        let meta = entry["meta"].given
        let inputs = (entry["architecture"]?["input_modalities"]?.array ?? []).compactMap(\.string)
        var capabilities: [JSONValue] = ["completion"]
        if inputs.contains("image") { capabilities.append("vision") }
        let context = loaded?.contextLength ?? meta?["n_ctx"]?.integer ?? entry["max_model_len"]?.integer
        return [
            "details": [
                "parent_model": "", "format": meta == nil ? nil : "gguf", "family": "", "families": [],
                "parameter_size": .string(model.parameterSize ?? ""), "quantization_level": .string(model.quantization ?? ""),
            ],
            "model_info": [
                "general.parameter_count": meta?["n_params"].given, "general.file_type": meta?["ftype"].given,
                "general.context_length": (meta?["n_ctx_train"]?.integer ?? context).map(JSONValue.integer),
                "general.embedding_length": meta?["n_embd"].given, "general.vocab_size": meta?["n_vocab"].given,
            ],
            "parameters": context.map { .string("num_ctx \($0)") },
            "capabilities": .array(capabilities),
            "modified_at": model.modifiedAt.map { .string(WallClock.rfc3339(unixSeconds: $0, nanoseconds: nil)) },
        ]
    }
}

/// Rows of `/api/ps_details` for what is no Ollama server.
enum LoadedRow {
    static func llamaServer(_ model: LoadedModel, _ listing: ModelListing?) -> JSONValue {
        let entry = listing.flatMap { try? JSONValue(parsing: $0.json) } ?? [:]
        let status = entry["status"].given
        return [
            "name": .string(ModelName.shortName(model.name)), "id": .string(ModelName.shortName(model.name)), "original_name": .string(model.name),
            "digest": "", "details": ["quantization_level": .string(listing?.quantization ?? ModelName.quantization(model.name))],
            "status": .string(status?["value"]?.string ?? status?.string ?? "loaded"), "created": entry["created"].given,
            "owned_by": entry["owned_by"].given, "context_length": model.contextLength.map(JSONValue.integer),
            "llama_status_args": status?["args"].given, "llama_status_preset": status?["preset"].given,
        ]
    }
}
