// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

#if canImport(Dispatch)
    import Dispatch
#endif

/// The model in the daemon itself. It is read when the first text comes, and works on a thread of its own: a text takes milliseconds,
/// which no event loop and no other task shall wait for.
final class LocalEmbedder: TextEmbedder {
    let space = "all-minilm-l6-v2"
    private let path: String?
    private let queue = DispatchQueue(label: "routerd.embedding", qos: .userInitiated)
    private let model = NIOLockedValueBox<MiniLM?>(nil)

    /// - Parameter path: the folder of its files; nil for the usual places.
    init(path: String?) {
        self.path = path
    }

    func check() async throws {
        try await onQueue { [path] in try ModelFolder.check(ModelFolder.find(path)) }
    }

    func embed(_ text: String) async throws -> [Float] {
        try await onQueue { [path, model] in
            let loaded: MiniLM
            if let known = model.withLockedValue({ $0 }) {
                loaded = known
            } else {
                loaded = try ModelFolder.load(ModelFolder.find(path))
                model.withLockedValue { $0 = loaded }
            }
            let tokens = loaded.tokens(text)
            guard tokens.count < MiniLM.tokenLimit else { throw TextTooLong() }
            return loaded.embed(tokens: tokens)
        }
    }

    private func onQueue<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}
