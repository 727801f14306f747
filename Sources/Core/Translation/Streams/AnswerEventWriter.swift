// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Writes an answer in the dialect of a client: it takes events, and owns all strictness about their order, indices, ids and numbers. Pure.
protocol AnswerEventWriter: AnswerSink, Sendable {
    /// What has been written and not yet been taken.
    var out: JSONWriter { get set }

    /// What a client expects of a stream: `application/x-ndjson` or `text/event-stream`.
    static var framing: StreamFraming { get }

    /// Whether the dialect tells the time with each item, so that it must be known.
    static var tellsTime: Bool { get }

    /// When the item came whose events come next.
    var time: AnswerTime { get set }

    /// An answer that is no stream.
    mutating func write(whole answer: GatheredAnswer)

    /// Why an answer that is no stream cannot be said in the dialect; nil where it can.
    func fault(of answer: GatheredAnswer) -> AnswerError?

    /// Bytes that are kept until the end of a stream.
    var keptSize: Int { get }
}

extension AnswerEventWriter {
    func fault(of answer: GatheredAnswer) -> AnswerError? { nil }
    var keptSize: Int { 0 }
}

extension StreamFraming {
    var contentType: String { self == .newlineJSON ? "application/x-ndjson" : "text/event-stream" }
}

/// What was measured of an answer so far. Nanoseconds, as Ollama counts.
struct AnswerTime: Sendable, Equatable {
    /// Since the request was received.
    var total: Int
    /// From the first item of a stream to the one at hand; nil before, and for what is no stream.
    var sinceFirstItem: Int?
    /// Wall clock, RFC 3339 in UTC.
    var now: String

    static let unknown = AnswerTime(total: 0, sinceFirstItem: nil, now: "")
}

/// All that an answer says, for clients that want no stream.
struct GatheredAnswer: AnswerSink, Sendable {
    enum Item: Sendable, Equatable {
        /// Escaped, as all texts here.
        case text([UInt8])
        case thinking([UInt8])
        case refusal([UInt8])
        case call(id: String, name: String, arguments: [UInt8])
    }

    private(set) var items: [Item] = []
    private(set) var logprobs: [JSONValue] = []
    private(set) var usage = AnswerUsage()
    private(set) var reason: FinishReason?
    private(set) var error: AnswerError?
    /// Bytes of all items.
    private(set) var size = 0

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece): append(piece, Item.text) { if case .text(let text) = $0 { text } else { nil } }
        case .thinking(let piece, _): append(piece, Item.thinking) { if case .thinking(let text) = $0 { text } else { nil } }
        case .refusal(let piece): append(piece, Item.refusal) { if case .refusal(let text) = $0 { text } else { nil } }
        case .callBegins(let id, let name): items.append(.call(id: id, name: name, arguments: []))
        case .arguments(let piece):
            guard case .call(let id, let name, var arguments)? = items.popLast() else { return }
            piece.bytes.withBytes { arguments.append(contentsOf: $0) }
            size += piece.bytes.count
            items.append(.call(id: id, name: name, arguments: arguments))
        case .callEnds: break
        case .logprobs(let tokens): logprobs += tokens
        case .usage(let usage): self.usage.add(usage)
        case .finish(let reason): self.reason = reason
        case .failed(let error): self.error = error
        }
    }

    /// Pieces of one kind that follow each other are one item.
    private mutating func append(_ piece: EscapedText, _ make: ([UInt8]) -> Item, _ same: (Item) -> [UInt8]?) {
        size += piece.bytes.count
        var text: [UInt8] = []
        if let last = items.last, let known = same(last) {
            items.removeLast()
            text = known
        }
        piece.bytes.withBytes { text.append(contentsOf: $0) }
        items.append(make(text))
    }

    var text: [UInt8] { items.flatMap { if case .text(let text) = $0 { text } else if case .refusal(let text) = $0 { text } else { [UInt8]() } } }

    /// A call whose arguments were cut off is none: clients would make it.
    func isCutCall(_ item: Item) -> Bool {
        if reason == .length, case .call(_, _, let arguments) = item { return CallArguments.object(arguments) == nil }
        return false
    }

    /// For dialects in which arguments are an object.
    var callFault: AnswerError? {
        for case .call(_, let name, let arguments) in items where reason != .length && CallArguments.object(arguments) == nil {
            return CallArguments.fault(name)
        }
        return nil
    }

    var thinking: [UInt8] { items.flatMap { if case .thinking(let text) = $0 { text } else { [UInt8]() } } }
}

extension JSONWriter {
    /// A string of which the inside is escaped already, with its quotes.
    mutating func escaped(_ text: EscapedText) {
        byte(UInt8(ascii: "\""))
        text.bytes.withBytes { raw($0) }
        byte(UInt8(ascii: "\""))
    }

    mutating func escaped(_ text: [UInt8]) {
        byte(UInt8(ascii: "\""))
        raw(text)
        byte(UInt8(ascii: "\""))
    }

    /// A server-sent event with a name.
    mutating func event(_ name: StaticString, _ data: JSONValue) {
        raw("event: ")
        raw(name)
        raw("\ndata: ")
        value(data)
        raw("\n\n")
    }
}
