// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Why a request cannot be said in another dialect. Nothing that would change the answer is dropped in silence.
struct TranslationError: Error, Equatable, Sendable {
    /// 400 for what is malformed, 501 for what the other dialect has no word for.
    var status: Int
    /// The field at fault, as the client wrote it: `options.mirostat`, `messages[2].content`.
    var field: String
    var message: String

    static func malformed(_ field: String, _ message: String) -> TranslationError {
        TranslationError(status: 400, field: field, message: message)
    }

    static func unsupported(_ field: String, _ message: String) -> TranslationError {
        TranslationError(status: 501, field: field, message: message)
    }
}
