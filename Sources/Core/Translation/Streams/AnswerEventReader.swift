// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads an answer in the dialect of an endpoint, and gives what it says as events. Pure: whoever divides the stream calls it.
protocol AnswerEventReader: Sendable {
    /// One item of a stream: the data of a server-sent event, or a line.
    ///
    /// - Parameter isError: the event is named an error.
    mutating func read(_ item: UnsafeRawBufferPointer, isError: Bool, into sink: inout some AnswerSink)

    /// An answer that is one text. It gives the same events as the stream would have.
    mutating func read(whole body: JSONValue, into sink: inout some AnswerSink)

    /// The answer has ended by its framing. It was cut if it has not said that it is complete.
    mutating func end(into sink: inout some AnswerSink)

    /// Something of the answer has come that cannot be read.
    mutating func fail(_ error: AnswerError, into sink: inout some AnswerSink)

    /// The last event has been given: nothing that may still come is part of the answer.
    var hasEnded: Bool { get }

    /// Why there is no more; nil of an answer that is whole, or is still coming.
    var failure: AnswerError? { get }

    /// The word in which the endpoint gives its thoughts; nil if it has given none.
    var thinkingWord: ThinkingWord? { get }

    /// Bytes that are kept until the end.
    var keptSize: Int { get }
}

extension AnswerEventReader {
    var keptSize: Int { 0 }
}
