// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What an endpoint's refusal teaches about its words. Pure.
enum WordLesson {
    /// What is being tried with one request.
    struct Trial: Sendable, Equatable {
        var endpoint: EndpointID
        private(set) var settings = WordSettings()
        private(set) var count = 0

        /// A request is sent again at most so often.
        static let limit = 3

        init(endpoint: EndpointID) { self.endpoint = endpoint }

        mutating func add(_ lesson: WordSettings) {
            settings.add(lesson)
            count += 1
        }
    }

    /// Statuses with which servers say that they have no such route.
    static func mayLackRoute(status: Int) -> Bool { status == 404 || status == 405 || status == 501 }

    /// Whether a refusal means that the route is not there, rather than the model.
    static func lacksRoute(status: Int, _ body: [UInt8]) -> Bool {
        guard mayLackRoute(status: status) else { return false }
        let text = Complaint(body).text
        return status != 404 || !text.contains("model")
    }

    /// Statuses with which servers refuse a field. Some templates fail with 500 instead.
    static func mayTeach(status: Int) -> Bool { status == 400 || status == 422 || status == 500 }

    /// - Parameters:
    ///   - said: what the request said that could be left unsaid, or said otherwise.
    ///   - words: as the request was written.
    /// - Returns: what is to be tried; nil if the refusal is about something else.
    static func of(status: Int, _ body: [UInt8], said: SaidFields, words: EndpointWords) -> WordSettings? {
        guard mayTeach(status: status) else { return nil }
        let complaint = Complaint(body)
        if status == 500 {
            guard complaint.text.contains("system message"), words.system == .anywhere else { return nil }
            return WordSettings(system: .first)
        }
        if said.limit, words.limit == .maxTokens, complaint.names("max_completion_tokens") { return WordSettings(limit: .maxCompletionTokens) }
        if said.limit, words.limit == .maxCompletionTokens, complaint.names("max_completion_tokens") { return WordSettings(limit: .maxTokens) }
        if words.system == .anywhere, complaint.text.contains("system message") { return WordSettings(system: .first) }
        for word in ThinkingWord.allCases where complaint.names(word.rawValue, isCommon: word != .reasoningContent) {
            if said.thinking == word { return WordSettings(thinking: .leftOut) }
            if said.thinking == nil, word == .reasoningContent { return WordSettings(thinking: .demanded(word)) }
        }
        // Ollama names the model and not the field: `"m" does not support thinking`, `think value "low" is not supported for this model`.
        if said.optional.contains(.think), complaint.text.contains("does not support thinking") || complaint.text.contains("think value") {
            return WordSettings(refused: [.think])
        }
        // Validators name all that they do not know at once.
        let refused = said.optional.filter { complaint.names($0.rawValue, isCommon: [.user, .strict, .think].contains($0)) }
        return refused.isEmpty ? nil : WordSettings(refused: refused)
    }
}

/// What a written request says that the endpoint may not want to hear.
struct SaidFields: Sendable, Equatable {
    var optional: Set<OptionalField> = []
    var limit = false
    var thinking: ThinkingWord?

    var isEmpty: Bool { self == SaidFields() }
}

/// What a refusal is about: its message and the places that it names, without what it repeats of the request.
private struct Complaint {
    let text: String
    /// Places: `param`, and the last of each `loc` of a validator.
    private var places: [String] = []

    init(_ body: [UInt8]) {
        guard let json = try? JSONValue(parsing: body) else {
            text = String(decoding: body.prefix(4096), as: UTF8.self).lowercased()
            return
        }
        var texts = [AnswerError.message(json) ?? ""]
        let error = json["error"].given
        if let place = (error?["param"] ?? json["param"]).given?.string { places.append(place) }
        for fault in (json["detail"].given?.array ?? []) + (error?["details"].given?.array ?? []) {
            if let text = fault["msg"]?.string { texts.append(text) }
            places += (fault["loc"]?.array ?? []).compactMap(\.string)
        }
        text = texts.joined(separator: "\n").lowercased()
    }

    /// - Parameter isCommon: the name is a word of everyday language: it must stand in quotes, be the place itself, or be
    ///   listed as a field.
    func names(_ field: String, isCommon: Bool = false) -> Bool {
        if places.contains(where: { $0 == field || $0.hasSuffix("." + field) }) { return true }
        if isCommon { return ["'", "\"", "`"].contains { text.contains($0 + field + $0) } || lists(field) }
        return text.contains(field)
    }

    /// After such a word come the names of fields.
    private static let labels: Set<Substring> = [
        "supplied:", "parameter:", "parameters:", "argument:", "arguments:", "field:", "fields:", "input:", "inputs:", "key:", "keys:",
        "property:", "properties:", "permitted:",
    ]

    /// What is said of a field that is not wanted.
    private static let refusals = ["not permitted", "not allowed", "not supported", "unsupported", "unknown", "unrecognized", "unexpected"]

    /// `Unrecognized request arguments supplied: user, strict`, `user: Extra inputs are not permitted`, and the name on a line of its own.
    private func lists(_ field: String) -> Bool {
        text.split { $0 == "\n" || $0 == ";" }.contains { line in
            let words = line.split(separator: " ")
            guard let first = words.first else { return false }
            if words.count == 1 { return Self.ends(first, with: field) }
            if first.last == ":", Self.ends(first.dropLast(), with: field), Self.refusals.contains(where: line.contains) { return true }
            guard let label = words.firstIndex(where: Self.labels.contains) else { return false }
            for word in words[(label + 1)...] {
                if Self.ends(word.last == "," || word.last == "." ? word.dropLast() : word, with: field) { return true }
                if word.last != "," { break }
            }
            return false
        }
    }

    private static func ends(_ path: Substring, with field: String) -> Bool { path == field || path.hasSuffix("." + field) }
}
