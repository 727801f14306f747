// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import COpenSSL

/// A SHA-256 of something that must be told apart from everything else.
struct Digest: Hashable, Sendable {
    /// 32 of them.
    let bytes: [UInt8]

    /// - Parameter bytes: of a digest made before; nil if they are not 32.
    init?(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        guard self.bytes.count == Int(SHA256_DIGEST_LENGTH) else { return nil }
    }

    init(of content: [UInt8]) {
        bytes = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { buffer, count in
            _ = SHA256(content, content.count, buffer.baseAddress)
            count = Int(SHA256_DIGEST_LENGTH)
        }
    }

    init(of content: UnsafeRawBufferPointer) {
        bytes = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { buffer, count in
            _ = SHA256(content.baseAddress, content.count, buffer.baseAddress)
            count = Int(SHA256_DIGEST_LENGTH)
        }
    }

    init(of text: String) { self.init(of: Array(text.utf8)) }

    /// Of several parts, each told apart from the next by its length.
    init(ofParts parts: [[UInt8]]) {
        var content: [UInt8] = []
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { content += $0 }
            content += part
        }
        self.init(of: content)
    }

    func hash(into hasher: inout Hasher) {
        // It is one already: eight bytes of it are enough for a table.
        hasher.combine(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    }

    var hex: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    /// Lower-case hexadecimal; nil if the text is no digest.
    init?(hex: some StringProtocol) {
        let digits = Array(hex.utf8)
        guard digits.count == 2 * Int(SHA256_DIGEST_LENGTH) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        self.bytes = bytes
    }
}
