// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

extension Secret {
    /// In bytes that have a syntax of their own, a shorter one could be a word of that.
    private static let leastBytes = 6

    /// What somebody else says, without the secret.
    func masked(in text: String) -> String {
        exposed.isEmpty ? text : String(decoding: replaced(in: Array(text.utf8)), as: UTF8.self)
    }

    /// The same within JSON or a stream of it.
    func masked(in bytes: [UInt8]) -> [UInt8] {
        exposed.utf8.count < Self.leastBytes ? bytes : replaced(in: bytes)
    }

    private func replaced(in bytes: [UInt8]) -> [UInt8] {
        let secret = Array(exposed.utf8)
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            if bytes[place] == secret[0], bytes[place...].starts(with: secret) {
                result += Array(description.utf8)
                place += secret.count
            } else {
                result.append(bytes[place])
                place += 1
            }
        }
        return result
    }
}
