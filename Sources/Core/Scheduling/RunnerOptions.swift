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
    /// Tokens that a small model drafts for a large one.
    public var draftTokens: Int32?
    public var usesMemoryMap: Bool?
    /// Older versions only, as the next two.
    public var locksMemory: Bool?
    public var savesGPUMemory: Bool?
    public var usesNUMA: Bool?

    /// Nothing is set.
    public static let unset = RunnerOptions()

    public init(contextLength: Int32? = nil) {
        self.contextLength = contextLength
    }

    /// Takes what the member `options` of a request's body sets.
    ///
    /// Ollama knows the names in this very spelling only, and refuses values of another kind: its answer is then the client's.
    ///
    /// Of several members with one name the last counts, and `null` as the last one leaves the option unset: all of them are one map.
    ///
    /// - Returns: the value of `num_ctx` that is in force.
    mutating func read(_ cursor: JSONCursor, _ options: JSONCursor.Value) -> ContextValue {
        guard options.kind == .object, var members = try? cursor.members(of: options) else { return options.kind == .null ? .absent : .refused }
        var context = ContextValue.absent
        while let member = try? members.next() {
            guard let name = Name(cursor, member) else { continue }
            let value = member.value
            if name == .contextLength { context = value.kind == .number || value.kind == .null ? .at(value.range) : .refused }
            if let number = cursor.double(value), number.magnitude < Double(Int32.max) {
                set(name, Int32(number))
            } else if let flag = cursor.bool(value) {
                set(name, flag)
            } else {
                unset(name)
            }
        }
        return context
    }

    /// What the `options` of a request say of `num_ctx`.
    enum ContextValue: Equatable {
        case absent
        /// Where its value stands, which may be `null`.
        case at(Range<Int>)
        /// A value of another kind than Ollama takes, for `num_ctx` or for all options.
        case refused
    }

    /// The names that these options have in a request.
    private enum Name: String {
        case contextLength = "num_ctx"
        case batchSize = "num_batch"
        case gpuLayers = "num_gpu"
        case mainGPU = "main_gpu"
        case threads = "num_thread"
        case draftTokens = "draft_num_predict"
        case usesMemoryMap = "use_mmap"
        case locksMemory = "use_mlock"
        case savesGPUMemory = "low_vram"
        case usesNUMA = "numa"

        /// By length first, so that each of the many other options costs one comparison.
        init?(_ cursor: JSONCursor, _ member: JSONCursor.Member) {
            if member.keyHasEscapes {
                self.init(rawValue: cursor.key(member))
                return
            }
            switch member.key.count {
            case 4 where cursor.isKey(member.key, "numa"): self = .usesNUMA
            case 7 where cursor.isKey(member.key, "num_ctx"): self = .contextLength
            case 7 where cursor.isKey(member.key, "num_gpu"): self = .gpuLayers
            case 8 where cursor.isKey(member.key, "main_gpu"): self = .mainGPU
            case 8 where cursor.isKey(member.key, "use_mmap"): self = .usesMemoryMap
            case 8 where cursor.isKey(member.key, "low_vram"): self = .savesGPUMemory
            case 9 where cursor.isKey(member.key, "num_batch"): self = .batchSize
            case 9 where cursor.isKey(member.key, "use_mlock"): self = .locksMemory
            case 10 where cursor.isKey(member.key, "num_thread"): self = .threads
            case 17 where cursor.isKey(member.key, "draft_num_predict"): self = .draftTokens
            default: return nil
            }
        }
    }

    /// Ollama's own `num_batch` (`DefaultOptions` in its `api/types.go`) for as long as it was a constant. Where the server chooses it, nobody
    /// tells what it chose, nor from which version on: then this is taken to be the same as nothing, too.
    private static let usualBatch: Int32 = 512

    /// A value that is the server's own wherever no model's file says otherwise is as good as none.
    private mutating func set(_ name: Name, _ value: Int32) {
        switch name {
        case .contextLength: contextLength = value
        case .batchSize: batchSize = value == Self.usualBatch ? nil : value
        // Below zero the server decides.
        case .gpuLayers: gpuLayers = value < 0 ? nil : value
        case .mainGPU: mainGPU = value == 0 ? nil : value
        case .threads: threads = value == 0 ? nil : value
        case .draftTokens: draftTokens = value
        case .usesMemoryMap, .locksMemory, .savesGPUMemory, .usesNUMA: break
        }
    }

    private mutating func set(_ name: Name, _ value: Bool) {
        switch name {
        // True and false differ, and both from a value that the server chose.
        case .usesMemoryMap: usesMemoryMap = value
        case .locksMemory: locksMemory = value ? true : nil
        case .savesGPUMemory: savesGPUMemory = value ? true : nil
        case .usesNUMA: usesNUMA = value ? true : nil
        case .contextLength, .batchSize, .gpuLayers, .mainGPU, .threads, .draftTokens: break
        }
    }

    private mutating func unset(_ name: Name) {
        switch name {
        case .contextLength: contextLength = nil
        case .batchSize: batchSize = nil
        case .gpuLayers: gpuLayers = nil
        case .mainGPU: mainGPU = nil
        case .threads: threads = nil
        case .draftTokens: draftTokens = nil
        case .usesMemoryMap: usesMemoryMap = nil
        case .locksMemory: locksMemory = nil
        case .savesGPUMemory: savesGPUMemory = nil
        case .usesNUMA: usesNUMA = nil
        }
    }

    /// Without those that newer versions do not know any more: they log a warning, and go on as if these were not there.
    fileprivate var withoutRetired: RunnerOptions {
        var rest = self
        (rest.locksMemory, rest.savesGPUMemory, rest.usesNUMA) = (nil, nil, nil)
        return rest
    }

    /// Those that are set, as a request says them.
    private var members: [(name: String, value: JSONValue)] {
        let all: [(Name, JSONValue?)] = [
            (.contextLength, contextLength.map { .integer(Int($0)) }), (.batchSize, batchSize.map { .integer(Int($0)) }),
            (.gpuLayers, gpuLayers.map { .integer(Int($0)) }), (.mainGPU, mainGPU.map { .integer(Int($0)) }),
            (.threads, threads.map { .integer(Int($0)) }), (.draftTokens, draftTokens.map { .integer(Int($0)) }),
            (.usesMemoryMap, usesMemoryMap.map { .bool($0) }), (.locksMemory, locksMemory.map { .bool($0) }),
            (.savesGPUMemory, savesGPUMemory.map { .bool($0) }), (.usesNUMA, usesNUMA.map { .bool($0) }),
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

    /// What a model's contexts come to on an endpoint, and what that heeds.
    struct Contexts: Equatable, Sendable {
        /// The one that the server gives to who asks for none; nil while it has not been seen.
        var own: Int32?
        /// The most that the model was trained with; nil where the endpoint does not tell.
        var most: Int32?
        /// The endpoint tells contexts times its parallel slots, as older versions do.
        var areMultiplied = false
        var heeded = Heeded.all

        /// Less than that no server gives.
        static let least: Int32 = 4

        /// What the server makes of a request's wish.
        func given(_ asked: Int32) -> Int32 { max(Self.least, most.map { min($0, asked) } ?? asked) }
    }

    /// Which options make the endpoint load.
    enum Heeded: Sendable {
        case all
        /// Without `use_mlock`, `low_vram` and `numa`, as from 0.7.0 on.
        case current
        /// The model's engine has none of these options: MLX, which runs models that are stored as safetensors.
        case none

        /// - Parameters:
        ///   - version: of the server; empty while it is not known.
        ///   - format: of the model's files; nil where the list does not tell.
        init(version: String, format: String?) {
            if format == "safetensors" {
                self = .none
            } else {
                self = version.isEmpty || ServerVersion(version) < ServerVersion("0.7.0") ? .all : .current
            }
        }
    }

    /// For people: `num_ctx 8192`, `num_ctx 4096 (default), num_gpu 20`; nil where nothing is known.
    func words(_ contexts: Contexts) -> String? {
        guard let options else { return context.map { "num_ctx \($0)" } }
        guard options.contextLength == nil, let own = contexts.areMultiplied ? nil : context ?? contexts.own else { return options.words }
        return "num_ctx \(own) (default)" + (options == .unset ? "" : ", \(options.words)")
    }

    /// Whether a request with these options finds the model as it wants it, so that nothing is loaded for it.
    ///
    /// The rule is that of `needsReload` in Ollama's `server/sched.go`, as of version 0.33. The runner starts anew if any runner option of the
    /// request differs from that with which it was started, a smaller `num_ctx` too, after these have been evened out:
    /// - `num_ctx`: at least 4, and at most what the model was trained with, on both sides. Where neither request says one, nor the model's
    ///   file, nor the environment, both are automatic and the same, whatever the server chose. Where one of them does, its value is compared
    ///   with what the server chose for the other.
    /// - `num_batch`: both automatic is the same. A value that is said is compared with what the server chose, which nobody tells; 512, which
    ///   was every server's own before, is taken to be that.
    /// - `use_mmap`: where the server chose for the loaded one, a request that does not say is content. Where the loaded one was told, it is not.
    /// - `num_gpu`: below zero, as it is where nothing is said, any is right. A number that is said has to be the one that was said.
    /// - `main_gpu`, `num_thread` and `draft_num_predict` are compared as they are. Zero is the default of the first two.
    /// - `use_mlock`, `low_vram` and `numa` counted before 0.7.0.
    /// - With MLX none of these counts.
    ///
    /// In older versions contexts were neither clamped nor automatic; the server's own was a constant, which comes to the same. They also tell
    /// a context that is multiplied by their parallel slots, which is why a request's own word comes before the report. Not seen from here:
    /// adapters and projectors, which change with the model only, a runner that has died, and a request's `shift`, which newest versions
    /// compare as well.
    ///
    /// What is not known is taken to be the same: the answer will tell.
    func serves(_ asked: RunnerOptions, _ contexts: Contexts) -> Bool {
        switch contexts.heeded {
        case .none: true
        case .current: hasSame(options?.withoutRetired, asked.withoutRetired, contexts)
        case .all: hasSame(options, asked, contexts)
        }
    }

    private func hasSame(_ options: RunnerOptions?, _ asked: RunnerOptions, _ contexts: Contexts) -> Bool {
        guard let options else {
            guard let context, let wanted = asked.contextLength.map(contexts.given) ?? contexts.own else { return true }
            return context == wanted
        }
        if options == asked { return true }
        var (there, wanted) = (options, asked)
        (there.contextLength, wanted.contextLength) = (nil, nil)
        if wanted.gpuLayers == nil { there.gpuLayers = nil }
        guard there == wanted else { return false }
        switch (options.contextLength, asked.contextLength) {
        case (nil, nil): return true
        case (let there?, let wanted?): return contexts.given(there) == contexts.given(wanted)
        case (nil, let wanted?): return (context ?? contexts.own) == contexts.given(wanted)
        case (let there?, nil): return contexts.own == contexts.given(there)
        }
    }
}
