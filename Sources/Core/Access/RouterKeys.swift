// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import COpenSSL
import NIOHTTP1

/// Who may use the HTTP port.
///
/// The key is kept and compared as its SHA-256, in constant time: neither its length nor its beginning can be found by timing.
struct RouterKeys: Sendable, Equatable {
    private let digest: [UInt8]?

    init(_ key: Secret?) {
        digest = key.flatMap { $0.exposed.isEmpty ? nil : Digest(of: $0.exposed).bytes }
    }

    var isRequired: Bool { digest != nil }

    enum Verdict: Equatable {
        case allowed
        case missing
        case wrong
    }

    func judge(headers: HTTPHeaders, query: Substring?) -> Verdict {
        guard let digest else { return .allowed }
        guard let given = Self.bearer(headers) ?? headers.first(name: "x-api-key") ?? query.flatMap({ QueryText.value("api_key", in: $0) }) else {
            return .missing
        }
        let other = Digest(of: given).bytes
        return CRYPTO_memcmp(digest, other, digest.count) == 0 ? .allowed : .wrong
    }

    /// A request's path and query as a log may have it.
    static func pathWithoutKey(_ uri: String) -> String {
        guard let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return uri }
        let query = uri[uri.index(after: mark)...]
        guard QueryText.value("api_key", in: query) != nil else { return uri }
        return uri[..<mark] + (QueryText.removing(["api_key"], from: query).map { "?\($0)" } ?? "")
    }

    private static func bearer(_ headers: HTTPHeaders) -> String? {
        guard let value = headers.first(name: "authorization") else { return nil }
        let scheme = "bearer "
        guard value.utf8.count > scheme.utf8.count, value.prefix(scheme.count).caseInsensitiveEquals(scheme) else { return nil }
        return String(value.dropFirst(scheme.count).trimmingSpaces())
    }
}
