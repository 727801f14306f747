// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// What a coding agent is asked to do in a folder of its own: read a file, look at a picture, fail to read a file that is not there, edit the
/// first one, run a command, and say what it saw.
///
/// A mark in the prompt tells the scripted model which folder it is about and how the agent works, so that the model needs no other channel.
public struct AgentTask: Sendable, Equatable {
    /// How an agent takes what the model wants done.
    public enum Manner: String, Sendable {
        /// It offers tools and runs several calls of one turn.
        case parallel
        /// It offers tools; one call that fails undoes the others of its turn.
        case single
        /// It offers no tools and reads files out of the model's text.
        case text
    }

    /// Absolute.
    public let folder: String
    public let manner: Manner

    public init(folder: String, manner: Manner) {
        self.folder = folder
        self.manner = manner
    }

    /// A word that only stands in the file: who says it has been handed the file.
    static let word = "walnut-4711"
    static let before = "The sky is blue."
    static let after = "The sky is green."
    static func notes(_ first: String) -> String { "\(first)\nThe word is \(word).\n" }

    var notes: String { folder + "/notes.txt" }
    var missing: String { folder + "/missing.txt" }
    var picture: String { folder + "/picture.png" }
    /// Copies the file, so that its copy shows that the edit came before the command.
    static let command = "cp notes.txt copy.txt"

    // MARK: What reaches the model

    /// What the agent hands to the model on the way. The model ends with a sentence for each.
    public enum Sight: Sendable, CaseIterable {
        case file, picture, error
        /// An answer of a tool that the agent had kept back until the model searched for it.
        case foundTool
        /// An answer of a tool in a namespace.
        case namespacedTool

        var sentence: String {
            switch self {
            case .file: "The file says \(AgentTask.word)."
            case .picture: "The picture was there."
            case .error: "The error was told."
            case .foundTool: "The tool that was found answered."
            case .namespacedTool: "The tool in its namespace answered."
            }
        }

        func isSeen(in turn: ModelConversation.Turn) -> Bool {
            switch self {
            case .file: turn.text.contains(AgentTask.word)
            case .picture: turn.images > 0
            case .error: ["does not exist", "No such file", "error", "Error"].contains { turn.text.contains($0) }
            // Of Claude Code and Codex, in their own words: a tool that they do not know has others.
            case .foundTool: turn.text.contains("has not been read yet")
            case .namespacedTool: turn.text.contains("invalid agent id")
            }
        }
    }

    // MARK: The prompt

    public var mark: String { "TASK(\(folder),\(manner.rawValue))" }
    public var prompt: String { "Please do the \(mark)." }

    /// The task of the last mark in a text, if there is one.
    static func find(in text: String) -> AgentTask? {
        guard let start = text.range(of: "TASK(", options: .backwards), let end = text[start.upperBound...].firstIndex(of: ")") else { return nil }
        let parts = text[start.upperBound..<end].split(separator: ",")
        guard parts.count == 2, let manner = Manner(rawValue: String(parts[1])) else { return nil }
        return AgentTask(folder: String(parts[0]), manner: manner)
    }

    // MARK: The folder

    /// Writes what the agent finds.
    public func prepare() throws {
        try Self.notes(Self.before).write(toFile: notes, atomically: true, encoding: .utf8)
        guard let picture = Data(base64Encoded: Self.redSquare) else { throw TestFailure("the picture is no base64") }
        try picture.write(to: URL(fileURLWithPath: self.picture))
    }

    /// What the agent left undone, in words; empty when all is done.
    ///
    /// - Parameters:
    ///   - said: the agent's last words.
    ///   - sights: what was to reach the model.
    public func shortcomings(said: String, sights: [Sight]) -> [String] {
        func read(_ name: String) -> String? { try? String(contentsOfFile: folder + "/" + name, encoding: .utf8) }
        var found: [String] = []
        if read("notes.txt") != Self.notes(Self.after) { found.append("notes.txt is not edited: \(read("notes.txt") ?? "gone")") }
        if read("copy.txt") != Self.notes(Self.after) { found.append("the command did not run after the edit: \(read("copy.txt") ?? "no copy.txt")") }
        for sight in sights where !said.contains(sight.sentence) { found.append("the agent did not say \"\(sight.sentence)\"") }
        return found
    }

    /// A red square of 32 points, PNG.
    static let redSquare =
        "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAK0lEQVR4nO3NQQEAAATAQATRP4pYSvC7BdjldMdn9XoHAAAAAAAAAAAAhy3gBQFE4naZuwAAAABJRU5ErkJggg=="
}
