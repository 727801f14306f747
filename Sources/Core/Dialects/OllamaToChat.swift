// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Ollama's `/api/chat` and `/api/generate` as requests for `/v1/chat/completions` or `/v1/completions`. Pure.
enum OllamaToChat {
    /// `/api/chat`.
    ///
    /// - Parameters:
    ///   - model: as the endpoint spells it. The answer says it as the client did.
    ///   - words: what the endpoint understands besides the standard.
    static func chat(_ body: JSONValue, model: String, words: EndpointWords) throws(TranslationError) -> TranslatedCall {
        let asked = body["model"]?.string ?? model
        try refuse(body, ["template"])
        guard let messages = body["messages"].given else { return load(body, asked: asked, model: model, words: words, route: .chat) }
        guard let list = messages.array else { throw .malformed("messages", "messages must be an array, not \(messages.kind)") }
        if list.isEmpty { return load(body, asked: asked, model: model, words: words, route: .chat) }
        var out: [JSONValue] = []
        for (index, message) in list.enumerated() { out.append(try OllamaMessage.translate(message, index: index)) }
        OllamaMessage.nameToolResults(&out)
        var request: JSONValue = ["model": .string(model), "messages": .array(out)]
        if let tools = body["tools"].given {
            guard let tools = tools.array else { throw .malformed("tools", "tools must be an array, not \(tools.kind)") }
            if !tools.isEmpty { request["tools"] = .array(tools) }
        }
        return .request(try finish(&request, body, asked: asked, words: words, route: .chat))
    }

    /// `/api/generate`: one prompt. Without `raw` the endpoint's template is put around it, as Ollama does.
    static func generate(_ body: JSONValue, model: String, words: EndpointWords) throws(TranslationError) -> TranslatedCall {
        let asked = body["model"]?.string ?? model
        try refuse(body, ["template", "context"])
        let prompt = body["prompt"].given?.string ?? ""
        if let given = body["prompt"].given, given.string == nil { throw .malformed("prompt", "prompt must be a string, not \(given.kind)") }
        let images = try images(body["images"], field: "images")
        if prompt.isEmpty, images.isEmpty, body["suffix"].given?.string?.isEmpty ?? true {
            return load(body, asked: asked, model: model, words: words, route: .generate)
        }
        if body["raw"].given?.bool == true || body["suffix"].given?.string?.isEmpty == false {
            return .request(try completion(body, prompt: prompt, images: images, model: model, asked: asked, words: words))
        }
        var messages: [JSONValue] = []
        if let system = body["system"].given?.string, !system.isEmpty { messages.append(["role": "system", "content": .string(system)]) }
        messages.append(["role": "user", "content": OllamaMessage.content(prompt, images)])
        var request: JSONValue = ["model": .string(model), "messages": .array(messages)]
        return .request(try finish(&request, body, asked: asked, words: words, route: .generate))
    }

    /// `raw` and `suffix`: the text as it is, for `/v1/completions`.
    private static func completion(
        _ body: JSONValue, prompt: String, images: [JSONValue], model: String, asked: String, words: EndpointWords
    ) throws(TranslationError) -> TranslatedRequest {
        guard images.isEmpty else { throw .unsupported("images", "images cannot go with a raw prompt or a suffix to an OpenAI-compatible endpoint") }
        try refuse(body, ["format"])
        if body["system"].given?.string?.isEmpty == false { throw .unsupported("system", "a raw prompt has no system message") }
        var request: JSONValue = ["model": .string(model), "prompt": .string(prompt)]
        if let suffix = body["suffix"].given {
            // llama-server would ignore it.
            if words.loadsByRoute { throw .unsupported("suffix", "llama-server fills in the middle by /infill only") }
            request["suffix"] = suffix
        }
        var translated = try finish(&request, body, asked: asked, words: words, route: .raw)
        translated.path = "/v1/completions"
        return translated
    }

    // MARK: What both have in common

    private static func finish(
        _ request: inout JSONValue, _ body: JSONValue, asked: String, words: EndpointWords, route: ChatToOllama.Route
    ) throws(TranslationError) -> TranslatedRequest {
        let streams = body["stream"].given?.bool ?? true
        request["stream"] = .bool(streams)
        if streams { request["stream_options"] = ["include_usage": true] }
        try OllamaOptions.translate(body["options"], into: &request)
        try format(body["format"], into: &request)
        let hidesThinking = try think(body["think"], into: &request, words: words)
        if body["logprobs"].given?.bool == true {
            let top = body["top_logprobs"].given
            if route == .raw {
                request["logprobs"] = top ?? 1
            } else {
                request["logprobs"] = true
                request["top_logprobs"] = top
            }
        }
        return TranslatedRequest(
            path: "/v1/chat/completions", body: request, answer: ChatToOllama(model: asked, route: route, hidesThinking: hidesThinking))
    }

    /// `"json"`, or a schema.
    private static func format(_ format: JSONValue?, into request: inout JSONValue) throws(TranslationError) {
        guard let format = format.given, format != "" else { return }
        switch format {
        case "json": request["response_format"] = ["type": "json_object"]
        case .object:
            request["response_format"] = ["type": "json_schema", "json_schema": ["name": "answer", "schema": format]]
        default: throw .malformed("format", "format must be \"json\" or a JSON schema, not \(format.text.prefix(60))")
        }
    }

    /// `true`, `false`, or how much.
    ///
    /// - Returns: whether thinking must be kept from the client, because the endpoint cannot be told not to think.
    private static func think(_ think: JSONValue?, into request: inout JSONValue, words: EndpointWords) throws(TranslationError) -> Bool {
        guard let think = think.given else { return false }
        switch think {
        case .bool(let thinks):
            guard words.templateArguments else { return !thinks }
            request["chat_template_kwargs"] = ["enable_thinking": .bool(thinks)]
            return false
        case "low", "medium", "high":
            request["reasoning_effort"] = think
            return false
        default: throw .malformed("think", "think must be true, false, \"low\", \"medium\" or \"high\", not \(think.text.prefix(60))")
        }
    }

