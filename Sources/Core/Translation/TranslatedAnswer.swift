// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Divides an endpoint's answer for its translation, and says what the client gets. It knows no channel and no clock.
///
/// The answer is what its first bytes say that it is, whatever its head said: server-sent events, lines, or one text. And the client gets
/// the manner that it asked for: a whole answer of an endpoint that was asked for a stream is told as a stream, and the other way round.
///
/// A class, as it is looked at for every token, and too large to be moved for that. Bound to the event loop of its exchange.
final class TranslatedAnswer {
    /// What is to be done at the answer's end.
    enum Ending: Equatable {
        /// The last of a stream that has begun.
        case stream([UInt8], isWhole: Bool)
        /// All of it.
        case answer([UInt8], contentType: String)
        case error(status: Int, message: String)
    }

    /// How the answer comes.
    private enum Arrival {
        /// Nothing has come that would tell.
        case unknown
        case events(EventReader)
        case lines(LineReader)
        case text
        /// The endpoint refused: its message is passed on in the client's dialect.
        case refusal(status: Int)
    }

    /// An answer that is gathered may be as large as this; embeddings of a large batch are.
    static let bodyLimit = 64 * 1024 * 1024
    /// What a stream may leave to be kept for its end: some dialects say all of it once more there.
    static let streamLimit = 16 * 1024 * 1024

    private let conversation: (any ConversationTranslating)?
    private let body: (any BodyTranslation)?
    private let wantsStream: Bool
    private var arrival = Arrival.unknown
    private var gathered: [UInt8] = []
    private var isTooLarge = false
    private let lineLimit: Int
    /// The endpoint's own key: errors that repeat it must not tell it to clients.
    private let key: Secret?
    /// The client has the head of a stream.
    private(set) var hasBegun = false

    init(_ translation: AnswerTranslation, lineLimit: Int, key: Secret? = nil) {
        self.lineLimit = lineLimit
        self.key = key
        switch translation {
        case .conversation(let conversation): (self.conversation, body) = (conversation, nil)
        case .body(let body): (conversation, self.body) = (nil, body)
        }
        wantsStream = conversation?.wantsStream ?? false
    }

    // MARK: The head

    /// How the client's stream is divided; nil where it gets none.
    var streamFraming: StreamFraming? { wantsStream ? conversation?.clientFraming : nil }

    /// The word in which the endpoint gave its thoughts.
    var thinkingWord: ThinkingWord? { conversation?.thinkingWord }

    /// What the head says of the answer to a client that wants a stream: nil where only the body can tell.
    func isGathered(status: Int, framing: StreamFraming?) -> Bool? {
        if status != 200 || !wantsStream { return true }
        switch arrival {
        case .text, .refusal: return true
        case .events, .lines: return false
        case .unknown: return framing == nil ? nil : false
        }
    }

    /// The head of the answer is passed on, or kept.
    func begin(status: Int, framing: StreamFraming?) {
        if status != 200 { arrival = .refusal(status: status) }
        hasBegun = isGathered(status: status, framing: framing) == false
    }

