// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What a snapshot is made of: it can be written, read and compared without `Codable`.
protocol WireValue: Equatable, Sendable {
    func write(to writer: inout JSONWriter)
    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Self
    /// Left out of an object; null in a delta.
    var isAbsent: Bool { get }
}

extension WireValue {
    var isAbsent: Bool { false }
}

/// A struct of the protocol with the table of its fields, from which follow how it is written, read, and what has changed in it.
///
/// The tables repeat what the structs say. A test compares them with what `Codable` makes of the same value.
protocol WireRow: WireValue {
    /// Sorted by name.
    static var fields: [WireField<Self>] { get }
    /// What reading begins with; a field that is not there keeps the value that it has here.
    static var blank: Self { get }
}

/// One stored property of a row. What a snapshot costs is mostly calls of these closures, so that they take the row's address: a row
/// handed over as a value is a dozen texts retained and released, and a key path walked is more work than the property itself.
struct WireField<Row>: Sendable {
    let name: String
    /// As it stands in an object: `"name":`.
    let key: [UInt8]
    let isAbsent: @Sendable (UnsafePointer<Row>) -> Bool
    let write: @Sendable (UnsafePointer<Row>, inout JSONWriter) -> Void
    let isSame: @Sendable (UnsafePointer<Row>, UnsafePointer<Row>) -> Bool
    let read: @Sendable (UnsafeMutablePointer<Row>, inout JSONCursor) throws(JSONError) -> Void

    init<Value: WireValue>(_ name: String, _ path: any WritableKeyPath<Row, Value> & Sendable) {
        guard let offset = MemoryLayout<Row>.offset(of: path) else { preconditionFailure("\(name) is computed: only stored properties have a place") }
        self.name = name
        key = Array("\"\(name)\":".utf8)
        isAbsent = { Self.value($0, offset, Value.self).pointee.isAbsent }
        write = { Self.value($0, offset, Value.self).pointee.write(to: &$1) }
        isSame = { Self.value($0, offset, Value.self).pointee == Self.value($1, offset, Value.self).pointee }
        read = { (row, cursor) throws(JSONError) in
            let value = try Value.read(from: &cursor)
            // In bounds and of this type: the offset is that of the property in every row.
            UnsafeMutableRawPointer(row).advanced(by: offset).assumingMemoryBound(to: Value.self).pointee = value
        }
    }

    @inline(__always)
    private static func value<Value>(_ row: UnsafePointer<Row>, _ offset: Int, _: Value.Type) -> UnsafePointer<Value> {
        UnsafeRawPointer(row).advanced(by: offset).assumingMemoryBound(to: Value.self)
    }

    /// Whether the key that the cursor has found is this field's.
    @inline(__always)
    func has(_ found: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        // Without the quotes and the colon.
        guard key.count == found.count + 3 else { return false }
        for index in 0..<found.count where key[index + 1] != bytes[found.lowerBound + index] { return false }
        return true
    }
}

extension WireRow {
    func write(to writer: inout JSONWriter) { write(to: &writer) { _ in true } }

    /// An object with those fields that are to be told.
    func write(to writer: inout JSONWriter, where isTold: (WireField<Self>) -> Bool) {
        writer.byte(UInt8(ascii: "{"))
        withUnsafePointer(to: self) { row in
            for field in Self.fields where isTold(field) && !field.isAbsent(row) {
                writer.separate()
                writer.raw(field.key)
                field.write(row, &writer)
            }
        }
        writer.byte(UInt8(ascii: "}"))
    }

    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Self {
        var row = blank
        try row.patch(from: &cursor)
        return row
    }

    /// Takes an object; its fields replace those of this row, fields that it does not have stay.
    mutating func patch(from cursor: inout JSONCursor) throws(JSONError) {
        let fields = Self.fields
        // Fields come in the order of the table: the search goes on where it ended.
        var next = 0
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            for step in fields.indices {
                let index = next + step < fields.count ? next + step : next + step - fields.count
                guard fields[index].has(key, cursor.bytes) else { continue }
                next = index + 1 == fields.count ? 0 : index + 1
                return try fields[index].read(&self, &cursor)
            }
            try cursor.next()
        }
    }

    /// Writes the fields in which this row differs from `old`, if any. Returns false if there are none, and writes nothing.
    func writeChanges(
        since old: Self, to writer: inout JSONWriter, where isTold: (WireField<Self>) -> Bool = { _ in true }, before: (inout JSONWriter) -> Void
    ) -> Bool {
        var hasChanged = false
        withUnsafePointer(to: old) { old in
            withUnsafePointer(to: self) { new in
                for field in Self.fields where !field.isSame(old, new) && isTold(field) {
                    if hasChanged {
                        writer.byte(UInt8(ascii: ","))
                    } else {
                        before(&writer)
                        writer.byte(UInt8(ascii: "{"))
                        hasChanged = true
                    }
                    writer.raw(field.key)
                    field.write(new, &writer)
                }
            }
        }
        if hasChanged { writer.byte(UInt8(ascii: "}")) }
        return hasChanged
    }
}

// MARK: Values

extension Int: WireValue {
    func write(to writer: inout JSONWriter) { writer.number(self) }
    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Int { try cursor.takeInteger() }
}

extension Double: WireValue {
    func write(to writer: inout JSONWriter) { writer.number(self) }
    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Double { try cursor.takeDouble() }
}

extension Bool: WireValue {
    func write(to writer: inout JSONWriter) { self ? writer.raw("true") : writer.raw("false") }
    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Bool { try cursor.takeBool() }
}

extension String: WireValue {
    func write(to writer: inout JSONWriter) { writer.text(self) }
    static func read(from cursor: inout JSONCursor) throws(JSONError) -> String { try cursor.takeText() }
}

extension Optional: WireValue where Wrapped: WireValue {
    func write(to writer: inout JSONWriter) {
        if let self { self.write(to: &writer) } else { writer.raw("null") }
    }

    static func read(from cursor: inout JSONCursor) throws(JSONError) -> Wrapped? {
        if try cursor.takeNull() { return nil }
        return try Wrapped.read(from: &cursor)
    }

    var isAbsent: Bool { self == nil }
}

extension Array: WireValue where Element: WireValue {
    func write(to writer: inout JSONWriter) {
        writer.byte(UInt8(ascii: "["))
        for element in self {
            writer.separate()
            element.write(to: &writer)
        }
        writer.byte(UInt8(ascii: "]"))
    }

    static func read(from cursor: inout JSONCursor) throws(JSONError) -> [Element] {
        var elements: [Element] = []
        try cursor.takeArray { cursor throws(JSONError) in elements.append(try Element.read(from: &cursor)) }
        return elements
    }
}

extension Dictionary: WireValue where Key == String, Value: WireValue {
    func write(to writer: inout JSONWriter) {
        writer.byte(UInt8(ascii: "{"))
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            writer.separate()
            writer.text(key)
            writer.byte(UInt8(ascii: ":"))
            value.write(to: &writer)
        }
        writer.byte(UInt8(ascii: "}"))
    }

    static func read(from cursor: inout JSONCursor) throws(JSONError) -> [String: Value] {
        var values: [String: Value] = [:]
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            values[cursor.text(between: key)] = try Value.read(from: &cursor)
        }
        return values
    }
}
