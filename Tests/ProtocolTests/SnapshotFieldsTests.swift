// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import FakeControl
import Foundation
import Testing

@testable import Protocol

/// Snapshots are written and read by tables of fields, beside `Codable`. Where the two disagree, a field is missing in the console
/// that every other call shows.
@Suite struct SnapshotFieldsTests {
    /// Nothing in it is empty or nil: what a table forgets would be missing in what it writes.
    static let full: SnapshotInfo = {
        var endpoint = EndpointInfo(
            name: "gpu\"1\\", url: "http://10.0.0.1:11434/x", kind: "ollama", state: "up", reason: "line\nbreak\u{1}\u{1f}", since: "s",
            version: "v\u{e9}\u{1F600}", inFlight: 1, limit: 2, waiting: 3, weight: 0.5, loaded: ["a"], available: ["a", "b"],
            inFlightByModel: ["my_Model": 4, "b": 1], requestsTotal: 5, tokensTotal: 6, failuresTotal: 7, abortsTotal: 8)
        endpoint.retriesTotal = 9
        endpoint.clientErrorsTotal = 10
        endpoint.loadedModels = [.init(name: "a", sizeVramBytes: 11, expiresAt: "e", contextLength: 12, inFlight: 13, slots: 14)]
        let loads = LoadsInfo(first: 1, evicted: 2, configuration: 3, asked: [.init(options: "o", address: "a", agent: "g", reloads: 4)])
        endpoint.loadedModels[0].configuration = "num_ctx 12"
        endpoint.loadedModels[0].loads = loads
        let estimates = EstimatesInfo(
            speed: 1.5, speedAnswers: 1, tokensPerSecond: 2.5, tokenAnswers: 3, loadS: 4.5, loads: 5, sizeBytes: 6, isSizeMeasured: true)
        endpoint.loadedModels[0].estimates = estimates
        endpoint.setAside = [.init(model: "a", reason: "r", since: "s", retryAt: "t")]
        endpoint.slots = 17
        endpoint.vramBytes = 14
        endpoint.configuredWeight = 0.25
        endpoint.hasKey = true
        endpoint.words = "for m: refuses: [user]"
        endpoint.requestsPerSecond = 15.25
        endpoint.tokensPerSecond = 1.0 / 3
        (endpoint.headP50Ms, endpoint.headP95Ms) = (1, 2)
        (endpoint.answerP50Ms, endpoint.answerP95Ms) = (3, 4)
        (endpoint.embeddingsP50Ms, endpoint.embeddingsP95Ms) = (5, 6)
        endpoint.ttftP50Ms = 1e-7
        endpoint.ttftP95Ms = 1e22
        endpoint.polledAgoMs = -16
        var cache = CacheInfo()
        cache.enabled = true
        cache.backend = "memory"
        cache.fault = "f"
        cache.semantic = true
        cache.semanticFault = "g"
        cache.vectors = 1
        cache.guarded = ["negation": 2]
        cache.exactHits = 3
        cache.semanticHits = 4
        cache.shared = 5
        cache.misses = 6
        cache.bypasses = ["tools": 7]
        cache.notKept = ["cut": 8]
        cache.entries = 9
        cache.bytes = 10
        cache.oldestS = 11
        cache.tokensSaved = 12
        cache.secondsSaved = 13.125
        cache.hitRates = [.init(minutes: 1, requests: 2, rate: 0.5), .init(minutes: 10, requests: 0, rate: nil)]
        cache.namespaces = [.init(name: "n", model: "m", tenant: "t", entries: 1, bytes: 2)]
        var status = StatusInfo(
            version: "0.1.0", pid: 1, uptimeS: 2.5, state: "running", listen: ["127.0.0.1:1"], configPath: "/c", connections: 3,
            endpoints: [endpoint], queue: .init(waiting: 1, oldestMs: 2, limit: 3, timeoutS: 4),
            requests: .init(inFlight: 1, waiting: 2, total: 3, completed: 4, failed: 5, aborted: 6, rejected: 7), cache: cache,
            storage: .init(fault: "x", setAside: "y"), accessLog: .init(path: "p", fault: "z", lostLines: 9))
        status.requests.perSecond = 1.5
        var request = RequestInfo(
            id: "r", client: "c", method: "POST", route: "/r", model: "m", endpoint: "e", phase: .loading, ageMs: 1, phaseMs: 2, tokens: 3,
            bytesSent: 4)
        request.key = "k"
        request.why = "w"
        request.tokensPerSecond = 38.2
        request.cache = "miss"
        var snapshot = SnapshotInfo(sequence: 1, atMs: 2, status: status, requests: [request])
        snapshot.queue = [WaiterInfo(id: "r", client: "c", key: "k", model: "m", ageMs: 1, position: 2, behind: ["a"], blockedBy: ["b"])]
        snapshot.queue[0].beginsInMs = 3
        var model = ModelInfo(
            name: "m", sizeBytes: 1, parameterSize: "p", quantization: "q", waiting: 2,
            places: [.init(endpoint: "e", name: "n", state: "s", inFlight: 1, limit: 2, sizeVramBytes: 3, expiresAt: "x")])
        model.places[0].configuration = "num_ctx 12"
        model.places[0].loads = loads
        model.places[0].estimates = estimates
        model.aliases = ["alias"]
        model.contextLength = 3
        model.requestsTotal = 4
        model.tokensTotal = 5
        snapshot.models = [model]
        snapshot.events = [EventInfo(sequence: 1, at: "a", level: "info", message: "m", facts: ["k": "v"])]
        return snapshot
    }()

