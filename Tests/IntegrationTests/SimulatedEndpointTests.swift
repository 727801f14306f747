// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// `simulated-endpoint` as a machine: what it says of its times are those of the simulation. What breaks without these: a replayed trace
/// agrees with the simulation or not, and nobody knows whose fault it is.
///
/// Asserted are times that the endpoint tells, which do not depend on how busy the machine is that runs it.
@Suite struct SimulatedEndpointTests {
    /// Ten times as quick as they say: a load of `big` takes 0.5 s + 6 s of the machine's time, 0.65 s of the clock's.
    private static func machine(_ more: [String] = []) throws -> SimulatedEndpointProcess {
        try SimulatedEndpointProcess(
            [
                "--model", "big=12GB,prefill=1000,decode=100", "--model", "small=4GB,prefill=1000,decode=100", "--model", "tiny=2GB", "--memory",
                "15GB", "--bandwidth", "2GB/s", "--time-scale", "10", "--log",
            ] + more, pace: [])
    }

    private struct Answer {
        let status: Int
        let last: [String: Any]
        let text: String

        /// Seconds of the clock.
        func seconds(_ member: String) -> Double { (last[member] as? Double ?? -1) / 1e9 }
        func count(_ member: String) -> Int { last[member] as? Int ?? -1 }
    }

