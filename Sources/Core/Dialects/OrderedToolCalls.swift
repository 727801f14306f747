// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Tool calls that come in pieces, for streams in which one must end before the next begins: the first is passed on as it comes,
/// pieces of the others wait for the end.
struct OrderedToolCalls: Sendable {
    enum Event: Equatable {
        case start(id: String, name: String)
        case arguments(String)
        case end(arguments: String)
    }

    private struct Call {
        var index: Int
        var id = ""
        var name = ""
        var arguments = ""
        var isOpen = false
    }

    private var calls: [Call] = []
    var isEmpty: Bool { calls.isEmpty }

    mutating func add(_ deltas: [JSONValue], fallbackID: String) -> [Event] {
        var events: [Event] = []
        for delta in deltas {
            let index = delta["index"]?.integer ?? calls.count
            var position = calls.firstIndex { $0.index == index } ?? -1
            if position < 0 {
                calls.append(Call(index: index, id: "\(fallbackID)_\(index)"))
                position = calls.count - 1
            }
            if let id = delta["id"].given?.string, !id.isEmpty, !calls[position].isOpen { calls[position].id = id }
            if let name = delta["function"]?["name"].given?.string, !calls[position].isOpen { calls[position].name += name }
            let given = delta["function"]?["arguments"].given
            let text = given?.string ?? (given?.object == nil ? "" : given?.text ?? "")
            calls[position].arguments += text
            guard position == 0 else { continue }
            // The name is known with the first piece of arguments, if not before.
            if !calls[0].isOpen, !calls[0].name.isEmpty {
                calls[0].isOpen = true
                events.append(.start(id: calls[0].id, name: calls[0].name))
                if !calls[0].arguments.isEmpty { events.append(.arguments(calls[0].arguments)) }
            } else if calls[0].isOpen, !text.isEmpty {
                events.append(.arguments(text))
            }
        }
        return events
    }

    /// The rest, call by call.
    mutating func finish() -> [Event] {
        var events: [Event] = []
        for call in calls {
            if !call.isOpen {
                events.append(.start(id: call.id, name: call.name))
                if !call.arguments.isEmpty { events.append(.arguments(call.arguments)) }
            }
            events.append(.end(arguments: call.arguments))
        }
        calls = []
        return events
    }
}

/// Text of server-sent events with names.
enum EventText {
    static func event(_ name: String, _ data: JSONValue) -> String { "event: \(name)\ndata: \(data.text)\n\n" }
}
