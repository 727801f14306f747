// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Routes whose answers are kept. Each is a family of its own: what one of them was asked says little about what another would
/// have been told, as their defaults differ.
enum CachedRoute: String, Sendable, CaseIterable {
    case ollamaChat = "/api/chat"
    case ollamaGenerate = "/api/generate"
    case chat = "/v1/chat/completions"
    case completions = "/v1/completions"

    init?(_ operation: Operation) { self.init(rawValue: operation.rawValue) }

    var isOllama: Bool { self == .ollamaChat || self == .ollamaGenerate }

    /// What an absent `stream` means.
    var streamsByDefault: Bool { isOllama }
}

/// Why a request on a cached route is not answered from the cache, and its answer not kept.
enum CacheBypass: String, Error, Sendable, CaseIterable {
    /// Under `cache_mode: opt_in`, which it did not ask for.
    case notOptedIn = "not_opted_in"
    /// It said `"nomyo": {"cache": false}`.
    case request
    /// It said `Cache-Control: no-store`, or `no-cache`; the latter's answer is kept all the same.
    case cacheControl = "cache_control"
    /// It chose its endpoint, or says something in its query.
    case query
    /// Its body names a key twice: what it means is the endpoint's to say.
    case ambiguous
    /// Nothing is asked: it only loads a model.
    case noPrompt = "no_prompt"
    /// Token probabilities are not kept.
    case logprobs
    /// Its body is larger than what is worth a key.
    case tooLarge = "too_large"
    /// `moe-<model>`: wants several different answers.
    case mixture
}

/// What a request says of caching, in `nomyo` of its body and in `Cache-Control`.
struct CacheWish: Equatable, Sendable {
    /// Whether a kept answer will do.
    var mayRead = true
    /// Whether its own answer may be kept.
    var mayKeep = true
    var why: CacheBypass?

    /// - Parameters:
    ///   - asked: `nomyo.cache` of the body; nil where it says nothing.
    ///   - isOptIn: only what asks for it is cached.
    init(asked: Bool?, headers: HTTPHeaders, isOptIn: Bool) {
        if asked == false {
            refuse(.request)
        } else if asked == nil, isOptIn {
            refuse(.notOptedIn)
        } else if headers.contains(name: "cache-control") {
            for value in headers[canonicalForm: "cache-control"] {
                if value.caseInsensitiveEquals("no-store") { refuse(.cacheControl) }
                if value.caseInsensitiveEquals("no-cache") {
                    mayRead = false
                    why = .cacheControl
                }
            }
        }
    }

    private mutating func refuse(_ reason: CacheBypass) {
        mayRead = false
        mayKeep = false
        why = reason
    }
}

/// The router's own member of a request's body: `"nomyo": {"cache": true}`. It never goes to an endpoint.
enum RouterMember {
    static let name = "nomyo"

    /// - Returns: `cache` of it; nil where it says nothing.
    /// - Throws: `invalidJSON` if it is something else.
    static func cache(_ value: JSONValue?) throws(RouterError) -> Bool? {
        guard let value = value.given else { return nil }
        guard let object = value.object else { throw .invalidJSON("nomyo: expected an object such as {\"cache\": true}, not \(value.kind)") }
        guard let cache = object["cache"].given else { return nil }
        guard let wish = cache.bool else { throw .invalidJSON("nomyo.cache: expected true or false, not \(cache.kind)") }
        return wish
    }
}
