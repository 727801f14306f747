// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What the functions that an endpoint is told of are to a client of the Responses dialect, which has tools of more kinds: functions
/// within a namespace, and tools that take plain text.
struct ToolForms: Sendable, Equatable {
    struct Form: Sendable, Equatable {
        var name: String
        var namespace: String?
        /// Its one argument is the text itself.
        var takesText = false
    }

    /// By the name that the endpoint knows; a function of that very name needs no entry.
    private(set) var forms: [String: Form] = [:]

    /// The argument of a function that stands for a tool of plain text.
    static let textArgument = "input"

    private static let nameLimit = 64

    /// The name under which the endpoint knows a tool. Names may have 64 letters, digits, `_` and `-`.
    static func flat(_ name: String, in namespace: String?) -> String {
        guard let namespace, !namespace.isEmpty else { return name }
        let whole = namespace.hasSuffix("__") ? namespace + name : "\(namespace)__\(name)"
        if whole.utf8.count <= nameLimit { return whole }
        let digest = Digest(of: whole).hex.prefix(8)
        return String(whole.prefix(nameLimit - 10)) + "__" + digest
    }

    mutating func add(_ form: Form) -> String {
        let flat = Self.flat(form.name, in: form.namespace)
        if form.namespace != nil || form.takesText { forms[flat] = form }
        return flat
    }

    subscript(flat: String) -> Form { forms[flat] ?? Form(name: flat) }

    /// The text of a call's arguments, where the tool takes text: `{"input": "..."}`, or whatever the model wrote instead.
    static func text(of arguments: String) -> String {
        guard let value = try? JSONValue(parsing: arguments.utf8) else { return arguments }
        if let text = value[textArgument]?.string { return text }
        // One argument, whatever the model called it.
        if let members = value.object?.members, members.count == 1, let text = members[0].value.string { return text }
        return value.string ?? arguments
    }

    static func arguments(of text: String) -> String { ([textArgument: .string(text)] as JSONValue).text }
}
