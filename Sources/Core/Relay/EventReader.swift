// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Cuts a stream that comes in buffers into server-sent events, as the HTML standard reads them: lines that end in LF, CR or both, a
/// byte order mark before the first, comments, data of several lines. `id` and `retry` mean nothing here. Pure.
///
/// An event that lies within one buffer, with one line of data, is not copied.
struct EventReader: Sendable {
    struct Event {
        /// The value of `event:`; empty where there is none.
        var name = ReadBytes.none
        var data = ReadBytes.none
    }

    enum Item {
        case event(Event)
        /// It had more bytes than the limit.
        case tooLong
    }

    /// What has come of the event whose blank line has not.
    private enum Pending {
        case nothing
        case name
        case data
        case tooLong
    }

    private let limit: Int
    private var lines: LineReader
    private var pending = Pending.nothing
    /// Gathered from earlier buffers, or from several lines.
    private var name: [UInt8] = []
    private var data: [UInt8] = []
    private var isAtStart = true

    /// - Parameter limit: the longest data that is read, in bytes; a line may have a field's name besides.
    init(limit: Int) {
        self.limit = limit
        lines = LineReader(limit: limit + Self.nameLength, ends: .newlineOrReturn)
    }

    private static let nameLength = 64

    /// Whether what has been read ends within an event.
    var isMidEvent: Bool {
        if case .nothing = pending { return lines.isMidLine }
        return true
    }

    /// The next event that ends in these bytes, which are taken off their front; nil once all of them are taken.
    mutating func next(_ rest: inout UnsafeRawBufferPointer) -> Item? {
        // Fields of this event that lie in `rest`.
        var event = Event()
        while let line = lines.next(&rest) {
            if take(line, &event) { return dispatch(event) }
        }
        // The buffer is gone before the rest of the event comes.
        gather(&event)
        return nil
    }

    /// What has come of an event whose blank line never came; nil if there is nothing. A standard reader would drop it.
    var unfinished: Item? {
        var end = self
        var event = Event()
        if let line = lines.unfinished { _ = end.take(line, &event) }
        if case .nothing = end.pending { return nil }
        return end.dispatch(event)
    }

    /// True at a blank line that ends an event.
    private mutating func take(_ line: LineReader.Line, _ event: inout Event) -> Bool {
        defer { isAtStart = false }
        guard case .whole(let bytes) = line else {
            pending = .tooLong
            return false
        }
        switch bytes {
        case .inPlace(let line):
            guard !line.isEmpty else { return isOver(&event) }
            read(line, &event)
        case .gathered(let line):
            guard !line.isEmpty else { return isOver(&event) }
            line.withUnsafeBytes { line in
                read(line, &event)
                // This line is not in the caller's buffer: what it says is copied before it goes.
                gather(&event)
            }
        }
        return false
    }

    private mutating func isOver(_ event: inout Event) -> Bool {
        switch pending {
        case .nothing: return false
        case .name:
            // An event without data is none.
            event = Event()
            forget()
            return false
        case .data, .tooLong: return true
        }
    }

    private mutating func read(_ line: UnsafeRawBufferPointer, _ event: inout Event) {
        var line = line
        if isAtStart, line.hasPrefix("\u{FEFF}") { line = line.from(3) }
        if let value = Self.value("data", line) {
            if case .tooLong = pending { return }
            if case .data = pending {
                gather(&event)
                guard data.count + 1 + value.count <= limit else { return pending = .tooLong }
                data.append(UInt8(ascii: "\n"))
                data.append(contentsOf: value)
            } else {
                event.data = .inPlace(value)
                pending = value.count <= limit ? .data : .tooLong
            }
        } else if let value = Self.value("event", line) {
            event.name = .inPlace(value)
            if !name.isEmpty { name = [] }
            if case .nothing = pending { pending = .name }
        }
    }

    /// Copies what lies in a buffer that will not stay.
    private mutating func gather(_ event: inout Event) {
        if event.name.count > 0 { name = event.name.copy }
        if event.data.count > 0 { data = event.data.copy }
        event = Event()
    }

    private mutating func dispatch(_ event: Event) -> Item {
        defer { forget() }
        if case .tooLong = pending { return .tooLong }
        var event = event
        if !name.isEmpty { event.name = .gathered(name) }
        if !data.isEmpty { event.data = .gathered(data) }
        return .event(event)
    }

    private mutating func forget() {
        pending = .nothing
        if !name.isEmpty { name = [] }
        if !data.isEmpty { data = [] }
    }

    /// The value of a field, if this line is one of that name.
    private static func value(_ name: StaticString, _ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard line.hasPrefix(name) else { return nil }
        var start = name.utf8CodeUnitCount
        guard start < line.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard line[start] == UInt8(ascii: ":") else { return nil }
        start += 1
        if start < line.count, line[start] == UInt8(ascii: " ") { start += 1 }
        return line.from(start)
    }
}
