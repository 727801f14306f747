// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The way back of a translated request.
enum AnswerTranslation {
    /// What a model says: read as events, and written as the client wants them.
    case conversation(any ConversationTranslating)
    /// One JSON text of another kind, as another one.
    case body(any BodyTranslation)
}

/// An answer that is one text in any case.
protocol BodyTranslation: Sendable {
    func translate(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue
}

/// A reader and a writer, put together. Without their types, so that whoever divides the stream need not know them.
///
/// An object, as it is asked several things for every token, and is too large to be copied for that.
protocol ConversationTranslating: AnyObject {
    /// The client wants a stream.
    var wantsStream: Bool { get }
    /// How the endpoint was asked to divide its stream.
    var endpointFraming: StreamFraming { get }
    var clientFraming: StreamFraming { get }

    func read(_ item: UnsafeRawBufferPointer, isError: Bool, _ time: () -> AnswerTime)
    func read(whole body: JSONValue, _ time: AnswerTime)
    func end(_ time: AnswerTime)
    func fail(_ error: AnswerError, _ time: AnswerTime)

    /// Writes what a client gets that wants no stream.
    func writeWhole(_ time: AnswerTime)

    /// What has been written since the last time.
    func takeOutput() -> [UInt8]

    var failure: AnswerError? { get }
    var thinkingWord: ThinkingWord? { get }
    /// Bytes that are kept for the end.
    var gatheredSize: Int { get }
}

final class ConversationTranslation<Reader: AnswerEventReader, Writer: AnswerEventWriter>: ConversationTranslating {
    private var reader: Reader
    private var writer: Writer
    let wantsStream: Bool
    let endpointFraming: StreamFraming
    private var whole = GatheredAnswer()

    init(_ reader: Reader, _ endpointFraming: StreamFraming, _ writer: Writer, wantsStream: Bool) {
        self.reader = reader
        self.endpointFraming = endpointFraming
        self.writer = writer
        self.wantsStream = wantsStream
    }

    var clientFraming: StreamFraming { Writer.framing }
    var failure: AnswerError? { reader.failure ?? (wantsStream ? nil : writer.fault(of: whole)) }
    var thinkingWord: ThinkingWord? { reader.thinkingWord }
    var gatheredSize: Int { whole.size + writer.keptSize + reader.keptSize }

    func read(_ item: UnsafeRawBufferPointer, isError: Bool, _ time: () -> AnswerTime) {
        guard wantsStream else { return reader.read(item, isError: isError, into: &whole) }
        if Writer.tellsTime { writer.time = time() }
        reader.read(item, isError: isError, into: &writer)
    }

    func read(whole body: JSONValue, _ time: AnswerTime) {
        guard wantsStream else { return reader.read(whole: body, into: &whole) }
        writer.time = time
        reader.read(whole: body, into: &writer)
    }

    func end(_ time: AnswerTime) {
        guard wantsStream else { return reader.end(into: &whole) }
        writer.time = time
        reader.end(into: &writer)
    }

    func fail(_ error: AnswerError, _ time: AnswerTime) {
        guard wantsStream else { return reader.fail(error, into: &whole) }
        writer.time = time
        reader.fail(error, into: &writer)
    }

    func writeWhole(_ time: AnswerTime) {
        writer.time = time
        writer.write(whole: whole)
    }

    func takeOutput() -> [UInt8] {
        guard !writer.out.bytes.isEmpty else { return [] }
        defer { writer.out.removeAll() }
        return writer.out.bytes
    }
}
