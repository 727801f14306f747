// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Why a request cannot be said in another dialect, or an answer cannot be read. Nothing that would change an answer is dropped in silence.
struct TranslationError: Error, Equatable, Sendable {
    enum Cause: Equatable, Sendable {
        /// The request is wrong in its own dialect.
        case malformed
        /// The other dialect has no word for it, and the answer would be another one without it.
        case unsupported
        /// The endpoint's answer cannot be read.
        case badAnswer
    }

    var cause: Cause
    /// The field at fault, as the client wrote it: `options.mirostat`, `messages[2].content`.
    var field: String
    var message: String
    /// What a client of the dialect wants to know besides, as members of the error.
    var details: JSONValue?

    /// What cannot be said is the client's to change: agents retry what has a status of 500 or more.
    var status: Int { cause == .badAnswer ? 502 : 400 }

    static func malformed(_ field: String, _ message: String) -> TranslationError {
        TranslationError(cause: .malformed, field: field, message: message)
    }

    static func unsupported(_ field: String, _ message: String, details: JSONValue? = nil) -> TranslationError {
        TranslationError(cause: .unsupported, field: field, message: message, details: details)
    }

    static func badAnswer(_ field: String, _ message: String) -> TranslationError {
        TranslationError(cause: .badAnswer, field: field, message: message)
    }
}
