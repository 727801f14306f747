// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Answers of `/v1/chat/completions` and `/v1/completions` as `/api/chat` and `/api/generate` would have given them.
///
/// Counts and durations are what the endpoint told or what was measured here; what is not known is left out.
struct ChatToOllama: AnswerTranslation {
    enum Route: Sendable {
        case chat, generate
        /// `/api/generate` by way of `/v1/completions`.
        case raw
    }

    /// As the client asked for it.
    let model: String
    let route: Route
    /// The client wants no thinking, and the endpoint thinks all the same.
    let hidesThinking: Bool
    /// Tokens of other requests that were made for this answer: counted as its own.
    var spent = TokenSum()
    private var calls = ToolCallDeltas()
    private var reason: String?
    private var usage: JSONValue?
    private var timings: JSONValue?
    private var eval: Int?

    let streamType = "application/x-ndjson"

    init(model: String, route: Route, hidesThinking: Bool) {
        self.model = model
        self.route = route
        self.hidesThinking = hidesThinking
    }

    // MARK: Streams

    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String {
        if let usage = item["usage"].given { self.usage = usage }
        if let timings = item["timings"].given { self.timings = timings }
        // Several choices would be several answers, which Ollama does not know; `n` is never asked for.
        guard let choice = item["choices"]?.array?.first else { return "" }
        let delta = choice["delta"] ?? choice
        var text = ""
        calls.add(delta["tool_calls"].given?.array ?? [])
        if let reason = choice["finish_reason"].given?.string { self.reason = reason }
        let thinking = hidesThinking ? "" : Self.thinking(delta)
        let content = delta[route == .raw ? "text" : "content"].given?.string ?? ""
        if !thinking.isEmpty || !content.isEmpty {
            eval = time.sinceFirstItem
            text += line(part(content: content, thinking: thinking, logprobs: Self.logprobs(choice)), time)
        }
        return text
    }

    mutating func end(_ time: AnswerTime) -> String {
        guard reason != nil || !calls.isEmpty else { return fail("the endpoint's stream ended without a finish reason", status: 502) }
        var text = ""
        let rest = calls.finish()
        if !rest.isEmpty { text += line(part(content: "", calls: rest), time) }
        var last = part(content: "")
        last["done"] = true
        last["done_reason"] = .string(Self.doneReason(reason))
        text += line(merge(last, figures(usage, timings, time, eval: eval)), time)
        return text
    }

    mutating func fail(_ message: String, status: Int) -> String {
        OllamaText.error(message) + "\n"
    }

    /// One line. `done` comes last where it is false, as Ollama writes it.
    private func line(_ fields: JSONValue, _ time: AnswerTime) -> String {
        var object: JSONValue = ["model": .string(model), "created_at": .string(time.now)]
        object = merge(object, fields)
        if object["done"] == nil { object["done"] = false }
        return object.text + "\n"
    }

    // MARK: Whole answers

    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue {
        guard let choice = answer["choices"]?.array?.first else {
            throw TranslationError(status: 502, field: "choices", message: "the endpoint's answer has no choices")
        }
        let message = choice["message"] ?? choice
        let content = message[route == .raw ? "text" : "content"].given?.string ?? ""
        let calls = (message["tool_calls"].given?.array ?? []).map { ToolCallDeltas.ollamaCall($0) }
        var object: JSONValue = ["model": .string(model), "created_at": .string(time.now)]
        object = merge(
            object,
            part(content: content, thinking: hidesThinking ? "" : Self.thinking(message), calls: calls, logprobs: Self.logprobs(choice)))
        object["done"] = true
        object["done_reason"] = .string(Self.doneReason(choice["finish_reason"].given?.string))
        return merge(object, figures(answer["usage"].given, answer["timings"].given, time, eval: nil))
    }

    // MARK: Parts

    /// `message`, or `response` and its companions.
    private func part(content: String, thinking: String = "", calls: [JSONValue] = [], logprobs: JSONValue? = nil) -> JSONValue {
        let thinking: JSONValue? = thinking.isEmpty ? nil : .string(thinking)
        let calls: JSONValue? = calls.isEmpty ? nil : .array(calls)
        switch route {
        case .chat:
            return [
                "message": ["role": "assistant", "content": .string(content), "thinking": thinking, "tool_calls": calls], "logprobs": logprobs,
            ]
        case .generate, .raw: return ["response": .string(content), "thinking": thinking, "tool_calls": calls, "logprobs": logprobs]
        }
    }

