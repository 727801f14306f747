// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(Glibc)
    import Glibc
#endif

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
    private var line: [UInt8] = []
    private var event: [UInt8] = []
    private let lineLimit: Int
    private(set) var hasEnded = false
    private(set) var hasFailed = false

    init(_ translation: any AnswerTranslation, lineLimit: Int) {
        self.translation = translation
        self.lineLimit = lineLimit
    }

    var streamType: String { translation.streamType }

    mutating func begin(status: Int, isEventStream: Bool) {
        mode = status != 200 ? .refusal(status: status) : isEventStream ? .stream : .whole
    }

    /// - Returns: what the client gets now.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ time: (_ isItem: Bool) -> AnswerTime) -> String {
        guard mode == .stream else {
            if gathered.count + bytes.count > Self.bodyLimit { isTooLarge = true } else { gathered += bytes }
            return ""
        }
        var text = ""
        var rest = bytes[...]
        while let end = rest.firstIndexOfNewline() {
            line += rest[rest.startIndex..<end]
            rest = rest[(end + 1)...]
            text += take(time)
        }
        // What is too long for a line is no event that a translation could use.
        if line.count + rest.count <= lineLimit { line += rest }
        return text
    }

    /// One line of the stream has ended.
    private mutating func take(_ time: (Bool) -> AnswerTime) -> String {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return dispatch(time) }
        guard line.starts(with: "data:".utf8) else { return "" }
        var data = line.dropFirst(5)
        if data.first == UInt8(ascii: " ") { data = data.dropFirst() }
        if !event.isEmpty { event.append(UInt8(ascii: "\n")) }
        event += data
        return ""
    }

    private mutating func dispatch(_ time: (Bool) -> AnswerTime) -> String {
        defer { event.removeAll(keepingCapacity: true) }
        guard !event.isEmpty, !hasEnded else { return "" }
        if event.elementsEqual("[DONE]".utf8) {
            hasEnded = true
            return translation.end(time(false))
        }
        guard let item = try? JSONValue(parsing: event) else { return fail("the endpoint sent an event that is no JSON", status: 502) }
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
            if !line.isEmpty { text += take { _ in time } }
            text += dispatch { _ in time }
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
