// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

extension Conversation {
    /// What an assistant said in several pieces is one turn.
    mutating func appendToAssistant(_ part: Part) {
        if let last = turns.indices.last, turns[last].role == .assistant {
            turns[last].parts.append(part)
        } else {
            turns.append(Turn(.assistant, [part]))
        }
    }

    /// Results that follow each other are one turn.
    mutating func append(_ result: ToolResult) {
        if let last = turns.indices.last, turns[last].role == .tool {
            turns[last].parts.append(.result(result))
        } else {
            turns.append(Turn(.tool, [.result(result)]))
        }
    }

    /// Puts the results of tools behind their calls: services refuse what stands between, such as what a user said meanwhile.
    mutating func placeResults() {
        var callers: [String: Int] = [:]
        var results: [Int: [ToolResult]] = [:]
        var others = turns
        for index in turns.indices {
            for call in turns[index].calls where !call.id.isEmpty { callers[call.id] = index }
            guard turns[index].role == .tool else { continue }
            others[index].parts.removeAll { part in
                guard case .result(let result) = part, let caller = callers[result.callID] else { return false }
                results[caller, default: []].append(result)
                return true
            }
        }
        guard !results.isEmpty else { return }
        turns = []
        for (index, turn) in others.enumerated() where turn.role != .tool || !turn.parts.isEmpty {
            turns.append(turn)
            for result in results[index] ?? [] { append(result) }
        }
    }

    /// Gives tool results that name no call the ids of the calls before them: by the function's name, else in order.
    mutating func connectResults() {
        var open: [ToolCall] = []
        for turn in turns.indices {
            if turns[turn].role == .assistant {
                let calls = turns[turn].calls
                if !calls.isEmpty { open = calls }
            }
            guard turns[turn].role == .tool else { continue }
            for part in turns[turn].parts.indices {
                guard case .result(var result) = turns[turn].parts[part] else { continue }
                let match =
                    open.firstIndex { result.callID == $0.id } ?? open.firstIndex { result.callID.isEmpty && result.name == $0.name }
                    ?? (result.callID.isEmpty ? open.indices.first : nil)
                guard let match else { continue }
                let call = open.remove(at: match)
                if result.callID.isEmpty { result.callID = call.id }
                turns[turn].parts[part] = .result(result)
            }
        }
    }
}

extension Turn {
    var calls: [ToolCall] {
        parts.compactMap { if case .call(let call) = $0 { call } else { nil } }
    }

    var thinking: [Thinking] {
        parts.compactMap { if case .thinking(let thinking) = $0 { thinking } else { nil } }
    }

    var texts: [String] { parts.texts }
}

extension [Part] {
    var texts: [String] {
        compactMap { part in
            switch part {
            case .text(let text): text
            case .document(let document): document.text
            default: nil
            }
        }
    }

    var images: [Image] {
        compactMap { if case .image(let image) = $0 { image } else { nil } }
    }
}
