// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What can be done about a request that an endpoint has refused, where the configuration allows it. Pure.
struct RequestRepair: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case trim(ContextTrimming.Excess)
        case dropTools(why: String)
        case dropImages
    }

    var contextShift: Bool
    var retryWithout: Set<Config.RequestPart>
    private var trims = 0
    private var dropped: Set<Config.RequestPart> = []

    init(contextShift: Bool, retryWithout: Set<Config.RequestPart>) {
        self.contextShift = contextShift
        self.retryWithout = retryWithout
    }

    var isOn: Bool { contextShift || !retryWithout.isEmpty }

    /// Refusals that may be about the request's parts. Some servers answer 500 where they mean 400.
    static func mayRepair(status: Int) -> Bool { [400, 413, 422, 500, 501].contains(status) }

    /// A conversation is trimmed at most so often.
    private static let trimLimit = 2

    /// - Returns: what to do, each but once; nil to pass the refusal on.
    mutating func next(status: Int, answer: [UInt8], body: JSONValue) -> Step? {
        if contextShift, let excess = ContextTrimming.excess(status: status, body: answer) {
            if trims < Self.trimLimit, ContextTrimming.droppable(body["messages"]?.array ?? []).count > 0 {
                trims += 1
                return .trim(excess)
            }
            if body["tools"].given != nil, dropped.insert(.tools).inserted { return .dropTools(why: "the conversation is too long") }
            return nil
        }
        let message = (AnswerError.message(ofBody: answer) ?? "").lowercased()
        if retryWithout.contains(.tools), body["tools"].given != nil, Self.refusesTools(message), dropped.insert(.tools).inserted {
            return .dropTools(why: "the model takes none")
        }
        if retryWithout.contains(.images), Self.refusesImages(message), Self.withoutImages(body) != body, dropped.insert(.images).inserted {
            return .dropImages
        }
        return nil
    }

    private static func refusesTools(_ message: String) -> Bool {
        message.contains("tool") && ["not support", "--jinja", "--enable-auto-tool-choice", "unsupported"].contains(where: message.contains)
    }

    private static func refusesImages(_ message: String) -> Bool {
        ["image", "vision", "multimodal", "mmproj"].contains(where: message.contains)
            && ["not support", "unsupported", "missing data required", "not a multimodal", "no mmproj", "cannot", "must provide"]
                .contains(where: message.contains)
    }

    static func withoutTools(_ body: JSONValue) -> JSONValue {
        var result = body
        for field in ["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"] { result[field] = nil }
        return result
    }

    /// Images wherever a dialect has them; a message that was nothing else keeps an empty text.
    static func withoutImages(_ body: JSONValue) -> JSONValue {
        guard body.object != nil else { return body }
        var result = body
        if result["images"] != nil { result["images"] = nil }
        for list in ["messages", "input"] {
            guard let messages = body[list]?.array else { continue }
            result[list] = .array(
                messages.map { message in
                    guard message.object != nil else { return message }
                    var message = message
                    if message["images"] != nil { message["images"] = nil }
                    guard let parts = message["content"]?.array else { return message }
                    let kept = parts.filter { !["image_url", "input_image", "image"].contains($0["type"]?.string ?? "") }
                    if kept.count < parts.count { message["content"] = kept.isEmpty ? "" : .array(kept) }
                    return message
                })
        }
        return result
    }
}
