// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// How a fake endpoint answers when no script says otherwise: as Ollama does, or llama-server on `/v1`.
public struct FakeModelServer: Sendable {
    public var version = "0.12.3"
    /// Tokens of each answer.
    public var tokens = 5
    /// Between two tokens, seconds.
    public var pace = 0.0
    /// Before the first one, seconds.
    public var delay = 0.0

    public init(version: String = "0.12.3", tokens: Int = 5, pace: Double = 0, delay: Double = 0) {
        self.version = version
        self.tokens = tokens
        self.pace = pace
        self.delay = delay
    }

    /// Holds each request until the gate opens, then answers well.
    public static func held(by gate: Gate) -> FakeEndpoint.Script {
        { connection, request in
            guard gate.pass() else { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
    }

    private static let created = "2026-01-02T03:04:05.678901234Z"

    // MARK: Lists

    private func full(_ model: String) -> String { model.contains(":") ? model : model + ":latest" }

    /// A digest that differs where the name does.
    static func digest(_ model: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in model.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let part = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - part.count) + part + String(repeating: "a", count: 48)
    }

    private static let details =
        #"{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"}"#

    func tags(_ models: [String]) -> String {
        let rows = models.map { model in
            #"{"name":"\#(full(model))","model":"\#(full(model))","modified_at":"2026-01-01T00:00:00.123456789+02:00","size":2019393189,"#
                + #""digest":"\#(Self.digest(model))","details":\#(Self.details),"capabilities":["completion"]}"#
        }
        return #"{"models":[\#(rows.joined(separator: ","))]}"#
    }

    func ps(_ models: [String]) -> String {
        let rows = models.map { model in
            #"{"name":"\#(full(model))","model":"\#(full(model))","size":3019393189,"digest":"\#(Self.digest(model))","details":\#(Self.details),"#
                + #""expires_at":"2099-01-01T00:00:00Z","size_vram":3019393189,"context_length":4096}"#
        }
        return #"{"models":[\#(rows.joined(separator: ","))]}"#
    }

    func llamaModels(_ models: [String]) -> String {
        let rows = models.map { #"{"id":"\#($0)","object":"model","created":1767225600,"owned_by":"llamacpp","meta":{"n_ctx_train":8192}}"# }
        return #"{"object":"list","data":[\#(rows.joined(separator: ","))]}"#
    }

    // MARK: Answers

    public func answer(_ request: ReceivedRequest, on connection: FakeConnection) {
        guard connection.pause(delay) else { return }
        let model = request.string("model") ?? request.string("name") ?? ""
        switch request.path {
        case "/api/chat": ollama(request, model, connection) { #""message":{"role":"assistant","content":"\#($0)"}"# }
        case "/api/generate": ollama(request, model, connection) { #""response":"\#($0)""# }
        case "/api/embed":
            let count = (request.json["input"] as? [Any])?.count ?? 1
            let rows = Array(repeating: "[0.25,-0.5,0.125]", count: count).joined(separator: ",")
            connection.answer(
                #"{"model":"\#(model)","embeddings":[\#(rows)],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}"#)
        case "/api/embeddings": connection.answer(#"{"embedding":[0.25,-0.5,0.125]}"#)
        case "/api/show":
            connection.answer(
                #"{"license":"none","modelfile":"FROM x","parameters":"stop \"<|eot|>\"","template":"{{ .Prompt }}","#
                    + #""details":\#(Self.details),"model_info":{"general.architecture":"llama"},"capabilities":["completion"],"#
                    + #""modified_at":"2026-01-01T00:00:00Z"}"#)
        case "/v1/chat/completions": openAI(request, model, connection, chat: true)
        case "/v1/completions": openAI(request, model, connection, chat: false)
        case "/v1/embeddings":
            let count = (request.json["input"] as? [Any])?.count ?? 1
            let rows = (0..<count).map { #"{"object":"embedding","embedding":[0.25,-0.5,0.125],"index":\#($0)}"# }.joined(separator: ",")
            connection.answer(
                #"{"object":"list","data":[\#(rows)],"#
                    + #""model":"\#(model)","usage":{"prompt_tokens":8,"total_tokens":8}}"#)
        default: connection.answer("404 page not found", status: "404 Not Found", contentType: "text/plain")
        }
    }

    private func word(_ index: Int) -> String { index == 0 ? "word0" : " word\(index)" }

    private var text: String { (0..<tokens).map(word).joined() }

    private func ollama(_ request: ReceivedRequest, _ model: String, _ connection: FakeConnection, _ part: (String) -> String) {
        let start = #"{"model":"\#(model)","created_at":"\#(Self.created)","#
        let figures =
            #","done":true,"done_reason":"stop","total_duration":5589157167,"load_duration":3013701500,"#
            + #""prompt_eval_count":11,"prompt_eval_duration":1160282000,"eval_count":\#(tokens),"eval_duration":1363000000}"#
        if request.json["stream"] as? Bool == false {
            guard connection.pause(pace * Double(tokens)) else { return }
            connection.answer(start + part(text) + figures)
            return
        }
        connection.startStream()
        for index in 0..<tokens {
            guard connection.sendChunk(start + part(word(index)) + #","done":false}"# + "\n"), connection.pause(pace) else { return }
        }
        connection.sendChunk(start + part("") + figures + "\n")
        connection.sendLastChunk()
    }

    private func openAI(_ request: ReceivedRequest, _ model: String, _ connection: FakeConnection, chat: Bool) {
        let usage = #""usage":{"prompt_tokens":11,"completion_tokens":\#(tokens),"total_tokens":\#(11 + tokens)}"#
        let kind = chat ? "chat.completion" : "text_completion"
        func object(_ kind: String, _ choices: String, _ extra: String = "") -> String {
            #"{"id":"chatcmpl-1","object":"\#(kind)","created":1767225600,"model":"\#(model)","system_fingerprint":"fp_ollama","choices":[\#(choices)]\#(extra)}"#
        }
        if request.json["stream"] as? Bool != true {
            let choice =
                chat
                ? #"{"index":0,"message":{"role":"assistant","content":"\#(text)"},"finish_reason":"stop"}"#
                : #"{"index":0,"text":"\#(text)","finish_reason":"stop"}"#
            guard connection.pause(pace * Double(tokens)) else { return }
            connection.answer(object(kind, choice, "," + usage))
            return
        }
        let chunkKind = chat ? kind + ".chunk" : kind
        connection.startStream("text/event-stream")
        for index in 0..<tokens {
            let choice =
                chat
                ? #"{"index":0,"delta":{"role":"assistant","content":"\#(word(index))"},"finish_reason":null}"#
                : #"{"index":0,"text":"\#(word(index))","finish_reason":null}"#
            guard connection.sendChunk("data: \(object(chunkKind, choice))\n\n"), connection.pause(pace) else { return }
        }
        let last = chat ? #"{"index":0,"delta":{},"finish_reason":"stop"}"# : #"{"index":0,"text":"","finish_reason":"stop"}"#
        connection.sendChunk("data: \(object(chunkKind, last))\n\n")
        if (request.json["stream_options"] as? [String: Any])?["include_usage"] as? Bool == true {
            connection.sendChunk("data: \(object(chunkKind, "", "," + usage))\n\n")
        }
        connection.sendChunk("data: [DONE]\n\n")
        connection.sendLastChunk()
    }
}
