// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the operator is being asked for. While it is open, it has all keys.
public enum Dialog: Equatable, Sendable {
    case question(Question)
    case prompt(Prompt)
    /// Which column to sort by: the place in the list of columns that can be sorted by.
    case sort(place: Int)
}

/// Commands that wait for the operator's yes. They keep their names: the selection may move meanwhile.
public struct Question: Equatable, Sendable {
    public var commands: [Command]
    /// The question, without its question mark: the name must not be what is cut, so it comes early.
    public var text: String
    /// What will come of it.
    public var consequence: String
    /// Warnings, and what the daemon says would change.
    public var notes: [String] = []
    /// Still waiting for the daemon's word on what would come of it.
    public var isPreparing = false
    /// First of the notes that is shown.
    public var offset = 0
}

/// A line that the operator writes.
public struct Prompt: Equatable, Sendable {
    public enum Purpose: Equatable, Sendable {
        /// Which rows are shown; changes with each key. Keeps what was there before.
        case filter(before: TableState.Filter)
        /// Goes to the next row that has it, with each key.
        case search
        case weight([String])
        /// A model's name, for an action at one endpoint or wherever the daemon sees fit.
        case model(String, endpoint: String?)
        case copy(String)
    }

    public var purpose: Purpose
    public var text = ""
    /// What Tab goes through.
    public var names: [String] = []
    /// What was written before the first Tab; nil while the operator writes.
    public var stem: String?

    /// Puts the next of the names that begin with what was written in its place; where none does, those that hold it.
    ///
    /// - Returns: whether there is one.
    mutating func complete(backwards: Bool) -> Bool {
        let stem = stem ?? text
        let written = stem.lowercased()
        let beginning = names.filter { $0.lowercased().hasPrefix(written) }
        let fitting = beginning.isEmpty ? names.filter { $0.lowercased().contains(written) } : beginning
        guard !fitting.isEmpty else { return false }
        let place = self.stem == nil ? nil : fitting.firstIndex(of: text)
        let next = place.map { $0 + (backwards ? -1 : 1) } ?? (backwards ? -1 : 0)
        text = fitting[(next + fitting.count) % fitting.count]
        self.stem = stem
        return true
    }

    var label: String {
        switch purpose {
        case .filter: "Filter"
        case .search: "Search"
        case .weight(let names): names.count == 1 ? "Weight of \(names[0])" : "Weight of \(names.count) endpoints"
        case .model(let action, let endpoint):
            "\(action.prefix(1).uppercased())\(action.dropFirst()) which model\(endpoint.map { " on \($0)" } ?? "")"
        case .copy(let model): "Copy \(model) to"
        }
    }

    var hint: String {
        switch purpose {
        case .filter: "! inverts  Enter keep  Esc clear"
        case .search: "Down next  Enter done"
        case .weight: "0 to 1000, or default  Enter  Esc"
        case .model, .copy: names.isEmpty ? "Enter  Esc" : "Tab chooses  Enter  Esc"
        }
    }
}
