// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Protocol

/// Names that a shell completes: asked of the daemon while somebody waits with a finger on Tab.
enum Completions {
    /// Longer than this and the shell seems to hang; a local daemon answers within a few milliseconds.
    static let patienceMs = 500

    static let endpoints = CompletionKind.custom { words, _, _ in
        names(words) { client throws(ControlError) in try client.endpoints().endpoints.map(\.name) }
    }

    static let models = CompletionKind.custom { words, _, _ in
        names(words) { client throws(ControlError) in try client.models().models.flatMap { [$0.name] + $0.aliases } }
    }

    static let requests = CompletionKind.custom { words, _, _ in
        names(words) { client throws(ControlError) in try client.requests().requests.map(\.id) }
    }

    /// Nothing where there is no daemon: a message would stand in the middle of the command line.
    private static func names(_ words: [String], _ call: (ControlClient) throws(ControlError) -> [String]) -> [String] {
        let path = SocketPath.find(option: socket(in: words), environment: ProcessInfo.processInfo.environment)
        // Each Tab would connect anew.
        guard !SSHAddress.names(path) else { return [] }
        do {
            // Zsh takes what follows a colon for a description.
            return try call(try ControlClient(path: path, timeoutMs: patienceMs)).map(escaped)
        } catch {
            return []
        }
    }

    /// The value of `--socket` on a command line that is not finished.
    static func socket(in words: [String]) -> String? {
        for (index, word) in words.enumerated() {
            if word == "--socket", index + 1 < words.count { return words[index + 1] }
            if word.hasPrefix("--socket=") { return String(word.dropFirst("--socket=".count)) }
        }
        return nil
    }

    private static func escaped(_ name: String) -> String {
        ProcessInfo.processInfo.environment["SAP_SHELL"] == "zsh" ? name.replacing(":", with: "\\:") : name
    }
}
