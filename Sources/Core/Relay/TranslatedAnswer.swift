// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Feeds the bytes of an endpoint's answer to a translation, and says what the client gets. Pure: no channel, no clock.
///
/// A stream goes through item by item; anything else is gathered, up to a limit, and translated at its end.
struct TranslatedAnswer: Sendable {
    enum Mode: Sendable, Equatable {
        /// Server-sent events there, the client's kind of stream here.
        case stream
        /// One JSON text on both sides.
        case whole
        /// The endpoint refused: its message is passed on in the client's dialect.
        case refusal(status: Int)
    }

    /// What is to be done at the answer's end.
    enum Ending: Equatable {
        /// The last of a stream.
        case text(String, isWhole: Bool)
        case answer(JSONValue)
        case error(status: Int, message: String)
    }

    /// An answer that is gathered may be as large as this; embeddings of a large batch are.
    static let bodyLimit = 64 * 1024 * 1024

    private var translation: any AnswerTranslation
    private(set) var mode = Mode.whole
    private var gathered: [UInt8] = []
    private var isTooLarge = false
    private var events: EventReader
    private let eventLimit: Int
    private(set) var hasEnded = false
    private(set) var hasFailed = false

    init(_ translation: any AnswerTranslation, lineLimit: Int) {
        self.translation = translation
        eventLimit = lineLimit
        events = EventReader(limit: lineLimit)
    }

    var streamType: String { translation.streamType }

    mutating func begin(status: Int, isEventStream: Bool) { mode = Self.mode(status: status, isEventStream: isEventStream) }

    static func mode(status: Int, isEventStream: Bool) -> Mode {
        status != 200 ? .refusal(status: status) : isEventStream ? .stream : .whole
    }

    /// - Returns: what the client gets now.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ time: (_ isItem: Bool) -> AnswerTime) -> String {
        guard mode == .stream else {
            if gathered.count + bytes.count > Self.bodyLimit { isTooLarge = true } else { gathered += bytes }
            return ""
        }
        var text = ""
        var rest = bytes
        while let item = events.next(&rest) { text += take(item, time) }
        return text
    }

    private mutating func take(_ item: EventReader.Item, _ time: (Bool) -> AnswerTime) -> String {
        switch item {
        case .event(let event): event.data.withBytes { take($0, time) }
        case .tooLong: fail("the endpoint sent an event of more than \(eventLimit) bytes", status: 502)
        }
    }

    private mutating func take(_ data: UnsafeRawBufferPointer, _ time: (Bool) -> AnswerTime) -> String {
        guard !data.isEmpty, !hasEnded else { return "" }
        if data.equals("[DONE]") {
            hasEnded = true
            return translation.end(time(false))
        }
        guard let item = try? JSONValue(parsing: data) else { return fail("the endpoint sent an event that is no JSON", status: 502) }
        if let error = item["error"].given {
            return fail(error["message"]?.string ?? error.string ?? "the endpoint failed", status: error["code"]?.integer ?? 500)
        }
        return translation.item(item, time(true))
    }

    /// The stream cannot go on: its end for the client, once.
    mutating func fail(_ message: String, status: Int) -> String {
        guard !hasEnded else { return "" }
        hasEnded = true
        hasFailed = true
        return translation.fail(message, status: status)
    }

    /// The endpoint's answer has ended by its framing.
    mutating func finish(_ time: AnswerTime) -> Ending {
        switch mode {
        case .stream:
            var text = ""
            if let item = events.unfinished { text += take(item) { _ in time } }
            if !hasEnded {
                hasEnded = true
                // Some servers end without `[DONE]`; the translation knows whether the answer was complete.
                text += translation.end(time)
            }
            return .text(text, isWhole: !hasFailed)
        case .refusal(let status):
            return .error(status: status, message: Self.message(gathered) ?? "the endpoint answered with status \(status)")
        case .whole:
            if isTooLarge { return .error(status: 502, message: "the endpoint's answer is larger than \(Self.bodyLimit) bytes") }
            guard let answer = (try? JSONValue(parsing: gathered)) ?? (try? JSONValue(parsing: LenientNumbers.nulled(gathered))) else {
                return .error(status: 502, message: "the endpoint's answer is no JSON")
            }
            do throws(TranslationError) {
                return .answer(try translation.whole(answer, time))
            } catch {
                return .error(status: error.status, message: error.message)
            }
        }
    }

    /// `{"error": {"message": "..."}}`, `{"error": "..."}`, `{"message": "..."}`, `{"detail": "..."}`, or plain text.
    static func message(_ body: [UInt8]) -> String? {
        guard let json = try? JSONValue(parsing: body) else {
            let text = String(decoding: body.prefix(500), as: UTF8.self)
            return text.isEmpty || text.hasPrefix("<") ? nil : text
        }
        let error = json["error"].given
        return error?["message"]?.string ?? error?.string ?? json["message"]?.string ?? json["detail"]?.string
    }
}
