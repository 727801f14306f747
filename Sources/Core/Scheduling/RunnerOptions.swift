// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The options of a request with which Ollama starts the process that runs a model: a request that has others makes it start anew, which
/// takes as long as the first load. All other options may change from request to request.
///
/// What is not set is the server's own, or the model's.
public struct RunnerOptions: Hashable, Sendable {
    /// Tokens of context.
    public var contextLength: Int32?
    public var batchSize: Int32?
    /// Layers on the GPU; negative where the server shall decide.
    public var gpuLayers: Int32?
    public var mainGPU: Int32?
    public var threads: Int32?
    public var usesMemoryMap: Bool?
    public var locksMemory: Bool?

    /// Nothing is set.
    public static let unset = RunnerOptions()

    public init(contextLength: Int32? = nil) {
        self.contextLength = contextLength
    }

    /// Takes what the member `options` of a request's body sets.
    ///
    /// Ollama knows the names in this very spelling only, and refuses values of another kind: its answer is then the client's.
    ///
    /// - Returns: where the value of `num_ctx` stands that is in force; nil where there is none.
    mutating func read(_ cursor: JSONCursor, _ options: JSONCursor.Value) -> Range<Int>? {
        guard options.kind == .object, var members = try? cursor.members(of: options) else { return nil }
        var place: Range<Int>?
        while let member = try? members.next() {
            guard let name = Name(cursor, member) else { continue }
            let value = member.value
            if let number = cursor.double(value), number.magnitude < Double(Int32.max) {
                set(name, Int32(number))
                if name == .contextLength { place = value.range }
            } else if let flag = cursor.bool(value) {
                set(name, flag)
            }
        }
        return place
    }

    /// The names that these options have in a request.
    private enum Name: String {
        case contextLength = "num_ctx"
        case batchSize = "num_batch"
        case gpuLayers = "num_gpu"
        case mainGPU = "main_gpu"
        case threads = "num_thread"
        case usesMemoryMap = "use_mmap"
        case locksMemory = "use_mlock"

        /// By length first, so that each of the many other options costs one comparison.
        init?(_ cursor: JSONCursor, _ member: JSONCursor.Member) {
            if member.keyHasEscapes {
                self.init(rawValue: cursor.key(member))
                return
            }
            switch member.key.count {
            case 7 where cursor.isKey(member.key, "num_ctx"): self = .contextLength
            case 7 where cursor.isKey(member.key, "num_gpu"): self = .gpuLayers
            case 8 where cursor.isKey(member.key, "main_gpu"): self = .mainGPU
            case 8 where cursor.isKey(member.key, "use_mmap"): self = .usesMemoryMap
            case 9 where cursor.isKey(member.key, "num_batch"): self = .batchSize
            case 9 where cursor.isKey(member.key, "use_mlock"): self = .locksMemory
            case 10 where cursor.isKey(member.key, "num_thread"): self = .threads
            default: return nil
            }
        }
    }

    private mutating func set(_ name: Name, _ value: Int32) {
        switch name {
        case .contextLength: contextLength = value
        case .batchSize: batchSize = value
        // Below zero the server decides, as it does where nothing is said.
        case .gpuLayers: gpuLayers = value < 0 ? nil : value
        case .mainGPU: mainGPU = value
        case .threads: threads = value
        case .usesMemoryMap, .locksMemory: break
        }
    }

    private mutating func set(_ name: Name, _ value: Bool) {
        switch name {
        case .usesMemoryMap: usesMemoryMap = value
        case .locksMemory: locksMemory = value
        case .contextLength, .batchSize, .gpuLayers, .mainGPU, .threads: break
        }
    }

    /// Those that are set, as a request says them.
    private var members: [(name: String, value: JSONValue)] {
        let all: [(Name, JSONValue?)] = [
            (.contextLength, contextLength.map { .integer(Int($0)) }), (.batchSize, batchSize.map { .integer(Int($0)) }),
            (.gpuLayers, gpuLayers.map { .integer(Int($0)) }), (.mainGPU, mainGPU.map { .integer(Int($0)) }),
            (.threads, threads.map { .integer(Int($0)) }), (.usesMemoryMap, usesMemoryMap.map { .bool($0) }),
            (.locksMemory, locksMemory.map { .bool($0) }),
        ]
        return all.compactMap { name, value in value.map { (name.rawValue, $0) } }
    }

    /// The member `options` of a request.
    var json: JSONValue {
        var object: JSONValue = [:]
        for (name, value) in members { object[name] = value }
        return object
    }

    /// For people: `num_ctx 8192, num_gpu 20`; `the server's own` where nothing is set.
    public var words: String {
        let words = members.map { "\($0.name) \($0.value.text)" }
        return words.isEmpty ? "the server's own" : words.joined(separator: ", ")
    }
}

/// With what a model is in memory, as far as that is known: by the request that had it loaded, and by the endpoint's own report.
public struct LoadedConfiguration: Equatable, Sendable {
    /// Of the request that had it loaded; nil where somebody else had.
    public var options: RunnerOptions?
    /// Tokens of context, as the endpoint tells (`context_length` of `/api/ps`).
    public var context: Int32?

    /// Nobody has told anything.
    public static let unknown = LoadedConfiguration()

    public init(options: RunnerOptions? = nil, context: Int32? = nil) {
        self.options = options
        self.context = context
    }

    /// What a model's contexts come to on an endpoint.
    struct Contexts: Equatable, Sendable {
        /// The one that the server gives to who asks for none; nil while it has not been seen.
        var own: Int32?
        /// The most that the model was trained with; nil where the endpoint does not tell.
        var most: Int32?
        /// The endpoint tells contexts times its parallel slots, as older versions do.
        var areMultiplied = false

        /// What the server makes of a request's wish.
        func given(_ asked: Int32) -> Int32 { most.map { min($0, asked) } ?? asked }
    }

    /// Whether a request with these options finds the model as it wants it, so that nothing is loaded for it.
    ///
    /// The rule is that of `needsReload` in Ollama's `server/sched.go`: the runner starts anew if any of its options differs, a smaller
    /// `num_ctx` too. Four things soften it. A `num_gpu` below zero is any. A context above the one that the model was trained with
    /// counts as that. What neither request sets is the same. A context that only one of them sets is compared with what the server chose
    /// for the other. (Older versions tell a context that is multiplied by their parallel slots, which is why a request's own word comes
    /// before the report.)
    ///
    /// What is not known is taken to be the same: the answer will tell.
    func serves(_ asked: RunnerOptions, _ contexts: Contexts) -> Bool {
        guard let options else {
            guard let context, let wanted = asked.contextLength.map(contexts.given) ?? contexts.own else { return true }
            return context == wanted
        }
        if options == asked { return true }
        let isGPUSame = asked.gpuLayers == nil || asked.gpuLayers == options.gpuLayers
        guard isGPUSame, options.batchSize == asked.batchSize, options.mainGPU == asked.mainGPU, options.threads == asked.threads,
            options.usesMemoryMap == asked.usesMemoryMap, options.locksMemory == asked.locksMemory
        else { return false }
        switch (options.contextLength, asked.contextLength) {
        case (nil, nil): return true
        case (let there?, let wanted?): return contexts.given(there) == contexts.given(wanted)
        case (nil, let wanted?): return (context ?? contexts.own) == contexts.given(wanted)
        case (let there?, nil): return contexts.own == contexts.given(there)
        }
    }
}
