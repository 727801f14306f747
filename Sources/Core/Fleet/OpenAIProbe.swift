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

    /// Whether the status of such an answer means that the route is there.
    public static func hasRoute(status: Int) -> Bool { status == 400 || status == 422 }
}
