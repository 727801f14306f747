// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: a load is foreseen where there is none, or comes where none was foreseen.
@Suite struct RunnerOptionsTests {
    private func options(_ text: String, of operation: Core.Operation = .ollamaChat) throws -> RunnerOptions? {
        try RequestFacts.read(ByteBuffer(string: #"{"model":"m","options":\#(text)}"#), for: operation).runnerOptions
    }

    @Test func readsWhatMakesOllamaLoad() throws {
        var all = RunnerOptions(contextLength: 8192)
        (all.batchSize, all.gpuLayers, all.mainGPU, all.threads, all.draftTokens) = (256, 20, 1, 4, 3)
        (all.usesMemoryMap, all.locksMemory, all.savesGPUMemory, all.usesNUMA) = (false, true, true, true)
        let text = """
            {"num_ctx": 8192, "temperature": 0.7, "num_batch": 256, "num_gpu": 20, "main_gpu": 1, "num_thread": 4, "use_mmap": false,
             "use_mlock": true, "stop": ["x"], "num_predict": 5, "low_vram": true, "numa": true, "draft_num_predict": 3}
            """
        #expect(try options(text) == all)
        let words = "num_ctx 8192, num_batch 256, num_gpu 20, main_gpu 1, num_thread 4, draft_num_predict 3, use_mmap false, use_mlock true"
        #expect(all.words == words + ", low_vram true, numa true")
    }

    @Test(arguments: [
        ("{}", nil), ("null", nil), ("7", nil), (#"{"temperature":0,"seed":4}"#, nil), (#"{"num_ctx":null}"#, nil),
        (#"{"num_ctx":1,"num_ctx":null}"#, nil), (#"{"use_mmap":true,"use_mmap":null}"#, nil),
        // Ollama takes any number, and no other spelling.
        (#"{"num_ctx":4096.0}"#, RunnerOptions(contextLength: 4096)), (#"{"NUM_CTX":1}"#, nil), (#"{"num_ctx":"1"}"#, nil),
        (#"{"num_ctx":1,"num_ctx":2}"#, RunnerOptions(contextLength: 2)), (#"{"num_gpu":-1}"#, nil), (#"{"num_ctx":1e300}"#, nil),
        (#"{"num\u005fctx":3}"#, RunnerOptions(contextLength: 3)),
        // What is the server's own anyway.
        (#"{"num_batch":512}"#, nil), (#"{"num_batch":256,"num_batch":512}"#, nil),
        (#"{"main_gpu":0,"num_thread":0,"use_mlock":false,"low_vram":false,"numa":false}"#, nil),
    ])
    func readsAsOllamaReads(_ text: String, _ expected: RunnerOptions?) throws { #expect(try options(text) == expected) }

    @Test func theLastOptionsAreThoseInForce() throws {
        func read(_ body: String) throws -> RunnerOptions? { try RequestFacts.read(ByteBuffer(string: body), for: .ollamaGenerate).runnerOptions }
        #expect(try read(#"{"options":{"num_ctx":1},"model":"m","Options":{"num_ctx":2}}"#) == RunnerOptions(contextLength: 2))
        // Several are one map, which `null` empties.
        #expect(try read(#"{"options":{"num_ctx":1},"model":"m","options":{"seed":2}}"#) == RunnerOptions(contextLength: 1))
        #expect(try read(#"{"options":{"num_ctx":1},"model":"m","options":null}"#) == nil)
    }

    @Test(arguments: Core.Operation.allCases)
    func onlyOllamasOwnRoutesHaveThem(_ operation: Core.Operation) throws {
        let own: Set<Core.Operation> = [.ollamaChat, .ollamaGenerate, .ollamaEmbed, .ollamaEmbeddings]
        #expect(try options(#"{"num_ctx":2}"#, of: operation) == (own.contains(operation) ? RunnerOptions(contextLength: 2) : nil))
    }

    // MARK: What is the same

    struct Row: Sendable {
        var there: LoadedConfiguration
        var asked: RunnerOptions
        var own: Int32?
        var most: Int32?
        var isSame: Bool
    }

    private static func context(_ value: Int32?) -> RunnerOptions { RunnerOptions(contextLength: value) }
    private static func by(_ asked: Int32?, told: Int32? = nil) -> LoadedConfiguration {
        LoadedConfiguration(options: context(asked), context: told)
    }

    @Test(arguments: [
        Row(there: by(8192), asked: context(8192), isSame: true),
        // A smaller one makes it load, too.
        Row(there: by(8192), asked: context(4096), isSame: false),
        Row(there: by(8192), asked: context(32768), isSame: false),
        Row(there: by(nil), asked: context(nil), isSame: true),
        Row(there: by(8192), asked: context(nil), isSame: false),
        Row(there: by(8192), asked: context(nil), own: 8192, isSame: true),
        Row(there: by(8192), asked: context(nil), own: 4096, isSame: false),
        Row(there: by(nil), asked: context(8192), isSame: false),
        Row(there: by(nil, told: 8192), asked: context(8192), isSame: true),
        Row(there: by(nil, told: 4096), asked: context(8192), isSame: false),
        // Beyond what the model was trained with, more is the same.
        Row(there: by(65536), asked: context(131072), most: 32768, isSame: true),
        Row(there: by(32768), asked: context(131072), most: 32768, isSame: true),
        Row(there: by(16384), asked: context(131072), most: 32768, isSame: false),
        // Below four there is nothing.
        Row(there: by(0), asked: context(4), isSame: true),
        Row(there: by(4), asked: context(-1), isSame: true),
        // Found by a poll: only the context is known, if that.
        Row(there: .unknown, asked: context(8192), isSame: true),
        Row(there: .unknown, asked: context(nil), isSame: true),
        Row(there: LoadedConfiguration(context: 8192), asked: context(8192), isSame: true),
        Row(there: LoadedConfiguration(context: 4096), asked: context(8192), isSame: false),
        Row(there: LoadedConfiguration(context: 4096), asked: context(nil), isSame: true),
        Row(there: LoadedConfiguration(context: 8192), asked: context(nil), own: 4096, isSame: false),
        // Versions that multiply it by their slots: the request's own word counts.
        Row(there: by(8192, told: 32768), asked: context(8192), isSame: true),
        Row(there: by(8192, told: 32768), asked: context(32768), isSame: false),
    ])
    func comparesAsOllamaCompares(_ row: Row) {
        #expect(row.there.serves(row.asked, .init(own: row.own, most: row.most)) == row.isSame, "\(row)")
    }

    @Test func otherOptionsCountToo() {
        let there = LoadedConfiguration(options: RunnerOptions(contextLength: 8192))
        for change: (inout RunnerOptions) -> Void in [
            { $0.batchSize = 1 }, { $0.gpuLayers = 1 }, { $0.mainGPU = 1 }, { $0.threads = 8 }, { $0.usesMemoryMap = true },
            { $0.locksMemory = true }, { $0.savesGPUMemory = true }, { $0.usesNUMA = true }, { $0.draftTokens = 2 },
        ] {
            var other = RunnerOptions(contextLength: 8192)
            change(&other)
            #expect(!there.serves(other, .init()), "\(other.words)")
        }
        // Whatever it has on the GPU suits who does not say.
        var layers = RunnerOptions(contextLength: 8192)
        layers.gpuLayers = 20
        #expect(LoadedConfiguration(options: layers).serves(RunnerOptions(contextLength: 8192), .init()))
        // And a mapping that was asked for does not suit who leaves it to the server.
        var mapped = RunnerOptions(contextLength: 8192)
        mapped.usesMemoryMap = false
        #expect(!LoadedConfiguration(options: mapped).serves(RunnerOptions(contextLength: 8192), .init()))
    }

    @Test(arguments: [
        ("", nil as String?, true), ("0.6.8", "gguf", true), ("0.7.0", "gguf", false), ("0.33.2", nil, false), ("0.7.0-rc1", nil, true),
    ])
    func optionsOfOlderVersionsCountThere(_ version: String, _ format: String?, _ counts: Bool) {
        var asked = RunnerOptions(contextLength: 8192)
        (asked.locksMemory, asked.usesNUMA, asked.savesGPUMemory) = (true, true, true)
        var contexts = LoadedConfiguration.Contexts()
        contexts.heeded = .init(version: version, format: format)
        #expect(Self.by(8192).serves(asked, contexts) == !counts)
        #expect(!Self.by(4096).serves(asked, contexts), "num_ctx always counts")
    }

    @Test func anEngineWithoutOptionsNeverLoadsForThem() {
        var contexts = LoadedConfiguration.Contexts()
        contexts.heeded = .init(version: "0.33.2", format: "safetensors")
        #expect(Self.by(4096).serves(Self.context(8192), contexts) && Self.by(4096, told: 4096).serves(Self.context(nil), contexts))
    }

    @Test func whatIsLoadedIsSaidAsFarAsItIsKnown() {
        var layers = RunnerOptions()
        layers.gpuLayers = 20
        func words(_ there: LoadedConfiguration, own: Int32? = nil, areMultiplied: Bool = false) -> String? {
            there.words(.init(own: own, areMultiplied: areMultiplied))
        }
        #expect(words(.unknown) == nil && words(LoadedConfiguration(context: 4096)) == "num_ctx 4096")
        #expect(words(Self.by(8192, told: 8192)) == "num_ctx 8192" && words(Self.by(8192, told: 32768)) == "num_ctx 8192")
        #expect(words(Self.by(nil)) == "the server's own" && words(Self.by(nil, told: 4096)) == "num_ctx 4096 (default)")
        #expect(words(Self.by(nil), own: 4096) == "num_ctx 4096 (default)")
        #expect(words(LoadedConfiguration(options: layers, context: 4096)) == "num_ctx 4096 (default), num_gpu 20")
        #expect(words(Self.by(nil, told: 16384), areMultiplied: true) == "the server's own", "a multiple of it says nothing to anybody")
    }
}
