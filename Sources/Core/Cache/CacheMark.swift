// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What an answer says of the cache.
enum CacheMark: Equatable {
    case hit(Digest)
    /// The answer to another question, so near.
    case semantic(Digest, Float)
    /// From another's generation in flight.
    case shared(Digest)
    case miss(Digest)
    case bypass

    /// As operators and clients read it.
    var word: String {
        switch self {
        case .hit: "hit"
        case .semantic: "semantic"
        case .shared: "shared"
        case .miss: "miss"
        case .bypass: "bypass"
        }
    }

    /// For the access log, where no endpoint was chosen.
    var why: String? {
        switch self {
        case .hit: "cache_hit"
        case .semantic: "cache_semantic"
        case .shared: "cache_shared"
        case .miss, .bypass: nil
        }
    }

    func writeFields(into buffer: inout ByteBuffer) {
        switch self {
        case .hit(let key): Self.write("hit", key, into: &buffer)
        case .semantic(let key, let similarity):
            Self.write("semantic", key, into: &buffer)
            ForwardedHeaders.write("X-Cache-Similarity", Self.text(similarity), into: &buffer)
        case .shared(let key): Self.write("shared", key, into: &buffer)
        case .miss(let key): Self.write("miss", key, into: &buffer)
        case .bypass: buffer.writeStaticString("X-Cache: bypass\r\n")
        }
    }

    /// With four decimals.
    private static func text(_ similarity: Float) -> String {
        let digits = String(Int((Double(similarity) * 10000).rounded()) + 10000)
        return (similarity >= 0.99995 ? "1." : "0.") + digits.suffix(4)
    }

    private static func write(_ word: String, _ key: Digest, into buffer: inout ByteBuffer) {
        ForwardedHeaders.write("X-Cache", word, into: &buffer)
        // Enough to name it to `routerctl cache get`.
        ForwardedHeaders.write("X-Cache-Key", String(key.hex.prefix(16)), into: &buffer)
    }
}
