// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// Cuts a stream that comes in buffers into lines: newline-delimited JSON, and what `EventReader` puts together. Pure.
///
/// A line that lies within one buffer is not copied. Of one beyond the limit nothing is kept but that it was there.
///
///     while let line = reader.next(&rest) { ... }   // for each buffer, until `rest` is used up
///     if let line = reader.unfinished { ... }       // the last one may lack its end
struct LineReader: Sendable {
    enum Ends: Sendable {
        /// LF, or CR and LF.
        case newline
        /// A CR alone as well.
        case newlineOrReturn
    }

    enum Line {
        /// Without its end.
        case whole(ReadBytes)
        case tooLong
    }

    private let ends: Ends
    private let limit: Int
    /// The line whose end has not come; beyond the limit only its length is known.
    private var partial: [UInt8] = []
    private var partialLength = 0
    /// The last line ended with a CR, the last byte that there was: an LF that comes next belongs to it.
    private var skipsNewline = false

    /// - Parameter limit: the longest line that is read, in bytes.
    init(limit: Int, ends: Ends = .newline) {
        self.limit = limit
        self.ends = ends
    }

    /// Whether what has been read ends within a line.
    var isMidLine: Bool { partialLength > 0 }

    /// The next line that ends in these bytes, which are taken off their front; nil once all of them are taken.
    mutating func next(_ rest: inout UnsafeRawBufferPointer) -> Line? {
        guard !rest.isEmpty else { return nil }
        if skipsNewline {
            skipsNewline = false
            if rest[0] == UInt8(ascii: "\n") { rest = rest.from(1) }
        }
        guard let (end, width) = end(in: rest) else {
            keep(rest)
            rest = rest.from(rest.count)
            return nil
        }
        let line = UnsafeRawBufferPointer(start: rest.baseAddress, count: end)
        rest = rest.from(end + width)
        guard partialLength > 0 else { return line.count > limit ? .tooLong : .whole(.inPlace(trimmed(line))) }
        keep(line)
        return take()
    }

    /// What has come of a line whose end never came; nil if there is nothing.
    var unfinished: Line? { partialLength > 0 ? gathered : nil }

    @inline(never)
    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        partialLength += bytes.count
        if partialLength <= limit { partial.append(contentsOf: bytes) } else { partial = [] }
    }

    private mutating func take() -> Line {
        defer {
            partial = []
            partialLength = 0
        }
        return gathered
    }

    private var gathered: Line {
        guard partialLength <= limit else { return .tooLong }
        return .whole(.gathered(partial.last == UInt8(ascii: "\r") ? Array(partial.dropLast()) : partial))
    }

    private func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        line.last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(start: line.baseAddress, count: line.count - 1) : line
    }

    /// Where the first line ends, and the length of what ends it.
    @inline(__always)
    private mutating func end(in bytes: UnsafeRawBufferPointer) -> (Int, width: Int)? {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return nil }
        let newline = memchr(base, 0x0a, bytes.count).map { UnsafeRawPointer($0) - base }
        guard ends == .newlineOrReturn else { return newline.map { ($0, 1) } }
        // In JSON there is no bare CR, so that this mostly looks over one line once more and finds none.
        let length = newline ?? bytes.count
        guard length > 0, let found = memchr(base, 0x0d, length) else { return newline.map { ($0, 1) } }
        let end = UnsafeRawPointer(found) - base
        if end + 1 == newline { return (end, 2) }
        skipsNewline = end + 1 == bytes.count
        return (end, 1)
    }
}
