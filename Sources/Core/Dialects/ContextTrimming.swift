// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Which turns of a conversation go when it is too long for its model. Pure.
///
/// System messages and the last message stay; the oldest go first, and with them what hangs on them: an assistant's message or a
/// tool's result cannot be the first of a conversation.
enum ContextTrimming {
    /// What an endpoint said of a prompt that was too long; zeros where it did not say.
    struct Excess: Equatable, Sendable {
        var context: Int
        var prompt: Int
    }

    /// A context above this is not trimmed before the endpoint has complained: the estimate would be wrong more often than the
    /// prompt too long.
    static let smallContext = 32_768

    /// Tokens that a prompt may have: a quarter is left for the answer.
    static func target(context: Int) -> Int { context - context / 4 }

    /// How many tokens have to go, with a fifth more for what the estimate misses.
    static func shed(prompt: Int, context: Int) -> Int {
        max(0, Int((Double(prompt - target(context: context)) * 1.2).rounded(.up)))
    }

    /// Reads an endpoint's refusal; nil if it is about something else.
    static func excess(status: Int, body: [UInt8]) -> Excess? {
        guard (400..<600).contains(status), let json = try? JSONValue(parsing: body) else { return nil }
        let error = json["error"].given
        let message = (error?["message"]?.string ?? error?.string ?? json["message"]?.string ?? "").lowercased()
        // llama-server says it in figures.
        if error?["type"] == "exceed_context_size_error" || error?["n_ctx"] != nil {
            return Excess(context: error?["n_ctx"]?.integer ?? 0, prompt: error?["n_prompt_tokens"]?.integer ?? 0)
        }
        guard error?["code"] == "context_length_exceeded" || saysExcess(message) else { return nil }
        // OpenAI and vLLM say it in words: the first number is the context, the largest after it the prompt.
        let numbers = message.split { !$0.isNumber }.compactMap { Int($0) }
        guard let context = numbers.first else { return Excess(context: 0, prompt: 0) }
        return Excess(context: context, prompt: numbers.dropFirst().filter { $0 > context }.max() ?? 0)
    }

    /// How the servers word it.
    private static func saysExcess(_ message: String) -> Bool {
        if message.contains("context length"), message.contains("exceed") { return true }
        return ["maximum context length", "exceeds the available context size", "prompt is too long"].contains(where: message.contains)
    }

    /// Indexes of the messages that may go, oldest first.
    static func droppable(_ messages: [JSONValue]) -> [Int] {
        messages.indices.dropLast().filter { !isSystem(messages[$0]) }
    }

    private static func isSystem(_ message: JSONValue) -> Bool { message["role"] == "system" || message["role"] == "developer" }

    /// The text of a message, for counting.
    static func text(_ message: JSONValue) -> String {
        let content = message["content"]
        let text = content?.string ?? (content?.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n")
        return text + (message["tool_calls"]?.text ?? "")
    }

    /// A guess where nobody counts: four bytes a token, and four tokens around each message.
    static func estimate(_ message: JSONValue) -> Int { text(message).utf8.count / 4 + 4 }

    /// The messages without the oldest, so that at least `shed` tokens go.
    ///
    /// - Parameter tokens: of each message that may go, by its index; others are estimated.
    /// - Returns: nil if nothing can go.
    static func trimmed(_ messages: [JSONValue], shed: Int, tokens: [Int: Int]) -> (messages: [JSONValue], dropped: Int)? {
        var dropped: Set<Int> = []
        var gone = 0
        for index in droppable(messages) {
            let isOrphan = !dropped.isEmpty && messages[index]["role"] != "user"
            guard gone < shed || isOrphan else { break }
            dropped.insert(index)
            gone += tokens[index] ?? estimate(messages[index])
        }
        guard !dropped.isEmpty else { return nil }
        return (messages.indices.filter { !dropped.contains($0) }.map { messages[$0] }, dropped.count)
    }
}
