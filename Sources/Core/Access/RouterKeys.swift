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

/// `%41` for `A` (RFC 3986, section 2.1).
enum PercentEncoding {
    /// Malformed escapes stay as they are; bytes that are not UTF-8 become U+FFFD.
    static func decode(_ text: some StringProtocol) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = nibble(bytes[index + 1]), let low = nibble(bytes[index + 2]) {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Everything but letters, digits and `-._~` is escaped.
    static func encode(_ text: some StringProtocol) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
