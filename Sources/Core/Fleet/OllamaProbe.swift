// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads what Ollama answers to polls. Pure; all of it throws `ProbeError.badAnswer` only.
public enum OllamaProbe {
    public static let versionPath = "/api/version"
    public static let modelsPath = "/api/tags"
    public static let loadedPath = "/api/ps"

    /// `{"version": "0.12.3"}`
    public static func version(_ answer: [UInt8]) throws(ProbeError) -> String {
        var version: String?
        try ProbeReading.members(of: answer) { cursor, member in
            if cursor.keyMatches(member, "version") { version = cursor.string(member.value) }
        }
        guard let version else { throw .badAnswer("no \"version\" in it") }
        return version
    }

    /// `{"models": [{"name", "model", "modified_at", "size", "digest", "details": {...}}]}`
    public static func models(_ answer: [UInt8]) throws(ProbeError) -> [ModelListing] {
        try ProbeReading.list("models", of: answer) { cursor, entry, json in
            var listing = ModelListing(name: "", json: json)
            var otherName = ""
            var members = try cursor.members(of: entry)
            while let member = try members.next() {
                let value = member.value
                if cursor.keyMatches(member, "name") {
                    listing.name = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "model") {
                    otherName = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "digest") {
                    listing.digest = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "size") {
                    listing.sizeBytes = cursor.integer(value)
                } else if cursor.keyMatches(member, "modified_at") {
                    listing.modifiedAt = cursor.string(value).flatMap(RFC3339.init)?.unixSeconds
                } else if cursor.keyMatches(member, "details"), value.kind == .object {
                    try readDetails(cursor, value, into: &listing)
                }
            }
            if listing.name.isEmpty { listing.name = otherName }
            if listing.name.isEmpty { throw ProbeReading.MissingMember.named("name") }
            return listing
        }
    }

    private static func readDetails(_ cursor: JSONCursor, _ details: JSONCursor.Value, into listing: inout ModelListing) throws {
        var members = try cursor.members(of: details)
        while let member = try members.next() {
            if cursor.keyMatches(member, "context_length") {
                listing.contextLength = cursor.integer(member.value).flatMap { $0 > 0 ? Int32(exactly: $0) : nil }
            }
            guard let text = cursor.string(member.value), !text.isEmpty else { continue }
            if cursor.keyMatches(member, "parameter_size") { listing.parameterSize = text }
            if cursor.keyMatches(member, "quantization_level") { listing.quantization = text }
            if cursor.keyMatches(member, "format") { listing.format = text }
        }
    }

    /// `{"models": [{"name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"}]}`
    public static func loaded(_ answer: [UInt8]) throws(ProbeError) -> [LoadedModel] {
        try ProbeReading.list("models", of: answer) { cursor, entry, json in
            var loaded = LoadedModel(name: "", json: json)
            var otherName = ""
            var size: Int?
            var members = try cursor.members(of: entry)
            while let member = try members.next() {
                let value = member.value
                if cursor.keyMatches(member, "name") {
                    loaded.name = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "model") {
                    otherName = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "digest") {
                    loaded.digest = cursor.string(value) ?? ""
                } else if cursor.keyMatches(member, "size") {
                    size = cursor.integer(value)
                } else if cursor.keyMatches(member, "size_vram") {
                    loaded.sizeVramBytes = cursor.integer(value)
                } else if cursor.keyMatches(member, "expires_at") {
                    loaded.expiresAt = cursor.string(value)
                } else if cursor.keyMatches(member, "context_length") {
                    loaded.contextLength = cursor.integer(value).flatMap { $0 > 0 ? $0 : nil }
                }
            }
            if loaded.name.isEmpty { loaded.name = otherName }
            if loaded.name.isEmpty { throw ProbeReading.MissingMember.named("name") }
            // Without a GPU Ollama says zero; then the model is in main memory, whole.
            if loaded.sizeVramBytes ?? 0 == 0 { loaded.sizeVramBytes = size ?? loaded.sizeVramBytes }
            return loaded
        }
    }
}
