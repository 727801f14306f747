// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Watches an answer pass: counts tokens, finds the endpoint's own figures, and knows whether the answer was whole.
///
/// It never holds the answer up and never builds a JSON tree. It looks at a few bytes of each item of a stream; only the last ones,
/// which carry figures, are read further. Keys are looked for with their quotes, which inside a JSON string would be escaped, so that no
/// generated text can be taken for one.
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
    private var lines: LineReader
    private var events: EventReader
    /// Items seen in a stream; one is one token, as near as an endpoint that streams says.
    private(set) var streamedItems = 0
    private(set) var figures = AnswerFigures()
    /// The stream said that it is complete (`done:true`, `[DONE]`).
    private(set) var sawEnd = false
    /// The stream said that it failed (an `error` item).
    private(set) var sawError = false
    private var head: [UInt8] = []
    private var tail: [UInt8] = []

    private static let windowLength = 2048
    /// Longer than any key and its number.
    private static let overlap = 64

    /// - Parameter framing: what the first bytes have told, where the head says something else.
    init(response: ResponseHead, lineLimit: Int, framing: StreamFraming? = nil) {
        lines = LineReader(limit: lineLimit)
        events = EventReader(limit: lineLimit)
        status = response.status
        if response.status != 200 || response.isEncoded {
            mode = .off
        } else {
            mode = (framing ?? response.streamFraming).map { .stream($0) } ?? .whole
        }
    }

    /// Of a stream that goes on until it says so: its first token, or its end, has come.
    var isWorthPassing: Bool { framing == nil || sawToken || sawEnd }

    /// The stream said that it is complete.
    var saidItsEnd: Bool { framing != nil && sawEnd && !sawError }

    /// The endpoint itself said that it failed.
    var isServerError: Bool { status >= 500 }

    /// An item has passed that carries a token, as near as can be told.
    private(set) var sawToken = false

    /// How the answer is divided, if it is a stream; nil otherwise.
    var framing: StreamFraming? {
        if case .stream(let framing) = mode { return framing }
        return nil
    }

    /// A stream is whole when it said so; anything else is when its HTTP framing ended.
    var isWhole: Bool {
        framing == nil || (sawEnd && !sawError)
    }

    /// Whether what has passed ends within a line, or within an event.
    var isMidLine: Bool { lines.isMidLine || events.isMidEvent }

    /// The best known number of tokens: the endpoint's own, else the items counted.
    var tokens: Int { figures.answerTokens ?? streamedItems }

    mutating func watch(_ chunk: ByteBuffer) {
        chunk.withUnsafeReadableBytes { watch($0) }
    }

    mutating func watch(_ bytes: UnsafeRawBufferPointer) {
        switch mode {
        case .off: break
        case .stream(.newlineJSON):
            var rest = bytes
            while let line = lines.next(&rest) { read(line) }
        case .stream(.serverSentEvents):
            var rest = bytes
            while let item = events.next(&rest) { read(item) }
        case .whole: keepWindow(bytes)
        }
    }

    /// The answer has ended, whole or not.
    mutating func finish() {
        switch mode {
        case .off: break
        case .stream:
            // A last line may lack its newline and be the end all the same; half an item is no item.
            let items = streamedItems
            if let line = lines.unfinished { read(line) }
            if let item = events.unfinished { read(item) }
            streamedItems = items
        case .whole:
            head.withUnsafeBytes { figures.read($0) }
            if !tail.isEmpty { tail.withUnsafeBytes { figures.read($0) } }
        }
    }

    // MARK: Streams

    private mutating func read(_ line: LineReader.Line) {
        switch line {
        case .whole(let bytes): bytes.withBytes { readNewlineJSON($0) }
        // It was an item all the same.
        case .tooLong: streamedItems += 1
        }
    }

    private mutating func read(_ item: EventReader.Item) {
        switch item {
        case .event(let event):
            event.name.withBytes { if !$0.isEmpty { readEventName($0) } }
            event.data.withBytes { readEvent($0) }
        case .tooLong: streamedItems += 1
        }
    }

    private mutating func readNewlineJSON(_ line: UnsafeRawBufferPointer) {
        // Ollama ends every object but the last with this: most lines are done with here.
        if line.hasSuffix("\"done\":false}") {
            streamedItems += 1
            sawToken = true
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
            sawToken = true
        }
    }

    private static let figureKeys: [StaticString] = ["\"usage\":", "\"timings\":"]

    private mutating func readEvent(_ data: UnsafeRawBufferPointer) {
        if data.count < 16, data.contains("[DONE]") {
            sawEnd = true
            return
        }
        if data.hasPrefix("{\"error\":") {
            sawError = true
            return
        }
        if data.containsObject(after: Self.figureKeys) {
            figures.read(data)
            // OpenAI's separate chunk of figures carries no token.
            if data.contains("\"choices\":[]") { return }
        }
        streamedItems += 1
        if !sawToken { sawToken = Self.carriesToken(data) }
    }

    /// Events that open a stream, a message or a part of it, and pings, come before the first token: some servers send them at once.
    private static func carriesToken(_ data: UnsafeRawBufferPointer) -> Bool {
        for opening in openings where data.contains(opening) { return false }
        // The first chunk of chat completions often has the role alone.
        guard data.contains("\"role\":\"assistant\"") else { return true }
        if data.contains("\"tool_calls\":[{") || data.contains("\"reasoning") { return true }
        return data.contains("\"content\":\"") && !data.contains("\"content\":\"\"")
    }

    /// Each ends with a character of which events have few, for the search's sake.
    private static let openings: [StaticString] = [
        "\"type\":\"message_start\"", "\"type\":\"content_block_start\"", "\"type\":\"ping\"", "\"type\":\"response.created\"",
        "\"type\":\"response.in_progress\"", "\"type\":\"response.queued\"", "\"type\":\"response.output_item.added\"",
        "\"type\":\"response.content_part.added\"",
    ]

    /// The newer routes name their events, and end without `[DONE]`.
    private mutating func readEventName(_ name: UnsafeRawBufferPointer) {
        if name.equals("message_stop") || name.equals("response.completed") || name.equals("response.incomplete") {
            sawEnd = true
        } else if name.equals("error") || name.equals("response.failed") {
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
