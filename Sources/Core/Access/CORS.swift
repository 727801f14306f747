// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What a browser is told of the pages of other origins that may use the router (Fetch standard, section 3.2).
struct CORS: Sendable, Equatable {
    private let any: Bool
    private let origins: Set<String>

    /// - Parameter origins: `https://app.example`, or `*`; none turns it off.
    init(origins: [String]) {
        any = origins.contains("*")
        self.origins = Set(origins.map { $0.lowercased() })
    }

    var isOn: Bool { any || !origins.isEmpty }

    /// The origin as it is to be answered; nil if it may not.
    private func allowed(_ origin: String) -> String? {
        if any { return "*" }
        return origins.contains(origin.lowercased()) ? origin : nil
    }

    /// For every answer. Nothing for whoever is no browser.
    func writeFields(origin: String?, into buffer: inout ByteBuffer) {
        guard let origin, isOn else { return }
        if let allowed = allowed(origin) { ForwardedHeaders.write("Access-Control-Allow-Origin", allowed, into: &buffer) }
        // Caches must not give one origin's answer to another.
        if !any { ForwardedHeaders.write("Vary", "Origin", into: &buffer) }
    }

    /// What a preflight is answered besides.
    func preflight(origin: String?) -> [(String, String)] {
        guard let origin, allowed(origin) != nil else { return [] }
        return [
            ("Access-Control-Allow-Methods", "GET, POST, DELETE, HEAD, OPTIONS"),
            ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key, X-Request-Id, Anthropic-Version"),
            ("Access-Control-Max-Age", "600"),
        ]
    }
}
