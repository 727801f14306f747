// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Why models are loaded, and by whom. What breaks without these: clients that make an endpoint load at each request go unnoticed, or are
/// told of at each request.
@Suite struct LoadHistoryTests {
    private static let small = RunnerOptions(contextLength: 8192)
    private static let large = RunnerOptions(contextLength: 32768)
    private static let editor = Asker(address: "10.0.0.7", product: "continue")
    private static let script = Asker(address: "10.0.0.9", product: "")

    private static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000) + .seconds(seconds) }

    /// So many reloads in turns, one every `seconds`.
    ///
    /// - Returns: which of them, counted from 1, there was a warning at, and what it said.
    private static func thrash(_ count: Int, every seconds: Int64, _ options: [RunnerOptions] = [small, large]) -> [(at: Int, words: String)] {
        var history = LoadHistory()
        _ = history.note(isReload: false, options[options.count - 1], by: script, now: at(0))
        return (1...count).compactMap { number in
            let asked = options[(number - 1) % options.count]
            let asker = asked.contextLength == 8192 ? editor : script
            return history.note(isReload: true, asked, by: asker, now: at(Int64(number) * seconds)).map { (number, $0.words("gpu-1", "llama3.2")) }
        }
    }

    @Test func theFifthReloadWithinTenMinutesIsWarnedOf() {
        let told = Self.thrash(8, every: 30)
        #expect(told.map(\.at) == [5], "once, not at each")
        #expect(
            told.first?.words
                == "gpu-1 reloaded llama3.2 5 times in 10 minutes: num_ctx 8192 (10.0.0.7, continue) and 32768 (10.0.0.9): "
                + "`context: share` would avoid 5")
        #expect(Self.thrash(40, every: 200).isEmpty, "three in ten minutes are none too many")
    }

    @Test func itIsToldAgainWhenItGoesOn() {
        let told = Self.thrash(60, every: 42)
        #expect(told.map(\.at) == [5, 20, 35, 50])
        #expect(told[1].words.hasPrefix("gpu-1 reloaded llama3.2 15 times in 10 minutes: "))
    }

    @Test func whatSharingWouldAvoidIsCounted() {
        func avoidable(_ steps: [(before: RunnerOptions?, asked: RunnerOptions)]) -> Int {
            Thrash(steps.map { LoadHistory.Reload(at: Self.at(0), before: $0.before, asked: $0.asked, by: nil) }).avoidable
        }
        let (small, large) = (Self.small, Self.large)
        // The first time that more is asked for is needed.
        #expect(avoidable([(small, large), (large, small), (small, large), (large, small)]) == 3)
        #expect(avoidable([(large, small), (small, large)]) == 2)
        #expect(avoidable([(large, .unset), (.unset, large)]) == 2, "who asks for none gets what is there")
        #expect(avoidable([(.unset, large), (large, .unset)]) == 1)
        // In between it had gone, and came back with little.
        #expect(avoidable([(small, large), (small, large)]) == 0)
        #expect(avoidable([(nil, large), (large, small)]) == 1, "what was there is not known")
        // Other options cannot be shared.
        var layers = RunnerOptions(contextLength: 65536)
        layers.gpuLayers = 20
        #expect(avoidable([(large, layers), (layers, large), (large, layers)]) == 2, "any layers are right for who does not say")
        var batch = small
        batch.batchSize = 64
        #expect(avoidable([(large, batch), (batch, large)]) == 0)
    }

    @Test func manyWhoAskAreToldInShort() {
        var batch = RunnerOptions(contextLength: 2048)
        batch.batchSize = 64
        let asked = [Self.small, Self.large, .unset, batch, RunnerOptions(contextLength: 1024)]
        var reloads: [LoadHistory.Reload] = []
        for (index, options) in asked.enumerated() {
            for number in 0...(5 - index) {
                let asker = Asker(address: "10.0.0.\(number)", product: "")
                reloads.append(LoadHistory.Reload(at: Self.at(0), before: nil, asked: options, by: asker))
            }
        }
        let words = Thrash(reloads).words("a", "m")
        #expect(
            words.hasPrefix(
                "a reloaded m 20 times in 10 minutes: num_ctx 8192 (10.0.0.0; 10.0.0.1; 10.0.0.2; 3 more), "
                    + "num_ctx 32768 (10.0.0.0; 10.0.0.1; 10.0.0.2; 2 more), the server's own (10.0.0.0; 10.0.0.1; 10.0.0.2; 1 more) and 2 more"),
            "\(words)")
    }

    @Test func loadsAreCountedByTheirCause() {
        var history = LoadHistory()
        _ = history.note(isReload: false, .unset, by: nil, now: Self.at(0))
        // It did not come: the next is as much the first.
        _ = history.note(isReload: false, .unset, by: nil, now: Self.at(1))
        history.found()
        _ = history.note(isReload: false, .unset, by: nil, now: Self.at(2))
        _ = history.note(isReload: true, Self.small, by: Self.editor, now: Self.at(3))
        #expect(history.counts == [.first: 2, .evicted: 1, .configuration: 1])
        #expect(history.lately(now: Self.at(4)).map(\.asked) == [Self.small] && history.lately(now: Self.at(603)).isEmpty)
    }

    @Test(arguments: [
        ("10.0.0.7:50100", "continue/1.0 (x)", "10.0.0.7, continue"), ("[2001:db8::5]:80", "Mozilla/5.0 (X11)", "2001:db8::5, Mozilla"),
        ("10.0.0.7:1", nil, "10.0.0.7"), ("", "curl/8", "unknown client, curl"), ("10.0.0.7:1", "python-requests 2", "10.0.0.7, python-requests"),
        ("10.0.0.7:1", "na\u{ef}ve/1", "10.0.0.7, na"), ("h:1", String(repeating: "x", count: 900), "h, " + String(repeating: "x", count: 40)),
    ])
    func whoAsksIsTheAddressAndTheProduct(_ peer: String, _ agent: String?, _ words: String) {
        #expect(Asker(peer: peer, userAgent: agent).words == words)
    }
}