    /// Finds out from the first bytes what the answer is.
    ///
    /// - Returns: false while that cannot be said.
    @discardableResult
    func look(at bytes: UnsafeRawBufferPointer) -> Bool {
        guard case .unknown = arrival else { return true }
        guard let first = bytes.first(where: { ![0x20, 0x0a, 0x0d, 0x09, 0xef, 0xbb, 0xbf].contains($0) }) else { return false }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") || first == UInt8(ascii: "<") {
            let isLines = first == UInt8(ascii: "{") && wantsStream && conversation?.endpointFraming == .newlineJSON
            arrival = isLines ? .lines(LineReader(limit: lineLimit)) : .text
        } else {
            arrival = conversation == nil ? .text : .events(EventReader(limit: lineLimit))
        }
        return true
    }

    /// How the endpoint's stream is divided, if it is known to be one.
    var arrivalFraming: StreamFraming? {
        switch arrival {
        case .events: .serverSentEvents
        case .lines: .newlineJSON
        case .unknown, .text, .refusal: nil
        }
    }

    // MARK: The body

    /// - Returns: what the client gets now.
    func feed(_ bytes: UnsafeRawBufferPointer, _ time: (_ isItem: Bool) -> AnswerTime) -> [UInt8] {
        var bytes = bytes
        if case .unknown = arrival {
            guard look(at: bytes) else { return [] }
            // White space before a text means nothing; before events it may be what keeps the connection alive.
            while let first = bytes.first, [0x20, 0x0a, 0x0d, 0x09].contains(first) { bytes = bytes.from(1) }
        }
        switch arrival {
        case .unknown: return []
        case .text, .refusal:
            if gathered.count + bytes.count > Self.bodyLimit { isTooLarge = true } else { gathered += bytes }
            return []
        case .events(var events):
            // Taken out while it changes, so that its arrays are not copied.
            arrival = .unknown
            while let item = events.next(&bytes) { take(item, time) }
            arrival = .events(events)
        case .lines(var lines):
            arrival = .unknown
            while let line = lines.next(&bytes) { take(line, time) }
            arrival = .lines(lines)
        }
        if wantsStream {
            if conversation?.gatheredSize ?? 0 > Self.streamLimit {
                conversation?.fail(
                    AnswerError(message: "the endpoint's answer is larger than \(Self.streamLimit) bytes", status: 502), time(false))
            }
            return output()
        }
        if conversation?.gatheredSize ?? 0 > Self.bodyLimit { isTooLarge = true }
        return []
    }

    private func take(_ item: EventReader.Item, _ time: (Bool) -> AnswerTime) {
        guard !isTooLarge else { return }
        switch item {
        case .event(let event):
            let isError = event.name.withBytes { $0.equals("error") }
            event.data.withBytes { conversation?.read($0, isError: isError) { time(true) } }
        case .tooLong: failTooLong("an event", time)
        }
    }

    private func take(_ line: LineReader.Line, _ time: (Bool) -> AnswerTime) {
        guard !isTooLarge else { return }
        switch line {
        case .whole(let bytes): bytes.withBytes { conversation?.read($0, isError: false) { time(true) } }
        case .tooLong: failTooLong("a line", time)
        }
    }

    private func failTooLong(_ what: String, _ time: (Bool) -> AnswerTime) {
        conversation?.fail(AnswerError(message: "the endpoint sent \(what) of more than \(lineLimit) bytes", status: 502), time(false))
    }

    // MARK: The end

    /// The stream cannot go on: its end for the client, once.
    func fail(_ message: String, status: Int) -> [UInt8] {
        conversation?.fail(AnswerError(message: message, status: status), .unknown)
        return output()
    }

    private func output() -> [UInt8] {
        let bytes = conversation?.takeOutput() ?? []
        guard let key, conversation?.failure != nil else { return bytes }
        return key.masked(in: bytes)
    }

    /// The endpoint's answer has ended by its framing.
    func finish(_ time: AnswerTime) -> Ending {
        let ending = ending(time)
        guard let key, case .error(let status, let message) = ending else { return ending }
        return .error(status: status, message: key.masked(in: message))
    }

    private func ending(_ time: AnswerTime) -> Ending {
        if case .refusal(let status) = arrival {
            return .error(status: status, message: RefusalMessage.text(status: status, gathered))
        }
        if isTooLarge { return .error(status: 502, message: "the endpoint's answer is larger than \(Self.bodyLimit) bytes") }
        if let body { return finish(body, time) }
        switch arrival {
        case .unknown, .text, .refusal:
            if let answer = parsed() {
                conversation?.read(whole: answer, time)
            } else {
                conversation?.fail(AnswerError(message: "the endpoint's answer is no JSON", status: 502), time)
            }
        case .events(let events):
            if let item = events.unfinished { take(item) { _ in time } }
            conversation?.end(time)
        case .lines(let lines):
            if let line = lines.unfinished { take(line) { _ in time } }
            conversation?.end(time)
        }
        let failure = conversation?.failure
        if hasBegun { return .stream(output(), isWhole: failure == nil) }
        if let failure { return .error(status: failure.status, message: failure.message) }
        guard let framing = streamFraming else {
            conversation?.writeWhole(time)
            return .answer(conversation?.takeOutput() ?? [], contentType: LocalAnswer.jsonType)
        }
        return .answer(conversation?.takeOutput() ?? [], contentType: framing.contentType)
    }

    private func finish(_ body: any BodyTranslation, _ time: AnswerTime) -> Ending {
        guard let answer = parsed() else { return .error(status: 502, message: "the endpoint's answer is no JSON") }
        do throws(TranslationError) {
            return .answer(try body.translate(answer, time).bytes, contentType: LocalAnswer.jsonType)
        } catch {
            return .error(status: error.status, message: error.message)
        }
    }

    private func parsed() -> JSONValue? {
        (try? JSONValue(parsing: gathered)) ?? (try? JSONValue(parsing: LenientNumbers.nulled(gathered)))
    }
}
