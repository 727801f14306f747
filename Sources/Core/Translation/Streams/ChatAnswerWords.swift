// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What servers mean by what they write into chat completions.
enum ChatAnswerWords {
    enum Piece: Equatable { case text(String), thinking(String) }

    /// A text, or a list of parts, of which some are thoughts.
    static func content(_ content: JSONValue?) -> [Piece] {
        switch content {
        case .string(let text)?: return text.isEmpty ? [] : [.text(text)]
        case .array(let parts)?:
            return parts.compactMap { part in
                switch part["type"]?.string {
                case "thinking"?, "reasoning"?:
                    let thought = plain(part["thinking"] ?? part["text"] ?? part["content"])
                    return thought.isEmpty ? nil : .thinking(thought)
                default:
                    let text = part.string ?? plain(part["text"] ?? part["content"] ?? part["refusal"])
                    return text.isEmpty ? nil : .text(text)
                }
            }
        default: return []
        }
    }

    private static func plain(_ value: JSONValue?) -> String {
        switch value {
        case .string(let text)?: text
        case .array(let parts)?: parts.map { $0.string ?? $0["text"]?.string ?? "" }.joined()
        case .object?: value?["text"]?.string ?? ""
        default: ""
        }
    }

    /// What the model thought, and in which word it says so. Some say the same in two words: the first counts.
    static func thinking(_ message: JSONValue) -> (text: String, word: ThinkingWord)? {
        for word in ThinkingWord.allCases {
            let text = plain(message[word.rawValue].given)
            if !text.isEmpty { return (text, word) }
        }
        let details = (message["reasoning_details"].given?.array ?? []).map { $0["text"]?.string ?? $0["summary"]?.string ?? "" }.joined()
        return details.isEmpty ? nil : (details, .reasoning)
    }

    /// Nil for what says nothing: some write an empty reason into each item.
    static func reason(_ text: String) -> FinishReason? {
        switch text {
        case "": nil
        case "length", "max_tokens", "model_length", "max_output_tokens", "MAX_TOKENS": .length
        case "tool_calls", "function_call", "tool_use", "tool_call": .calls
        case "content_filter", "refusal", "safety", "SAFETY", "sensitive": .refusal
        default: .stop
        }
    }

    static func isError(_ reason: String) -> Bool { ["error", "abort", "aborted", "network_error", "failed"].contains(reason) }

    static func usage(_ json: JSONValue) -> AnswerUsage {
        var result = AnswerUsage()
        if let timings = json["timings"].given {
            // Whatever a server says: a number beyond all reason is none.
            func nanoseconds(_ key: String) -> Int? { timings[key]?.double.flatMap { Int(exactly: ($0 * 1e6).rounded(.towardZero)) } }
            // Not checked: a sum of nonsense may be nonsense, and must not end the daemon.
            result.prompt = timings["prompt_n"]?.integer.map { $0 &+ (timings["cache_n"]?.integer ?? 0) }
            result.completion = timings["predicted_n"]?.integer
            (result.promptNanoseconds, result.completionNanoseconds) = (nanoseconds("prompt_ms"), nanoseconds("predicted_ms"))
        }
        let choice = json["choices"]?.array?.first
        guard let usage = json["usage"].given ?? choice?["usage"].given else { return result }
        // No server has used less than nothing.
        result.prompt = usage["prompt_tokens"]?.integer.map { max(0, $0) } ?? result.prompt
        result.completion = usage["completion_tokens"]?.integer.map { max(0, $0) } ?? result.completion
        result.cached = (usage["prompt_tokens_details"]?["cached_tokens"] ?? usage["prompt_cache_hit_tokens"])?.integer
        result.reasoning = usage["completion_tokens_details"]?["reasoning_tokens"]?.integer
        return result
    }
}
