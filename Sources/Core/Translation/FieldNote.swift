// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What was left out of a request, for `X-Routerd-Note`.
enum FieldNote {
    /// Fields that are named; there may be more.
    private static let namedFields = 20
    private static let nameLength = 64

    /// "left out: context_management, speed". Names come from the client: what may not stand in a header is replaced.
    static func text(_ fields: [String]) -> String {
        let named = fields.prefix(namedFields).map { field in
            String(field.unicodeScalars.prefix(nameLength).map { isPlain($0) ? Character($0) : "?" })
        }
        let more = fields.count - named.count
        return "left out: " + named.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.value > 0x20 && scalar != "," && scalar.value < 0x7f || scalar == " "
    }
}