    private func figures(_ usage: JSONValue?, _ timings: JSONValue?, _ time: AnswerTime, eval: Int?) -> JSONValue {
        // Whatever an endpoint says: a number beyond all reason is none.
        func nanoseconds(_ key: String) -> JSONValue? {
            timings?[key]?.double.flatMap { Int(exactly: ($0 * 1e6).rounded(.towardZero)) }.map(JSONValue.integer)
        }
        let prompt = usage?["prompt_tokens"]?.integer ?? sum(timings?["cache_n"]?.integer, timings?["prompt_n"]?.integer)
        return [
            "total_duration": .integer(time.total),
            "prompt_eval_count": prompt.map { .integer($0 &+ spent.input) },
            "prompt_eval_duration": nanoseconds("prompt_ms"),
            "eval_count": (usage?["completion_tokens"]?.integer ?? timings?["predicted_n"]?.integer).map { .integer($0 &+ spent.output) },
            "eval_duration": nanoseconds("predicted_ms") ?? eval.map(JSONValue.integer),
        ]
    }

    private func sum(_ one: Int?, _ other: Int?) -> Int? {
        guard let other else { return nil }
        // Not checked: a sum of nonsense may be nonsense, and must not end the daemon.
        return other &+ (one ?? 0)
    }

    /// DeepSeek's name, which llama-server and vLLM took over, or the newer one.
    static func thinking(_ message: JSONValue) -> String {
        message["reasoning_content"].given?.string ?? message["reasoning"].given?.string ?? ""
    }

    static func doneReason(_ reason: String?) -> String {
        reason == "length" ? "length" : "stop"
    }

    /// OpenAI keeps them one level deeper; each entry is the same.
    private static func logprobs(_ choice: JSONValue) -> JSONValue? {
        choice["logprobs"].given?["content"].given
    }

    private func merge(_ object: JSONValue, _ more: JSONValue) -> JSONValue {
        var result = object
        for member in more.object?.members ?? [] { result[member.key] = member.value }
        return result
    }
}

/// Tool calls that come in pieces: gathered by their index, and given out whole.
struct ToolCallDeltas: Sendable {
    private var open: [(index: Int, id: String, name: String, arguments: String)] = []

    var isEmpty: Bool { open.isEmpty }

    /// Calls are whole only at the stream's end, as pieces of several may come in turns.
    mutating func add(_ deltas: [JSONValue]) {
        for delta in deltas {
            let index = delta["index"]?.integer ?? open.count
            let position: Int
            if let known = open.firstIndex(where: { $0.index == index }) {
                position = known
            } else {
                open.append((index, "", "", ""))
                position = open.count - 1
            }
            if let id = delta["id"].given?.string { open[position].id = id }
            if let name = delta["function"]?["name"].given?.string { open[position].name += name }
            switch delta["function"]?["arguments"].given {
            case .string(let text)?: open[position].arguments += text
            case .object(let object)?: open[position].arguments += JSONValue.object(object).text
            default: break
            }
        }
    }

    /// The calls in Ollama's form, in their order.
    mutating func finish() -> [JSONValue] {
        let calls = open.sorted { $0.index < $1.index }.map { Self.ollamaCall(id: $0.id, index: $0.index, name: $0.name, arguments: $0.arguments) }
        open = []
        return calls
    }

    /// A whole call of OpenAI's in Ollama's form.
    static func ollamaCall(_ call: JSONValue) -> JSONValue {
        let arguments = call["function"]?["arguments"].given
        return ollamaCall(
            id: call["id"].given?.string ?? "", index: call["index"]?.integer, name: call["function"]?["name"]?.string ?? "",
            arguments: arguments?.string ?? arguments?.text ?? "")
    }

    /// Arguments are an object there. What the model wrote instead of one is passed on as the text that it is.
    private static func ollamaCall(id: String, index: Int?, name: String, arguments: String) -> JSONValue {
        let parsed = arguments.isEmpty ? [:] : (try? JSONValue(parsing: arguments.utf8)).flatMap { $0.object == nil ? nil : $0 }
        return [
            "id": id.isEmpty ? nil : .string(id),
            "function": ["index": index.map(JSONValue.integer), "name": .string(name), "arguments": parsed ?? .string(arguments)],
        ]
    }
}

/// The answer to a request that only loads a model or drops it.
struct LoadAnswer: AnswerTranslation {
    let model: String
    let route: ChatToOllama.Route
    let reason: String
    let streamType = "application/x-ndjson"

    func object(now: String?) -> JSONValue {
        var object: JSONValue = ["model": .string(model), "created_at": now.map(JSONValue.string)]
        if route == .chat { object["message"] = ["role": "assistant", "content": ""] } else { object["response"] = "" }
        object["done"] = true
        object["done_reason"] = .string(reason)
        return object
    }

    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String { "" }
    mutating func end(_ time: AnswerTime) -> String { object(now: time.now).text + "\n" }
    mutating func fail(_ message: String, status: Int) -> String { OllamaText.error(message) + "\n" }
    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) -> JSONValue { object(now: time.now) }
}

enum OllamaText {
    static func error(_ message: String) -> String { "{\"error\":\(JSONText.quoted(message))}" }
}
