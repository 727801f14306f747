// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What an endpoint's answer means for the request and for the endpoint. Each answer is judged once, here.
///
/// | what came | verdict |
/// |---|---|
/// | 200 to 399 with a body that is no error | answered |
/// | 429; 503; 529; any 5xx that says that it is busy or still loading | busy |
/// | 404, or 400, that says that there is no such model | the model is not here |
/// | 404 without such words, 405, 501 | the route is not spoken here |
/// | 401, 403 where the endpoint's own key was used | broken: the operator's configuration, never the client's fault |
/// | other 4xx | the client's fault |
/// | other 5xx; 200 with an error or with nothing at all; a cut, garbage, silence | broken |
enum Verdict: Equatable, Sendable {
    case answered
    /// The client's fault: no endpoint would answer otherwise.
    case refused
    case modelNotHere
    case routeNotHere
    /// It asks to be left alone for a while; nil where it does not say for how long.
    case busy(retryAfter: TimeAmount?)
    case broken

    /// The word for it in `retry_on`; nil where the answer is the client's in any case.
    var retryReason: Config.RetryReason? {
        switch self {
        case .answered, .refused: nil
        case .modelNotHere, .routeNotHere: .notHere
        case .busy: .busy
        case .broken: .broken
        }
    }

    var leaseOutcome: LeaseEnd.Outcome {
        switch self {
        case .answered: .completed
        case .refused: .refused
        case .modelNotHere, .routeNotHere: .notHere
        case .busy: .busy
        case .broken: .failed
        }
    }
}

enum AnswerJudge {
    /// - Parameters:
    ///   - body: what came of it, the beginning at least.
    ///   - expectsBody: an answer to such a request is never empty.
    ///   - usesOwnKey: the endpoint's key from the configuration went with the request.
    ///   - now: the time of day, Unix seconds, for a `Retry-After` that is a date.
    static func judge(_ head: ResponseHead, body: UnsafeRawBufferPointer, expectsBody: Bool, usesOwnKey: Bool, now: Int) -> Verdict {
        switch head.status {
        case ..<400: return isFault(body) || (body.isEmpty && expectsBody) ? .broken : .answered
        case 401, 403: return usesOwnKey ? .broken : .refused
        case 404:
            return namesModel(body) ? .modelNotHere : .routeNotHere
        case 405, 501: return .routeNotHere
        case 429, 503, 529: return .busy(retryAfter: retryAfter(head, now: now))
        case 400 where namesModel(body): return .modelNotHere
        case 400..<500: return .refused
        default: return soundsBusy(body) ? .busy(retryAfter: retryAfter(head, now: now)) : .broken
        }
    }

    /// Whether a body that came with a good status begins with an error, as one text or as the first item of a stream.
    static func isFault(_ body: UnsafeRawBufferPointer) -> Bool {
        var rest = body[...]
        while let first = rest.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\n") || first == UInt8(ascii: "\r") {
            rest = rest.dropFirst()
        }
        // A page for people, of something that stands before the server.
        if rest.first == UInt8(ascii: "<") { return true }
        var begin = UnsafeRawBufferPointer(rebasing: rest)
        if begin.hasPrefix("event: error") || begin.hasPrefix("event:error") { return true }
        if begin.hasPrefix("data:") {
            begin = UnsafeRawBufferPointer(rebasing: begin.dropFirst(5))
            if begin.first == UInt8(ascii: " ") { begin = UnsafeRawBufferPointer(rebasing: begin.dropFirst()) }
            // An end with nothing before it.
            if begin.hasPrefix("[DONE]") { return true }
        }
        if begin.hasPrefix("{\"type\":\"error\"") { return true }
        return begin.hasPrefix("{\"error\":") && !begin.hasPrefix("{\"error\":null")
    }

    private static func retryAfter(_ head: ResponseHead, now: Int) -> TimeAmount? {
        head.withField("retry-after") { RetryAfter.parse(String(decoding: $0, as: UTF8.self), unixNow: now) } ?? nil
    }

    /// Ollama, llama-server, vLLM, OpenAI: each says it in its own way, and each says "model".
    private static func namesModel(_ body: UnsafeRawBufferPointer) -> Bool {
        let text = lowercased(body)
        guard text.contains("model") else { return false }
        return ["not found", "does not exist", "not exist", "no such model", "not loaded", "unknown model", "model_not_found"].contains(
            where: text.contains)
    }

    private static func soundsBusy(_ body: UnsafeRawBufferPointer) -> Bool {
        let text = lowercased(body)
        return ["server busy", "maximum pending requests", "loading model", "overloaded", "too many requests", "rate limit"]
            .contains(where: text.contains)
    }

    /// A message stands at the beginning.
    private static func lowercased(_ body: UnsafeRawBufferPointer) -> String { String(decoding: body.prefix(2048), as: UTF8.self).lowercased() }
}
