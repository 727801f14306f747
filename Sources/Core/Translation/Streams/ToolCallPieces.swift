// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Puts together tool calls that come in pieces, however a server marks to which call a piece belongs, and gives them out one after the
/// other: the first as its pieces come, the others at the end.
///
/// | a piece has | it belongs to |
/// |---|---|
/// | the id of a call | that call, unless it has a name and another index: then a call of its own |
/// | a new id | the call at its index, if that one has no id and no arguments yet; else a new one |
/// | no id, an index that is known | the last call that began there |
/// | no id, an index that is new, a name | a new call |
/// | no id, an index that is new or none, no name | the call of the piece before |
struct ToolCallPieces: Sendable {
    private struct Call {
        var index: Int?
        var id: String
        var isIDGiven = false
        var name = ""
        /// Escaped. Of a call that is being given out, all that came.
        var arguments: [UInt8] = []
        /// What of them has been given out.
        var given = 0
        var hasBegun = false
        var hasEnded = false
    }

    private var calls: [Call] = []
    /// Bytes of all arguments.
    private(set) var keptSize = 0
    /// The call to which the last piece belonged.
    private var current: Int?
    /// Begins the ids of calls that come without one.
    let idPrefix: String

    init(idPrefix: String) { self.idPrefix = idPrefix }

    var isEmpty: Bool { calls.isEmpty }

    /// Every call has arguments that are a JSON object, so that none was cut. No arguments at all are an empty object.
    var areWhole: Bool {
        calls.allSatisfy { call in
            call.arguments.isEmpty || (try? JSONValue(parsing: EscapedText.decoded(call.arguments).utf8))?.object != nil
        }
    }

    // MARK: Pieces

    mutating func add(_ deltas: [JSONValue], into sink: inout some AnswerSink) {
        for delta in deltas where delta.object != nil { add(delta, into: &sink) }
    }

    /// One piece: `{"index", "id", "function": {"name", "arguments"}}`.
    mutating func add(_ delta: JSONValue, into sink: inout some AnswerSink) {
        let function = delta["function"].given ?? delta
        let name = function["name"].given?.string ?? ""
        let position = place(id: delta["id"].given?.string ?? "", index: delta["index"].given?.integer, name: name)
        current = position
        join(name, at: position)
        if let arguments = Self.escaped(function["arguments"] ?? function["input"]) {
            keptSize += arguments.count
            calls[position].arguments += arguments
        }
        if position == 0 { giveFirst(into: &sink) }
    }

    /// A whole call, as an answer that is no stream has it: each is one of its own, whatever its id.
    mutating func addWhole(_ call: JSONValue) {
        let function = call["function"].given ?? call
        let given = call["id"].given?.string ?? ""
        let isNew = !given.isEmpty && !calls.contains { $0.id == given }
        calls.append(Call(index: nil, id: isNew ? given : "\(idPrefix)_\(calls.count)", isIDGiven: isNew, name: function["name"].given?.string ?? ""))
        if let arguments = Self.escaped(function["arguments"] ?? function["input"]) { calls[calls.count - 1].arguments = arguments }
    }

    private mutating func place(id: String, index: Int?, name: String) -> Int {
        if !id.isEmpty {
            if let known = calls.firstIndex(where: { $0.isIDGiven && $0.id == id }) {
                guard !name.isEmpty, let index, let other = calls[known].index, other != index else { return known }
                if let own = calls.lastIndex(where: { $0.index == index }) { return own }
                return begin(Call(index: index, id: "\(idPrefix)_\(calls.count)"))
            }
            if let index, let open = calls.lastIndex(where: { $0.index == index && !$0.isIDGiven && $0.arguments.isEmpty && !$0.hasBegun }) {
                calls[open].id = id
                calls[open].isIDGiven = true
                return open
            }
            return begin(Call(index: index, id: id, isIDGiven: true))
        }
        if let index, let known = calls.lastIndex(where: { $0.index == index }) { return known }
        if name.isEmpty, let current { return current }
        return begin(Call(index: index, id: "\(idPrefix)_\(index ?? calls.count)"))
    }

    private mutating func begin(_ call: Call) -> Int {
        calls.append(call)
        return calls.count - 1
    }

    /// Servers write the name once, in pieces, or all of it with each piece of the arguments.
    private mutating func join(_ name: String, at position: Int) {
        guard !name.isEmpty, !calls[position].hasBegun, calls[position].arguments.isEmpty else { return }
        let known = calls[position].name
        if known == name { return }
        calls[position].name = name.hasPrefix(known) ? name : known + name
    }

    private static func escaped(_ value: JSONValue?) -> [UInt8]? {
        switch value.given {
        case .string(let text)?: EscapedText(escaping: text).bytes.copy
        case .object(let object)?: EscapedText(escaping: JSONValue.object(object).text).bytes.copy
        default: nil
        }
    }

    // MARK: Giving out

    /// The name is whole with the first piece of the arguments.
    private mutating func giveFirst(into sink: inout some AnswerSink) {
        guard !calls[0].arguments.isEmpty, !calls[0].name.isEmpty, !calls[0].hasEnded else { return }
        give(0, into: &sink)
    }

    private mutating func give(_ position: Int, into sink: inout some AnswerSink) {
        if !calls[position].hasBegun {
            calls[position].hasBegun = true
            sink.take(.callBegins(id: calls[position].id, name: calls[position].name))
        }
        let rest = calls[position].arguments[calls[position].given...]
        guard !rest.isEmpty else { return }
        calls[position].given = calls[position].arguments.count
        sink.take(.arguments(EscapedText(.gathered(Array(rest)))))
    }

    /// Something else is to be told, which would end the call that is being given out.
    ///
    /// - Returns: false where more of that call is to come, so that the other thing must wait.
    mutating func makesWay(into sink: inout some AnswerSink) -> Bool {
        guard let first = calls.first, first.hasBegun, !first.hasEnded else { return true }
        guard CallArguments.object(first.arguments) != nil else { return false }
        calls[0].hasEnded = true
        sink.take(.callEnds)
        return true
    }

    /// The rest, call by call. A call without a name cannot be made.
    ///
    /// - Returns: how many calls there were in all.
    mutating func finish(into sink: inout some AnswerSink) -> Int {
        var count = 0
        for position in calls.indices where calls[position].hasBegun || !calls[position].name.isEmpty {
            count += 1
            if calls[position].hasEnded { continue }
            give(position, into: &sink)
            sink.take(.callEnds)
        }
        return count
    }
}
