// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the latest polls say of one endpoint. The scheduler, the merged lists and the operator all read this.
public struct EndpointReport: Sendable, Equatable {
    public var state: EndpointState
    /// What it turned out to be; nil while that is as configured, or not known.
    public var kind: EndpointKind?
    /// What its answers added to what every server of its kind can do.
    public var found: Capabilities
    /// The server's own version; empty while unknown.
    public var version: String
    /// All models that the endpoint has, in its own order.
    public var models: [ModelListing]
    /// The models in its memory.
    public var loaded: [LoadedModel]
    /// llama-server with one model: its true number of slots, where it tells; nil otherwise.
    public var slots: Int?

    public init(
        state: EndpointState, kind: EndpointKind? = nil, found: Capabilities = [], version: String = "", models: [ModelListing] = [],
        loaded: [LoadedModel] = [], slots: Int? = nil
    ) {
        self.state = state
        self.kind = kind
        self.found = found
        self.version = version
        self.models = models
        self.loaded = loaded
        self.slots = slots
    }
}

extension EndpointReport {
    /// What an endpoint of `kind` can do by all that is known.
    public func capabilities(of kind: EndpointKind) -> Capabilities {
        kind.capabilities(version: version).union(found)
    }

    /// The same, with what the operator says of it.
    func capabilities(of endpoint: Endpoint) -> Capabilities {
        let capabilities = capabilities(of: endpoint.kind)
        return endpoint.words?.corrected(capabilities) ?? capabilities
    }
}

/// A model that an endpoint has on disk or serves.
public struct ModelListing: Sendable, Equatable {
    /// As the endpoint spells it: what a request to it must say.
    public var name: String
    /// Other names by which the endpoint serves it, as far as it tells.
    public var aliases: [String] = []
    public var digest: String
    /// Bytes on disk; nil where the endpoint does not tell.
    public var sizeBytes: Int?
    public var parameterSize: String?
    public var quantization: String?
    /// Of its files (`gguf`, `safetensors`); nil where the endpoint does not tell.
    public var format: String?
    /// Tokens of context that it was trained with, or that a service of OpenAI's kind gives it; nil where the endpoint does not tell.
    public var contextLength: Int32?
    /// Unix seconds; nil where the endpoint does not tell.
    public var modifiedAt: Int?
    /// The entry of `/api/tags` (Ollama) or of `data[]` in `/v1/models` (llama-server), byte for byte.
    public var json: [UInt8]

    public init(
        name: String, digest: String = "", sizeBytes: Int? = nil, parameterSize: String? = nil, quantization: String? = nil,
        modifiedAt: Int? = nil, json: [UInt8] = []
    ) {
        self.name = name
        self.digest = digest
        self.sizeBytes = sizeBytes
        self.parameterSize = parameterSize
        self.quantization = quantization
        self.modifiedAt = modifiedAt
        self.json = json
    }
}

/// A model in an endpoint's memory.
public struct LoadedModel: Sendable, Equatable {
    public var name: String
    public var digest: String
    /// Bytes of GPU memory (`size_vram`), or of memory where there is no GPU; nil where the endpoint does not tell.
    public var sizeVramBytes: Int?
    /// RFC 3339 as the endpoint says it; nil where it does not tell.
    public var expiresAt: String?
    /// Tokens of context that it was loaded with; nil where the endpoint does not tell.
    public var contextLength: Int?
    /// Slots that the endpoint itself has for it; nil where it does not tell.
    public var slots: Int?
    /// It gave its memory back and wakes up with the next request.
    public var isSleeping = false
    /// The entry of `/api/ps`, byte for byte; empty for llama-server.
    public var json: [UInt8]

    public init(name: String, digest: String = "", sizeVramBytes: Int? = nil, expiresAt: String? = nil, json: [UInt8] = []) {
        self.name = name
        self.digest = digest
        self.sizeVramBytes = sizeVramBytes
        self.expiresAt = expiresAt
        self.json = json
    }
}
