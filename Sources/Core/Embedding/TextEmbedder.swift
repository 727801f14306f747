// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Whatever makes vectors of texts.
protocol TextEmbedder: Sendable {
    /// Vectors of different spaces cannot be compared.
    var space: String { get }
    /// Finds out whether it will work, as far as that can be known before it is asked.
    func check() async throws
    /// A vector of length 1.
    func embed(_ text: String) async throws -> [Float]
}
