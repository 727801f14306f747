// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads what an OpenAI-compatible service answers to polls. Pure; throws `ProbeError.badAnswer` only.
public enum OpenAIProbe {
    public static let modelsPath = "/v1/models"

    /// Under which names services tell how long a conversation they take: vLLM, LM Studio, and several others.
    private static let contextKeys: [StaticString] = ["max_model_len", "max_context_length", "context_length", "context_window"]

    /// `{"data": [{"id", "created", ...}]}`
    public static func models(_ answer: [UInt8]) throws(ProbeError) -> [ModelListing] {
        try ProbeReading.list("data", of: answer) { cursor, entry, json in
            var listing = ModelListing(name: "", json: json)
            var members = try cursor.members(of: entry)
            while let member = try members.next() {
                listing.aliases += try ProbeReading.aliases(cursor, member)
                if cursor.keyMatches(member, "id") {
                    listing.name = cursor.string(member.value) ?? ""
                } else if cursor.keyMatches(member, "created") {
                    listing.modifiedAt = cursor.integer(member.value)
                } else if contextKeys.contains(where: { cursor.keyMatches(member, $0) }) {
                    listing.contextLength = cursor.integer(member.value).flatMap { $0 > 0 ? Int32(exactly: $0) : nil } ?? listing.contextLength
                }
            }
            if listing.name.isEmpty { throw ProbeReading.MissingMember.named("id") }
            return listing
        }
    }

    /// Routes that only some services have, each asked for once with a body that no service can mean anything by: one that has
    /// the route says that it lacks a model, one that has not says that there is no such route.
    public static let optionalRoutes: [(path: String, capability: Capabilities)] = [
        ("/v1/responses", .responses), ("/v1/messages", .messages),
    ]

    /// Whether such an answer means that the route is there; nil where it means neither.
    ///
    /// | server | has the route | has it not |
    /// |---|---|---|
    /// | vLLM, SGLang, OpenAI's own | 400 or 422: a field is missing | 404 `Not Found` |
    /// | llama-server | 400 or 500: `'messages' is required` | 404 `File Not Found` |
    /// | Ollama | 400: a model is required | 404 |
    /// | LM Studio | 400: a field is missing | 200 or 404: `Unexpected endpoint or method` |
    /// | llama-swap | 400: a model is missing, whatever the server behind it speaks | 404 |
    ///
    /// What a server behind another one lacks shows with the first request, which is sent again in another dialect.
    public static func hasRoute(status: Int, body: [UInt8]) -> Bool? {
        let text = String(decoding: body.prefix(4096), as: UTF8.self).lowercased()
        if text.contains("unexpected endpoint") || text.contains("unknown request url") { return false }
        switch status {
        case 400, 422: return true
        // Keys, and servers that have no time.
        case 401, 402, 403, 408, 429, 503: return nil
        case 500: return ["'messages'", "'input'", "\"messages\"", "\"input\"", "required", "max_tokens"].contains { text.contains($0) }
        default: return false
        }
    }
}
