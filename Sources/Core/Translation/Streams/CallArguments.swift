// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What a model wrote as the arguments of a call, for dialects in which they are an object.
enum CallArguments {
    /// - Parameter escaped: as they stand within a JSON string.
    /// - Returns: nil where they are no object, because they were cut or written wrongly: no tool shall be run on a guess.
    static func object(_ escaped: [UInt8]) -> JSONValue? {
        let text = EscapedText.decoded(escaped)
        if text.allSatisfy(\.isWhitespace) { return escaped.isEmpty || !text.isEmpty ? [:] : nil }
        guard let value = whole(text) else { return nil }
        switch value {
        case .object: return value
        // What some servers write where there are none.
        case .null: return [:]
        // Some encode them twice.
        case .string(let inner):
            guard let object = whole(inner), object.object != nil else { return nil }
            return object
        default: return nil
        }
    }

    /// - Returns: nil for what is no JSON text, or has something behind it.
    private static func whole(_ text: String) -> JSONValue? {
        let bytes = Array(text.utf8)
        let isOneText = bytes.withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes)
            do throws(JSONError) {
                try cursor.next()
                try cursor.takeEnd()
                return true
            } catch {
                return false
            }
        }
        return isOneText ? try? JSONValue(parsing: bytes) : nil
    }

    static func fault(_ name: String) -> AnswerError {
        AnswerError(message: "the model called \(name) with arguments that are no JSON object", status: 502)
    }
}