    /// Nothing to answer to: load the model, or with `keep_alive: 0` drop it.
    private static func load(
        _ body: JSONValue, asked: String, model: String, words: EndpointWords, route: ChatToOllama.Route
    ) -> TranslatedCall {
        let isUnload = isZero(body["keep_alive"].given)
        let answer = LoadAnswer(model: asked, route: route, reason: isUnload ? "unload" : "load")
        guard words.loadsByRoute else { return .immediate(answer.object(now: nil)) }
        return .request(
            TranslatedRequest(path: isUnload ? "/models/unload" : "/models/load", body: ["model": .string(model)], answer: answer))
    }

    /// `0`, `"0"`, `"0s"` and the like.
    static func isZero(_ keepAlive: JSONValue?) -> Bool {
        switch keepAlive {
        case .number(let text)?: Double(text) == 0
        case .string(let text)?: !text.isEmpty && text.allSatisfy { !("1"..."9").contains($0) }
        default: false
        }
    }

    static func images(_ value: JSONValue?, field: String) throws(TranslationError) -> [JSONValue] {
        guard let value = value.given else { return [] }
        guard let list = value.array else { throw .malformed(field, "\(field) must be an array, not \(value.kind)") }
        var images: [JSONValue] = []
        for (index, image) in list.enumerated() {
            guard let data = image.string else { throw .malformed("\(field)[\(index)]", "an image must be base64 text, not \(image.kind)") }
            images.append(["type": "image_url", "image_url": ["url": .string(ImageData.url(data))]])
        }
        return images
    }

    /// What has no counterpart and would change the answer.
    private static func refuse(_ body: JSONValue, _ fields: [String]) throws(TranslationError) {
        for field in fields {
            guard let value = body[field].given, value != "", value != .array([]) else { continue }
            throw .unsupported(field, "\(field) has no counterpart at an OpenAI-compatible endpoint")
        }
    }
}

/// One message of `/api/chat`.
enum OllamaMessage {
    static func translate(_ message: JSONValue, index: Int) throws(TranslationError) -> JSONValue {
        let field = "messages[\(index)]"
        guard message.object != nil else { throw .malformed(field, "a message must be an object, not \(message.kind)") }
        guard let role = message["role"].given?.string else { throw .malformed("\(field).role", "a message needs a role") }
        let text = message["content"].given
        if let text, text.string == nil { throw .malformed("\(field).content", "content must be a string, not \(text.kind)") }
        let images = try OllamaToChat.images(message["images"], field: "\(field).images")
        var result: JSONValue = ["role": .string(role), "content": content(text?.string ?? "", images)]
        if let thinking = message["thinking"].given { result["reasoning_content"] = thinking }
        if let calls = message["tool_calls"].given?.array, !calls.isEmpty {
            result["tool_calls"] = .array(try toolCalls(calls, message: index, field: field))
        }
        if role == "tool" {
            if let id = message["tool_call_id"].given { result["tool_call_id"] = id }
            if let name = (message["tool_name"] ?? message["name"]).given { result["name"] = name }
        }
        return result
    }

    static func content(_ text: String, _ images: [JSONValue]) -> JSONValue {
        if images.isEmpty { return .string(text) }
        return .array((text.isEmpty ? [] : [["type": "text", "text": .string(text)]]) + images)
    }

    /// Ollama's calls have arguments as an object and often no id; OpenAI's have text, and an id that the result must name.
    private static func toolCalls(_ calls: [JSONValue], message: Int, field: String) throws(TranslationError) -> [JSONValue] {
        var result: [JSONValue] = []
        for (index, call) in calls.enumerated() {
            guard let name = call["function"]?["name"]?.string else {
                throw .malformed("\(field).tool_calls[\(index)].function.name", "a tool call needs a function with a name")
            }
            let arguments = call["function"]?["arguments"].given ?? [:]
            result.append([
                "id": call["id"].given ?? .string("call_\(message)_\(index)"), "type": "function",
                "function": ["name": .string(name), "arguments": .string(arguments.string ?? arguments.text)],
            ])
        }
        return result
    }

    /// Gives tool results that name no call the ids of the calls before them: by the function's name, else in order.
    static func nameToolResults(_ messages: inout [JSONValue]) {
        var open: [(id: JSONValue, name: String?)] = []
        for index in messages.indices {
            if let calls = messages[index]["tool_calls"]?.array {
                open = calls.compactMap { call in call["id"].map { ($0, call["function"]?["name"]?.string) } }
            } else if messages[index]["role"] == "tool" {
                let name = messages[index]["name"]?.string
                let id = messages[index]["tool_call_id"]
                let match = open.firstIndex { id == $0.id } ?? open.firstIndex { name != nil && $0.name == name } ?? open.indices.first
                guard let match else { continue }
                if id == nil { messages[index]["tool_call_id"] = open[match].id }
                open.remove(at: match)
            }
        }
    }
}

/// Images as OpenAI wants them.
enum ImageData {
    /// A data URL. The kind is told by the first bytes, which base64 shows as fixed letters.
    static func url(_ base64: String) -> String {
        if base64.hasPrefix("data:") { return base64 }
        let types = [("iVBOR", "png"), ("R0lGOD", "gif"), ("UklGR", "webp"), ("/9j/", "jpeg")]
        let type = types.first { base64.hasPrefix($0.0) }?.1 ?? "jpeg"
        return "data:image/\(type);base64,\(base64)"
    }
}
