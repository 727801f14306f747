// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a reader has cut out of a stream: bytes where they lie, if they lie in one buffer, and gathered bytes otherwise.
///
/// It must not outlive the buffer that the reader was given.
enum ReadBytes {
    case inPlace(UnsafeRawBufferPointer)
    case gathered([UInt8])

    static var none: ReadBytes { .inPlace(UnsafeRawBufferPointer(start: nil, count: 0)) }

    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch self {
        case .inPlace(let bytes): body(bytes)
        case .gathered(let bytes): bytes.withUnsafeBytes(body)
        }
    }

    var count: Int {
        switch self {
        case .inPlace(let bytes): bytes.count
        case .gathered(let bytes): bytes.count
        }
    }

    var copy: [UInt8] {
        switch self {
        case .inPlace(let bytes): Array(bytes)
        case .gathered(let bytes): bytes
        }
    }
}
