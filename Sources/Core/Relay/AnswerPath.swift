// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// What becomes of an answer's bytes between the endpoint and the client: chosen when the request is sent, by how it was sent.
///
/// Nearly every answer goes straight through; the others are put back by a value that is theirs alone.
enum AnswerPath {
    case straight
    /// Without the token counts that only the router has asked for.
    case filtered(UsageFilter)
    /// In the words of another dialect.
    case translated(TranslatedAnswer)
    /// The line that says that the endpoint has changed its models is kept until the router knows it, too.
    case announced(kept: [UInt8])

    enum Passage: Equatable {
        case asItCame
        /// These bytes instead; may be empty.
        case bytes(ByteBuffer)
    }

    /// How the client gets the answer.
    enum Manner: Equatable {
        /// With the head and the framing that came.
        case asItCame
        /// As a stream that the router frames itself.
        case stream(contentType: String)
        /// Gathered, and answered as a whole at its end.
        case gathered
    }

    /// What is to be done at the answer's end.
    enum Ending {
        /// These bytes are still owed. `isWhole`: nil where the answer's own framing tells.
        case bytes(ByteBuffer, isWhole: Bool?)
        /// The client has nothing yet and gets this.
        case answer(LocalAnswer)
        case error(RouterError)
    }

    /// The head has come.
    ///
    /// - Returns: how the client gets it.
    mutating func begin(_ head: ResponseHead) -> Manner {
        if isStraight { return .asItCame }
        switch self {
        case .straight: return .asItCame
        case .filtered, .announced:
            // An error is as it is.
            if head.status != 200 { self = .straight }
            return .asItCame
        case .translated(let answer):
            answer.begin(status: head.status, framing: head.streamFraming)
            guard answer.hasBegun, let framing = answer.streamFraming else { return .gathered }
            return .stream(contentType: framing.contentType)
        }
    }

    /// - Parameter time: for translations: when an item came.
    mutating func take(_ payload: UnsafeRawBufferPointer, _ time: (_ isItem: Bool) -> AnswerTime) -> Passage {
        // The value is taken out while it changes, so that its arrays are not copied.
        switch self {
        case .straight: return .asItCame
        case .filtered(var filter):
            self = .straight
            defer { self = .filtered(filter) }
            switch filter.judge(payload) {
            case .pass: return .asItCame
            case .replace(let bytes): return .bytes(ByteBuffer(bytes: bytes))
            }
        case .translated(let answer): return .bytes(ByteBuffer(bytes: answer.feed(payload, time)))
        case .announced(var kept):
            guard !kept.isEmpty || payload.contains("\"success\"") else { return .asItCame }
            self = .straight
            kept += payload
            self = .announced(kept: kept)
            return .bytes(ByteBuffer())
        }
    }

    /// The endpoint's answer has ended by its framing.
    ///
    /// - Parameter time: asked for by translations only, as it costs a text.
    mutating func finish(_ time: () -> AnswerTime) -> Ending {
        if isStraight { return .bytes(ByteBuffer(), isWhole: nil) }
        switch self {
        case .straight: return .bytes(ByteBuffer(), isWhole: nil)
        case .filtered(var filter):
            self = .straight
            return .bytes(ByteBuffer(bytes: filter.finish()), isWhole: nil)
        case .announced(let kept):
            self = .straight
            return .bytes(ByteBuffer(bytes: kept), isWhole: nil)
        case .translated(let answer):
            self = .straight
            switch answer.finish(time()) {
            case .stream(let bytes, let isWhole): return .bytes(ByteBuffer(bytes: bytes), isWhole: isWhole)
            case .answer(let bytes, let type): return .answer(LocalAnswer(status: .ok, contentType: type, body: ByteBuffer(bytes: bytes)))
            case .error(let status, let message): return .error(.endpointRefused(status: status, message: message))
            }
        }
    }

    /// The answer will not become whole: how a stream of the path's own ends; nil where the route's dialect says it.
    mutating func fail(_ error: RouterError) -> [UInt8]? {
        guard case .translated(let answer) = self, answer.hasBegun else { return nil }
        self = .straight
        return answer.fail(error.message, status: Int(error.status.code))
    }

    /// Looked at for each token, in place.
    var isStraight: Bool {
        if case .straight = self { return true }
        return false
    }

    /// Whether an answer with this head is gathered, and put into other words at its end; nil where its first bytes must tell.
    func gathers(_ head: ResponseHead) -> Bool? {
        guard case .translated(let answer) = self else { return false }
        return answer.isGathered(status: head.status, framing: head.streamFraming)
    }

    /// The first bytes of an answer whose head does not say what it is.
    ///
    /// - Returns: false while it cannot be said.
    func look(at payload: UnsafeRawBufferPointer) -> Bool {
        guard case .translated(let answer) = self else { return true }
        return answer.look(at: payload)
    }

    /// How the endpoint's stream is divided, where its bytes have told.
    var arrivalFraming: StreamFraming? {
        guard case .translated(let answer) = self else { return nil }
        return answer.arrivalFraming
    }

    /// The answer, if it is put into other words.
    var translated: TranslatedAnswer? {
        guard case .translated(let answer) = self else { return nil }
        return answer
    }

    /// How the client's stream is divided, where it is not divided as the endpoint's.
    var ownFraming: StreamFraming? {
        guard case .translated(let answer) = self, answer.hasBegun else { return nil }
        return answer.streamFraming
    }
}
