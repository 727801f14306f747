// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Pieces of JSON as texts, for the few small bodies that are put together from others.
public enum JSONText {
    /// `text` as a JSON string, with its quotes.
    public static func quoted(_ text: some StringProtocol) -> String {
        var writer = JSONWriter(capacity: text.utf8.count + 2)
        writer.text(String(text))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// JSON with further characters written as escapes. They must be such as stand within strings only, so that the document stays what
    /// it is; those beyond U+FFFF stay.
    public static func escaping(_ json: String, where isEscaped: (Unicode.Scalar) -> Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in json.unicodeScalars {
            if scalar.value <= 0xffff, isEscaped(scalar) {
                let digits = String(scalar.value, radix: 16)
                result.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