    private func written(_ value: some WireValue) -> String {
        var writer = JSONWriter()
        value.write(to: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func read<Value: WireValue>(_ type: Value.Type, _ text: String) throws -> Value {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes, rules: Wire.rules)
            let value = try Value.read(from: &cursor)
            try cursor.takeEnd()
            return value
        }
    }

    @Test func theTablesSayWhatCodableSays() throws {
        let expected = String(decoding: try Wire.encode(Self.full), as: UTF8.self)
        #expect(written(Self.full) == expected)
        let back = try read(SnapshotInfo.self, expected)
        #expect(back == Self.full)
    }

    /// A field that is left at its default in `full` could be forgotten unseen.
    @Test func theSampleHasEveryField() {
        func check(_ value: Any, _ path: String) {
            let mirror = Mirror(reflecting: value)
            if mirror.displayStyle == .optional { #expect(!mirror.children.isEmpty, "\(path) is nil") }
            if mirror.displayStyle == .collection || mirror.displayStyle == .dictionary { #expect(!mirror.children.isEmpty, "\(path) is empty") }
            if let text = value as? String { #expect(!text.isEmpty, "\(path) is empty") }
            if let number = value as? Int { #expect(number != 0 || path.hasSuffix("requests"), "\(path) is 0") }
            for child in mirror.children where child.label != "rate" { check(child.value, "\(path).\(child.label ?? "")") }
        }
        check(Self.full, "snapshot")
    }

    @Test func whatIsAbsentIsLeftOut() throws {
        for model in Sample.models { #expect(try written(model) == String(decoding: Wire.encode(model), as: UTF8.self)) }
        for endpoint in Sample.endpoints { #expect(try written(endpoint) == String(decoding: Wire.encode(endpoint), as: UTF8.self)) }
        #expect(try read(ModelInfo.self, #"{"name":"a","size_bytes":null}"#).sizeBytes == nil)
    }

    @Test(arguments: [
        0, 1, -1, 0.5, -0.25, 38.2, 0.001, 0.0005, 1234567.891, 1e-7, 1.7976931348623157e308, 1e21, 1e22, 9007199254740992, 0.1 + 0.2,
        123456789012.345, -0.0, 1.0 / 3, 299.99999999999994,
    ])
    func numbersAreTheShortestThatReadBackTheSame(value: Double) throws {
        let text = written(value)
        #expect(try read(Double.self, text) == value)
        #expect(Double(text) == value)
        if value.magnitude < 1e15 { #expect(text.count <= value.description.count) }
    }

    @Test func integersReachFromTheLeastToTheGreatest() throws {
        for value in [Int.min, -1, 0, 7, Int.max] { #expect(try read(Int.self, written(value)) == value) }
        for text in ["9223372036854775808", "-9223372036854775809", "1.5", "1e3", "\"1\"", "", "-"] {
            #expect(throws: JSONError.self) { try read(Int.self, text) }
        }
    }

    @Test func textsAreReadWithTheirEscapes() throws {
        #expect(try read(String.self, #""a\"\\\/\b\f\n\r\té😀""#) == "a\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1F600}")
        #expect(try read(String.self, #""\ud83d\ude00""#) == "\u{1F600}")
        for text in [#""\u12""#, #""\ud800x""#, #""\ud800\u0041""#, #""\ude00""#, #""\x""#, "\"a\nb\"", "\"abc", #""\"#] {
            #expect(throws: JSONError.self) { try read(String.self, text) }
        }
    }
}
