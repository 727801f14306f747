// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Two texts that differ only behind what is read of them would have the same vector.
struct TextTooLong: Error {}

/// Whatever makes vectors of texts.
protocol TextEmbedder: Sendable {
    /// Vectors of different spaces cannot be compared.
    var space: String { get }
    /// Finds out whether it will work, as far as that can be known before it is asked.
    func check() async throws
    /// A vector of length 1.
    ///
    /// - Throws: `TextTooLong` for a text that would not be read to its end.
    func embed(_ text: String) async throws -> [Float]
}
