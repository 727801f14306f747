// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What the error says, or nil where there is none.
private func complaint(_ body: () throws(ProbeError) -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        guard case .badAnswer(let what) = error else { return "another error: \(error)" }
        return what
    }
}

@Suite struct OllamaProbeTests {
    @Test func tagsAreReadAndKeptByteForByte() throws {
        let entry =
            #"{"name":"llama3.2:latest", "model":"llama3.2:latest","modified_at":"2024-10-01T12:00:00.5+02:00","size":2019393189,"digest":"a80c4f17","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"},"capabilities":["completion"],"new":{"x":[1]}}"#
        let models = try OllamaProbe.models(bytes(#"{"models":[\#(entry) , {"model":"b:1","size":"","modified_at":"","details":null}]}"#))
        #expect(models.count == 2)
        var expected = ModelListing(
            name: "llama3.2:latest", digest: "a80c4f17", sizeBytes: 2_019_393_189, parameterSize: "3.2B", quantization: "Q4_K_M",
            modifiedAt: 1_727_776_800, json: bytes(entry))
        expected.format = "gguf"
        #expect(models[0] == expected)
        // Nothing is made up for what is missing.
        #expect(models[1] == ModelListing(name: "b:1", json: bytes(#"{"model":"b:1","size":"","modified_at":"","details":null}"#)))
    }

    @Test(arguments: [#"{"models":[]}"#, #"{"models":null}"#, #"{"x":1,"models":[]}"#]) func anEmptyListIsFine(answer: String) throws {
        let models = try OllamaProbe.models(bytes(answer))
        let loaded = try OllamaProbe.loaded(bytes(answer))
        #expect(models.isEmpty && loaded.isEmpty)
    }

    @Test func psIsReadAndKeptByteForByte() throws {
        let entry =
            #"{"name":"a:latest","model":"a:latest","size":500,"digest":"d1","details":{},"expires_at":"2318-03-04T05:06:07.123456789Z","size_vram":400,"context_length":4096}"#
        let loaded = try OllamaProbe.loaded(bytes(#"{"models":[\#(entry),{"name":"cpu:latest","size":7,"size_vram":0}]}"#))
        var expected = LoadedModel(
            name: "a:latest", digest: "d1", sizeVramBytes: 400, expiresAt: "2318-03-04T05:06:07.123456789Z", json: bytes(entry))
        expected.contextLength = 4096
        #expect(loaded[0] == expected)
        #expect(loaded[1].sizeVramBytes == 7)
        #expect(loaded[1].expiresAt == nil)
    }

    @Test func versionIsRead() throws {
        let version = try OllamaProbe.version(bytes(#" {"version":"0.12.3"} "#))
        #expect(version == "0.12.3")
    }

    /// Breaks when a lying endpoint is believed, or when its operator cannot see what it said.
    @Test(arguments: [
        ("<html><body>404</body></html>", "expected an object at byte 0, found '<', it begins \"<html><body>404</body></html>\""),
        ("", "expected an object at byte 0, found the end"),
        ("[]", "expected an object at byte 0, found '[', it begins \"[]\""),
        (#"{"models":[{"name":"a"}"#, "expected ',' or ']' at byte 23, found the end, it begins \"{\"models\":[{\"name\":\"a\"}\""),
        (#"{"error":"x"}"#, "no \"models\" in it, it begins \"{\"error\":\"x\"}\""),
        (#"{"models":["a"]}"#, "models[0] is no object"), (#"{"models":[{"name":"a"},{"size":1}]}"#, "models[1] has no name"),
        (#"{"models":7}"#, "expected an array at byte 10, found '7', it begins \"{\"models\":7}\""),
    ])
    func badAnswersAreToldWithWhatWasWrong(answer: String, expected: String) {
        #expect(complaint { () throws(ProbeError) in _ = try OllamaProbe.models(bytes(answer)) } == expected)
        #expect(complaint { () throws(ProbeError) in _ = try OllamaProbe.loaded(bytes(answer)) } == expected)
    }

    @Test func terminalControlNeverPassesIntoAReason() {
        let what = complaint { () throws(ProbeError) in _ = try OllamaProbe.version(bytes("\u{1b}[2J\n\u{9b}boo")) }
        #expect(what?.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) } == false)
    }

    @Test(arguments: [
        (#"{"error":"busy"}"#, "busy"), (#"{"error":{"code":503,"message":"Loading model"}}"#, "Loading model"), ("oops", ""), ("{}", ""),
        (#"{"error":{}}"#, ""), (#"{"error":7}"#, ""),
    ])
    func messagesOfErrorsAreFound(answer: String, expected: String) {
        #expect(ProbeReading.errorMessage(bytes(answer)) == expected)
    }
}

@Suite struct LlamaServerProbeTests {
    private let single =
        #"{"models":[{"name":"smol","model":"smol","modified_at":"","size":"","digest":""}],"object":"list","data":[{"id":"smol","aliases":[],"object":"model","created":1700000000,"owned_by":"llamacpp","meta":{"vocab_type":2,"n_vocab":49152,"n_ctx_train":8192,"n_params":134515008,"size":91726080,"ftype":"Q4_1"}}]}"#

    @Test func theOneModelIsServedAndSoLoaded() throws {
        let (available, loaded) = try LlamaServerProbe.models(bytes(single))
        #expect(available.map(\.name) == ["smol"])
        #expect(available[0].sizeBytes == 91_726_080)
        #expect(available[0].parameterSize == "134.52M")
        #expect(available[0].quantization == "Q4_1")
        #expect(String(decoding: available[0].json, as: UTF8.self).hasPrefix(#"{"id":"smol","aliases""#))
        #expect(loaded == [LoadedModel(name: "smol")])
    }

    @Test func ofSeveralModelsTheStatusTells() throws {
        let states = ["unloaded", "loading", "loaded", "sleeping", "downloading", "downloaded", "unheard-of"]
        let data = states.map { #"{"id":"\#($0)","status":{"value":"\#($0)","args":[]},"meta":null}"# }.joined(separator: ",")
        let (available, loaded) = try LlamaServerProbe.models(bytes(#"{"data":[\#(data)]}"#))
        #expect(available.map(\.name) == states)
        #expect(loaded.map(\.name) == ["loaded", "sleeping"])
        #expect(loaded.map(\.isSleeping) == [false, true])
    }

    @Test func theStatusMayBeTextAndTheContextIsTold() throws {
        let (_, loaded) = try LlamaServerProbe.models(
            bytes(#"{"data":[{"id":"a","status":"loaded","meta":{"n_ctx":4096}},{"id":"b","status":"unloaded"},{"id":"c"}]}"#))
        #expect(loaded.map(\.name) == ["a", "c"])
        #expect(loaded.map(\.contextLength) == [4096, nil])
    }

    @Test func propsTellSlotsContextAndSleep() throws {
        let props = try LlamaServerProbe.props(
            bytes(#"{"default_generation_settings":{"params":{"n_ctx":1},"n_ctx":1024},"total_slots":2,"is_sleeping":true,"build_info":"b11434-x"}"#))
        #expect(props == LlamaServerProbe.Props(slots: 2, contextLength: 1024, isSleeping: true, build: "b11434-x"))
        #expect(try LlamaServerProbe.props(bytes("{}")) == LlamaServerProbe.Props())
        #expect(try LlamaServerProbe.slots(bytes(#"[{"id":0},{"id":1},{"id":2}]"#)) == 3)
        #expect(LlamaServerProbe.propsPath("a/b:c d") == "/props?model=a%2Fb%3Ac%20d&autoload=false")
    }

    /// Breaks when a client may not call a model by a name that its server has for it.
    @Test(arguments: [
        #"{"id":"m","aliases":["a","b"]}"#, #"{"id":"m","meta":{"n_ctx":8,"llamaswap":{"type":"model","aliases":["a","b"]}}}"#,
        #"{"aliases":["a","",7,null,"b"],"id":"m","meta":null}"#,
    ])
    func otherNamesAreRead(entry: String) throws {
        let answer = Array(#"{"data":[\#(entry),{"id":"n","aliases":null,"meta":{"aliases":["no"]}}]}"#.utf8)
        let models = try LlamaServerProbe.models(answer).available
        #expect(models.map(\.aliases) == [["a", "b"], []])
        #expect(try OpenAIProbe.models(answer).map(\.aliases) == [["a", "b"], []])
    }

    /// Breaks when an endpoint can make the books grow without end.
    @Test func soManyOtherNamesAreReadAndNoMore() throws {
        let names = (0..<10_000).map { "\"a\($0)\"" }.joined(separator: ",")
        let models = try OpenAIProbe.models(Array(#"{"data":[{"id":"m","aliases":[\#(names)]}]}"#.utf8))
        #expect(models[0].aliases.count == 256)
    }

    @Test func healthIsOkOrNot() throws {
        try LlamaServerProbe.health(bytes(#"{"status":"ok"}"#))
        #expect(complaint { () throws(ProbeError) in try LlamaServerProbe.health(bytes(#"{"status":"error"}"#)) } == "status is \"error\"")
        #expect(complaint { () throws(ProbeError) in try LlamaServerProbe.health(bytes("{}")) } != nil)
        #expect(LlamaServerProbe.isLoading(.status(503, message: "Loading model")))
        #expect(!LlamaServerProbe.isLoading(.status(500, message: "Loading model")))
    }

    @Test(
        arguments: [
            (0, nil), (-5, nil), (999, "999"), (22_700_000, "22.70M"), (1_000_000_000, "1B"), (3_212_749_888, "3.2B"), (70_553_706_560, "70.6B"),
            (Int.max, "9223372036.9B"), (134_515_008, "134.52M"),
        ] as [(Int, String?)])
    func parametersAreCountedAsOllamaDoes(count: Int, expected: String?) {
        #expect(LlamaServerProbe.parameterSize(count) == expected)
    }
}

/// What breaks without these: a server that speaks an agent's dialect is not spoken to in it, or one is that does not.
@Suite struct OptionalRouteTests {
    @Test(
        arguments: [
            (500, #"{"error":{"code":500,"message":"'messages' is required","type":"server_error"}}"#, true),
            (400, #"{"error":{"code":400,"message":"'input' is required","type":"invalid_request_error"}}"#, true),
            (422, #"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#, true),
            (400, #"{"type":"error","error":{"type":"invalid_request_error","message":"model: Field required"}}"#, true),
            (400, "missing or invalid 'model' key", true), (404, #"{"detail":"Not Found"}"#, false), (404, "404 page not found", false),
            (404, #"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#, false), (405, "", false), (501, "", false),
            (200, #"{"error":"Unexpected endpoint or method. (POST /v1/messages)"}"#, false),
            (400, #"{"error":"Unexpected endpoint or method. (POST /v1/messages)"}"#, false), (500, "internal error", false), (401, "", nil),
            (503, "", nil),
        ] as [(Int, String, Bool?)])
    func anEmptyQuestionTellsWhetherTheRouteIsThere(status: Int, body: String, isThere: Bool?) {
        #expect(OpenAIProbe.hasRoute(status: status, body: Array(body.utf8)) == isThere)
    }
}

@Suite struct RFC3339Tests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0, 0), ("2024-02-29T23:59:59Z", 1_709_251_199, 0), ("2026-11-24T03:00:28.25+02:00", 1_795_482_028, 250_000_000),
        ("2000-03-01T00:00:00-05:30", 951_888_600, 0), ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
    ])
    func timesBecomeSeconds(text: String, seconds: Int, nanoseconds: Int) throws {
        let time = try #require(RFC3339(text))
        #expect(time.unixSeconds == seconds)
        #expect(time.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2024", "2024-02-29", "2024-02-29T23:59:59", "2024-13-01T00:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T23:59:59.Z",
        "2024-02-29T23:59:59Zx",
    ])
    func otherTextsAreNoTimes(text: String) {
        #expect(RFC3339(text) == nil)
    }
}