    private static func ask(_ endpoint: SimulatedEndpointProcess, _ model: String, _ messages: [String], tokens: Int = 1, _ more: String = "") throws
        -> Answer
    {
        let list = messages.enumerated().map { #"{"role":"\#($0 % 2 == 0 ? "user" : "assistant")","content":"\#($1)"}"# }.joined(separator: ",")
        let response = try RawClient.post(
            port: endpoint.port, "/api/chat",
            #"{"model":"\#(model)","stream":false,"messages":[\#(list)],"options":{"num_predict":\#(tokens)}\#(more)}"#)
        let object = (try? JSONSerialization.jsonObject(with: Data(response.body))) as? [String: Any] ?? [:]
        return Answer(status: response.status, last: object, text: (object["message"] as? [String: Any])?["content"] as? String ?? response.text)
    }

    private static func loaded(_ endpoint: SimulatedEndpointProcess) throws -> [String] {
        let list = try JSONSerialization.jsonObject(with: Data(RawClient.get(port: endpoint.port, "/api/ps").body)) as? [String: Any]
        return (list?["models"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }.sorted()
    }

    private static func isNear(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) <= 0.001 + 0.01 * expected }

    @Test func aLoadTakesWhatTheDiskTakesAndIsToldOnce() throws {
        let endpoint = try Self.machine()
        let cold = try Self.ask(endpoint, "big", ["Hello"])
        #expect(Self.isNear(cold.seconds("load_duration"), 0.65), "\(cold.last)")
        let warm = try Self.ask(endpoint, "big", ["Again"])
        #expect(warm.seconds("load_duration") < 0.001, "\(warm.last)")
        #expect(endpoint.log.contains("loaded big:latest in 650 ms"), "\(endpoint.log)")
    }

    /// The rule by which Ollama loads a model that is there already; without it nothing that is tested against it says anything of reloads.
    @Test func anotherContextLoadsAnew() throws {
        let endpoint = try SimulatedEndpointProcess(["--models", "m", "--log"], pace: ["--load-time", "20ms", "--token-time", "1ms"])
        // The context that a request asks for, and what the model has afterwards.
        let steps: [(asked: Int?, context: Int, loads: Int)] = [
            (nil, 4096, 1), (4096, 4096, 1), (8192, 8192, 2), (8192, 8192, 2), (4096, 4096, 3), (nil, 4096, 3), (999_999, 131_072, 4),
            (131_072, 131_072, 4),
        ]
        for step in steps {
            let options = step.asked.map { #","options":{"num_ctx":\#($0)}"# } ?? ""
            let body = #"{"model":"m","stream":false,"prompt":"hi"\#(options)}"#
            try #expect(RawClient.post(port: endpoint.port, "/api/generate", body).status == 200)
            let list = try RawClient.get(port: endpoint.port, "/api/ps").text
            #expect(list.contains(#""context_length":\#(step.context)}"#), "\(step): \(list)")
            #expect(endpoint.log.split(separator: "\n").count { $0.hasPrefix("loaded m:latest") } == step.loads, "\(step)")
        }
    }

    @Test func memoryIsCountedInBytesAndTheLeastRecentlyUsedGoes() throws {
        let endpoint = try Self.machine()
        _ = try Self.ask(endpoint, "small", ["Hello"])
        _ = try Self.ask(endpoint, "tiny", ["Hello"])
        _ = try Self.ask(endpoint, "small", ["Hello"])
        try #expect(Self.loaded(endpoint) == ["small:latest", "tiny:latest"])
        // 12 GB beside 4 and 2 in 15: both have to go, `tiny` first.
        _ = try Self.ask(endpoint, "big", ["Hello"])
        try #expect(Self.loaded(endpoint) == ["big:latest"])
        let evicted = endpoint.log.split(separator: "\n").filter { $0.hasPrefix("evicted") }
        #expect(evicted == ["evicted tiny:latest", "evicted small:latest"])
    }

    @Test func aModelThatIsTooLargeIsRefusedAndHoldsUpNobody() throws {
        let endpoint = try Self.machine(["--model", "huge=40GB"])
        let refused = try Self.ask(endpoint, "huge", ["Hello"])
        #expect(refused.status == 500 && refused.text.contains("requires more system memory"), "\(refused.text)")
        try #expect(Self.ask(endpoint, "tiny", ["Hello"]).status == 200)
    }

    @Test func loadsComeOneAfterTheOtherAndEachIsToldAlone() throws {
        let endpoint = try Self.machine(["--max-loaded", "3"])
        let clients = try ["small", "tiny"].map { model in
            let client = try RawClient(port: endpoint.port)
            try client.send(RawClient.request("POST", "/api/generate", body: #"{"model":"\#(model)","prompt":"Hi","stream":false}"#))
            return client
        }
        // 0.5 s + 2 s and 0.5 s + 1 s of the machine's; both would be told too long if they held their wait for the other.
        for (client, seconds) in zip(clients, [0.25, 0.15]) {
            let body = try JSONSerialization.jsonObject(with: Data(client.readResponse().body)) as? [String: Any]
            let told = (body?["load_duration"] as? Double ?? -1) / 1e9
            #expect(Self.isNear(told, seconds), "\(told) s instead of \(seconds)")
        }
    }

    @Test func theAnswerIsAsLongAsItIsAskedFor() throws {
        let endpoint = try Self.machine(["--loaded", "small", "--tokens", "5"])
        let answer = try Self.ask(endpoint, "small", ["one two three", "four five", "six"], tokens: 40)
        #expect(answer.count("eval_count") == 40 && answer.text.split(separator: " ").count == 40)
        #expect(answer.count("prompt_eval_count") == 6)
        // 40 tokens at 100 a second, ten times as quick.
        #expect(Self.isNear(answer.seconds("eval_duration"), 0.04), "\(answer.last)")
    }

    @Test func aPromptThatGoesOnIsReadFromWhereTheLastOneEnded() throws {
        let endpoint = try Self.machine(["--loaded", "small"])
        let question = Array(repeating: "word", count: 1000).joined(separator: " ")
        let first = try Self.ask(endpoint, "small", [question], tokens: 50)
        #expect(Self.isNear(first.seconds("prompt_eval_duration"), 0.1), "\(first.last)")
        // Of 1000 + 50 + 200 words 200 are new.
        let more = Array(repeating: "more", count: 200).joined(separator: " ")
        let second = try Self.ask(endpoint, "small", [question, first.text, more])
        #expect(Self.isNear(second.seconds("prompt_eval_duration"), 0.02), "\(second.last)")
        #expect(second.count("prompt_eval_count") == 1250)
        // Another conversation begins cold, and so does the same one where the model has gone meanwhile.
        let other = try Self.ask(endpoint, "small", ["entirely " + question])
        #expect(Self.isNear(other.seconds("prompt_eval_duration"), 0.1001), "\(other.last)")
        _ = try RawClient.post(port: endpoint.port, "/api/generate", #"{"model":"small","keep_alive":0}"#)
        try #expect(Self.loaded(endpoint).isEmpty)
        let cold = try Self.ask(endpoint, "small", [question, first.text, more])
        #expect(Self.isNear(cold.seconds("prompt_eval_duration"), 0.125), "\(cold.last)")
    }

    @Test func streamsSlowEachOther() throws {
        let endpoint = try Self.machine(["--loaded", "small", "--slowing", "1", "--speed", "2"])
        let alone = try Self.ask(endpoint, "small", ["Hello"], tokens: 400)
        #expect(Self.isNear(alone.seconds("eval_duration"), 0.2), "\(alone.last)")
        // As long as it lasts another one runs beside it, which halves its speed.
        let beside = try RawClient(port: endpoint.port)
        try beside.send(
            RawClient.request("POST", "/api/generate", body: #"{"model":"small","prompt":"Hi","options":{"num_predict":8000}}"#))
        _ = try beside.readHead()
        try beside.read(upTo: #""done":false"#)
        let slowed = try Self.ask(endpoint, "small", ["Hello"], tokens: 400)
        #expect(Self.isNear(slowed.seconds("eval_duration"), 0.4), "\(slowed.last)")
        // Who leaves slows nobody any more.
        beside.close()
        try eventually("a machine that is free again") {
            try Self.isNear(Self.ask(endpoint, "small", ["Hello"], tokens: 400).seconds("eval_duration"), 0.2)
        }
    }

    @Test func keepAliveOfARequestIsHeeded() throws {
        let endpoint = try Self.machine(["--loaded", "small"])
        _ = try Self.ask(endpoint, "tiny", ["Hello"], #","keep_alive":0"#)
        try #expect(Self.loaded(endpoint) == ["small:latest"])
        // Two seconds of the machine's.
        _ = try Self.ask(endpoint, "small", ["Hello"], #","keep_alive":2"#)
        try eventually("the model has left") { try Self.loaded(endpoint).isEmpty }
    }
}
