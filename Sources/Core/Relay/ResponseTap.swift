// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Watches an answer pass: counts tokens, finds the endpoint's own figures, and knows whether the answer was whole.
///
/// It never holds the answer up and never builds a JSON tree. For each chunk of a stream it looks for line ends, and for
/// each line at a few bytes; only the last lines of a stream, which carry figures, are read further. Keys are looked for
/// with their quotes, which inside a JSON string would be escaped, so that no generated text can be taken for one.
struct ResponseTap {
    private enum Mode {
        /// Nothing to be read: an error, or an encoding that we cannot read.
        case off
        case stream(StreamFraming)
        /// One JSON text. Its figures stand near its beginning or its end.
        case whole
    }

    let status: Int
    private let mode: Mode
    private let lineLimit: Int
    /// Items seen in a stream; one is one token, as near as an endpoint that streams says.
    private(set) var streamedItems = 0
    private(set) var figures = AnswerFigures()
    /// The stream said that it is complete (`done:true`, `[DONE]`).
    private(set) var sawEnd = false
    /// The stream said that it failed (an `error` item).
    private(set) var sawError = false
    /// The line that is not ended yet; beyond `lineLimit` only its length is known.
    private var partial: [UInt8] = []
    private var partialLength = 0
    private var head: [UInt8] = []
    private var tail: [UInt8] = []

    private static let windowLength = 2048
    /// Longer than any key and its number.
    private static let overlap = 64

    init(response: ResponseHead, lineLimit: Int) {
        self.lineLimit = lineLimit
        status = response.status
        if response.status != 200 || response.isEncoded {
            mode = .off
        } else {
            mode = response.streamFraming.map { .stream($0) } ?? .whole
        }
    }

    /// The endpoint itself said that it failed.
    var isServerError: Bool { status >= 500 }

    /// An item has passed that carries a token, as near as can be told.
    var sawToken: Bool { streamedItems > 0 }

    /// How the answer is divided, if it is a stream; nil otherwise.
    var framing: StreamFraming? {
        if case .stream(let framing) = mode { return framing }
        return nil
    }

    /// A stream is whole when it said so; anything else is when its HTTP framing ended.
    var isWhole: Bool {
        framing == nil || (sawEnd && !sawError)
    }

    /// Whether what has passed ends within a line.
    var isMidLine: Bool { partialLength > 0 }

    /// The best known number of tokens: the endpoint's own, else the items counted.
    var tokens: Int { figures.answerTokens ?? streamedItems }

    mutating func watch(_ chunk: ByteBuffer) {
        chunk.withUnsafeReadableBytes { watch($0) }
    }

    mutating func watch(_ bytes: UnsafeRawBufferPointer) {
        switch mode {
        case .off: break
        case .stream(let framing): watchLines(bytes, framing)
        case .whole: keepWindow(bytes)
        }
    }

    /// The answer has ended, whole or not.
    mutating func finish() {
        switch mode {
        case .off: break
        case .stream(let framing):
            // A last line may lack its newline and be the end all the same; half an item is no item.
            if partialLength > 0, partialLength == partial.count {
                let line = partial
                let items = streamedItems
                line.withUnsafeBytes { readLine($0, framing) }
                streamedItems = items
            }
        case .whole:
            head.withUnsafeBytes { figures.read($0) }
            if !tail.isEmpty { tail.withUnsafeBytes { figures.read($0) } }
        }
    }

    // MARK: Streams

    private mutating func watchLines(_ bytes: UnsafeRawBufferPointer, _ framing: StreamFraming) {
        var rest = bytes[...]
        while let end = rest.firstIndexOfNewline() {
            let line = UnsafeRawBufferPointer(rebasing: rest[rest.startIndex..<end])
            rest = rest[(end + 1)...]
            if partialLength == 0 {
                readLine(line, framing)
            } else {
                keepPartial(line)
                if partialLength == partial.count {
                    let whole = partial
                    whole.withUnsafeBytes { readLine($0, framing) }
                } else {
                    // Too long to be kept: it was an item all the same.
                    streamedItems += 1
                }
                partial.removeAll(keepingCapacity: true)
                partialLength = 0
            }
        }
        if !rest.isEmpty { keepPartial(UnsafeRawBufferPointer(rebasing: rest)) }
    }

    private mutating func keepPartial(_ bytes: UnsafeRawBufferPointer) {
        partialLength += bytes.count
        if partialLength <= lineLimit { partial.append(contentsOf: bytes) }
    }

    private mutating func readLine(_ line: UnsafeRawBufferPointer, _ framing: StreamFraming) {
        switch framing {
        case .newlineJSON: readNewlineJSON(line)
        case .serverSentEvents: readEvent(line)
        }
    }

    private mutating func readNewlineJSON(_ line: UnsafeRawBufferPointer) {
        // Ollama ends every object but the last with this: most lines are done with here.
        if line.hasSuffix("\"done\":false}") {
            streamedItems += 1
        } else if line.contains("\"done\":true") || line.contains("\"done\": true") {
            sawEnd = true
            figures.read(line)
        } else if line.hasPrefix("{\"error\":") {
            sawError = true
        } else if line.hasPrefix("{\"status\":\"success\"") {
            // The end of a pull and its like.
            sawEnd = true
        } else if line.count > 2 {
            streamedItems += 1
        }
    }

    private mutating func readEvent(_ line: UnsafeRawBufferPointer) {
        guard line.hasPrefix("data:") else {
            if line.hasPrefix("event:") { readEventName(line) }
            return
        }
        if line.contains("[DONE]"), line.count < 16 {
            sawEnd = true
            return
        }
        if line.hasPrefix("data: {\"error\":") || line.hasPrefix("data:{\"error\":") {
            sawError = true
            return
        }
        if line.contains("\"usage\":{") || line.contains("\"usage\": {") || line.contains("\"timings\":{") {
            figures.read(line)
            // OpenAI's separate chunk of figures carries no token.
            if line.contains("\"choices\":[]") { return }
        }
        streamedItems += 1
    }

    /// The newer routes name their events, and end without `[DONE]`.
    private mutating func readEventName(_ line: UnsafeRawBufferPointer) {
        if line.hasSuffix("message_stop") || line.hasSuffix("response.completed") || line.hasSuffix("response.incomplete") {
            sawEnd = true
        } else if line.hasSuffix(" error") || line.hasSuffix("response.failed") {
            sawError = true
        }
    }

    // MARK: Whole answers

    private mutating func keepWindow(_ bytes: UnsafeRawBufferPointer) {
        var bytes = bytes
        if head.count < Self.windowLength {
            // Nearly every answer ends within the first window, and is read once.
            let taken = min(bytes.count, Self.windowLength - head.count)
            head.append(contentsOf: bytes.prefix(taken))
            bytes = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            // What is cut between the windows stands in both.
            if !bytes.isEmpty { tail = Array(head.suffix(Self.overlap)) }
        }
        guard !bytes.isEmpty else { return }
        if bytes.count >= Self.windowLength {
            tail = Array(bytes.suffix(Self.windowLength))
        } else {
            if tail.isEmpty { tail = Array(head.suffix(Self.overlap)) }
            tail.append(contentsOf: bytes)
            if tail.count > 2 * Self.windowLength { tail.removeFirst(tail.count - Self.windowLength) }
        }
    }
}
