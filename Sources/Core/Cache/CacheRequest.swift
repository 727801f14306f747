// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A request on a cached route, as the cache sees it: its key, and what else tells it from others. Pure.
struct CacheRequest: Sendable, Equatable {
    let route: CachedRoute
    /// Over all that shapes the answer: equal keys are answered alike.
    let key: Digest
    /// Requests by meaning are only ever compared within this: model, system prompt and tenant.
    let namespace: String
    /// Over everything but the last question and what was said before it: answers by meaning need it equal.
    let fingerprint: Digest
    /// As the client named it, and as the fleet knows it.
    let askedModel: String
    let model: String
    let tenant: String
    let streams: Bool
    /// The client asked a stream for its token counts.
    let tellsUsage: Bool
    let conversation: CachedConversation

    /// Not part of the answer: how it is delivered, and who keeps the model in memory.
    private static let irrelevant: Set<String> = ["model", "stream", "stream_options", "keep_alive", RouterMember.name]

    /// - Parameters:
    ///   - body: without duplicate keys it has one meaning; else `ambiguous` is thrown.
    ///   - asked: the model as the client named it.
    ///   - model: what the alias stands for, in one spelling.
    ///   - tenant: who may share answers; empty for everybody.
    ///   - headers: those that go to the endpoint and may change its answer.
    init(
        _ route: CachedRoute, body: JSONValue, asked: String, model: String, tenant: String, headers: [(String, String)] = []
    ) throws(CacheBypass) {
        guard case .object(var object) = body else { throw .noPrompt }
        guard !Self.wantsProbabilities(object) else { throw .logprobs }
        self.route = route
        self.askedModel = asked
        self.model = model
        self.tenant = tenant
        streams = object["stream"]?.bool ?? route.streamsByDefault
        tellsUsage = object["stream_options"]?["include_usage"]?.bool ?? false
        // Looked at whole: a key that is there twice may be one of those that are left out below.
        _ = try Self.canonical(body)
        object.members.removeAll { Self.irrelevant.contains($0.key) || $0.value.isNull }
        // What is null in the options is as good as absent, and so are options without any.
        if var options = object["options"]?.object {
            options.members.removeAll { $0.value.isNull }
            object["options"] = options.isEmpty ? nil : .object(options)
        }
        conversation = CachedConversation(route, object)
        guard conversation.asksSomething else { throw .noPrompt }
        let about = JSONValue.array(headers.map { .array([.string($0.0), .string($0.1)]) }).text
        let common = [Self.version, tenant, route.rawValue, model, about].map { Array($0.utf8) }
        key = Digest(ofParts: common + [try Self.canonical(.object(object))])
        fingerprint = Digest(ofParts: common + [try Self.canonical(.object(conversation.rest))])
        namespace = "\(model)/\(Digest(ofParts: [Array(tenant.utf8), Array(conversation.system.utf8)]).hex.prefix(12))"
    }

    /// Changes with the meaning of keys and entries: what an older version has kept is not found any more.
    private static let version = "routerd 1"

    private static func canonical(_ value: JSONValue) throws(CacheBypass) -> [UInt8] {
        do { return try CanonicalJSON.bytes(of: value) } catch { throw .ambiguous }
    }

    private static func wantsProbabilities(_ object: JSONObject) -> Bool {
        for name in ["logprobs", "top_logprobs"] {
            switch object[name] {
            case nil, .null?, .bool(false)?: continue
            default: return true
            }
        }
        return false
    }
}

/// What a request says, taken apart: the system prompt, what was said before, the question.
struct CachedConversation: Sendable, Equatable {
    struct Turn: Sendable, Equatable {
        var role: String
        var text: String
    }

    var system = ""
    /// What was said before the question, oldest first.
    var history: [Turn] = []
    /// The last message if it is the user's and nothing but text.
    var question: String?
    /// The request without question and history, but with the system messages.
    var rest = JSONObject()
    /// Some part of it is not text (an image, a tool's call), so that it cannot be compared by meaning.
    var isPlain = true
    /// There is something to be answered.
    var asksSomething = false

    init(_ route: CachedRoute, _ body: JSONObject) {
        rest = body
        switch route {
        case .ollamaGenerate:
            let prompt = rest.remove("prompt")?.string ?? ""
            system = body["system"]?.string ?? ""
            asksSomething = !prompt.isEmpty
            question = prompt
            isPlain = body["images"] == nil && body["suffix"] == nil && body["context"] == nil && body["raw"]?.bool != true
        case .completions:
            let prompt = rest.remove("prompt")
            asksSomething = prompt != nil
            question = prompt?.string
            isPlain = question != nil && body["suffix"] == nil
        case .ollamaChat, .chat:
            takeMessages(rest.remove("messages")?.array ?? [])
        }
        // Tools are for the moment; what they find is not for the next one.
        if body["tools"] != nil || body["functions"] != nil { isPlain = false }
    }

    private mutating func takeMessages(_ messages: [JSONValue]) {
        asksSomething = !messages.isEmpty
        var systems: [JSONValue] = []
        var turns: [Turn] = []
        for message in messages {
            let role = message["role"]?.string ?? ""
            let text = Self.text(of: message)
            if role == "system" || role == "developer" {
                systems.append(message)
                if !system.isEmpty { system += "\n" }
                system += text ?? message.text
                // An instruction in the middle is part of what was said, and its place counts.
                if !turns.isEmpty { isPlain = false }
                continue
            }
            guard let text, role == "user" || role == "assistant" else {
                isPlain = false
                continue
            }
            turns.append(Turn(role: role, text: text))
        }
        rest["messages"] = .array(systems)
        guard turns.last?.role == "user", let last = turns.popLast() else {
            isPlain = false
            return
        }
        question = last.text
        history = turns
    }

    /// Of a message that has nothing but a role and text; nil for any other.
    private static func text(of message: JSONValue) -> String? {
        guard let members = message.object?.members.filter({ !$0.value.isNull }), members.allSatisfy({ $0.key == "role" || $0.key == "content" })
        else { return nil }
        switch message["content"] {
        case .string(let text)?: return text
        case .array(let parts)?:
            var texts: [String] = []
            for part in parts {
                guard part["type"]?.string == "text", let text = part["text"]?.string else { return nil }
                texts.append(text)
            }
            return texts.joined(separator: "\n")
        default: return nil
        }
    }
}
