// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What makes one list of rows into another: `{"removed":[...],"changed":[...],"added":[...]}`.
///
/// - `removed`: places in the list as it was, rising.
/// - `changed`: `[place, {fields}]`, places after the removal; fields that are not there stay, null means absent.
/// - `added`: `[place, {row}]`, places in the list as it will be, rising.
///
/// Rows are told apart by place and not by name, because a client chooses its request's id and nobody promises that it is the only one.
enum RowChanges {
    /// Writes the changes as the member `name`, or nothing if there are none.
    static func write<Row: WireRow>(_ name: StaticString, from old: [Row], to new: [Row], key: (Row) -> String, to writer: inout JSONWriter) {
        let (kept, removed, added) = match(old, new, key: key)
        var parts = JSONWriter(capacity: 1024)
        list("removed", removed, to: &parts) { index, writer in writer.number(index) }
        var hasChanges = false
        for (place, pair) in kept.enumerated() {
            let hasChanged = new[pair.new].writeChanges(since: old[pair.old], to: &parts) { writer in
                if hasChanges {
                    writer.byte(UInt8(ascii: ","))
                } else {
                    writer.separateParts()
                    writer.raw("\"changed\":[")
                    hasChanges = true
                }
                writer.byte(UInt8(ascii: "["))
                writer.number(place)
                writer.byte(UInt8(ascii: ","))
            }
            if hasChanged { parts.byte(UInt8(ascii: "]")) }
        }
        if hasChanges { parts.byte(UInt8(ascii: "]")) }
        list("added", added, to: &parts) { index, writer in
            writer.byte(UInt8(ascii: "["))
            writer.number(index)
            writer.byte(UInt8(ascii: ","))
            new[index].write(to: &writer)
            writer.byte(UInt8(ascii: "]"))
        }
        guard !parts.bytes.isEmpty else { return }
        writer.raw(",\"")
        writer.raw(name)
        writer.raw("\":{")
        writer.raw(parts.bytes)
        writer.byte(UInt8(ascii: "}"))
    }

    private static func list(_ name: StaticString, _ places: [Int], to writer: inout JSONWriter, _ write: (Int, inout JSONWriter) -> Void) {
        guard !places.isEmpty else { return }
        writer.separateParts()
        writer.raw("\"")
        writer.raw(name)
        writer.raw("\":[")
        for place in places {
            writer.separate()
            write(place, &writer)
        }
        writer.byte(UInt8(ascii: "]"))
    }

    /// Rows that are in both lists, in an order that both agree on; what is not among them is removed or added.
    static func match<Row>(
        _ old: [Row], _ new: [Row], key: (Row) -> String
    ) -> (kept: [(old: Int, new: Int)], removed: [Int], added: [Int]) {
        var kept: [(old: Int, new: Int)] = []
        var removed: [Int] = []
        var added: [Int] = []
        kept.reserveCapacity(min(old.count, new.count))
        // Mostly nothing has come or gone before the first difference.
        var same = 0
        while same < old.count, same < new.count, key(old[same]) == key(new[same]) {
            kept.append((same, same))
            same += 1
        }
        let places = Dictionary(new[same...].indices.map { (key(new[$0]), $0) }, uniquingKeysWith: { first, _ in first })
        var next = same
        for index in old[same...].indices {
            guard let place = places[key(old[index])], place >= next else {
                removed.append(index)
                continue
            }
            added += next..<place
            kept.append((index, place))
            next = place + 1
        }
        added += next..<new.count
        return (kept, removed, added)
    }

    /// Applies what `write` wrote.
    static func apply<Row: WireRow>(_ cursor: inout JSONCursor, to rows: inout [Row]) throws(JSONError) {
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            let offset = cursor.offset
            if cursor.isKey(key, "removed") {
                let places = Set(try [Int].read(from: &cursor))
                guard places.allSatisfy(rows.indices.contains) else { throw cursor.error(.known, at: offset) }
                var index = -1
                rows.removeAll { _ in
                    index += 1
                    return places.contains(index)
                }
            } else if cursor.isKey(key, "changed") {
                try eachPair(&cursor) { place, cursor throws(JSONError) in
                    guard rows.indices.contains(place) else { throw cursor.error(.known, at: offset) }
                    try rows[place].patch(from: &cursor)
                }
            } else if cursor.isKey(key, "added") {
                try eachPair(&cursor) { place, cursor throws(JSONError) in
                    guard place >= 0, place <= rows.count else { throw cursor.error(.known, at: offset) }
                    rows.insert(try Row.read(from: &cursor), at: place)
                }
            } else {
                try cursor.next()
            }
        }
    }

    /// Calls `body` for each `[place, ...]` of a list, the cursor before the second element, which the body must take.
    private static func eachPair(
        _ cursor: inout JSONCursor, _ body: (_ place: Int, _ cursor: inout JSONCursor) throws(JSONError) -> Void
    ) throws(JSONError) {
        try cursor.takeArray { cursor throws(JSONError) in
            let start = cursor.offset
            var place: Int?
            var count = 0
            try cursor.takeArray { cursor throws(JSONError) in
                count += 1
                guard let place else {
                    place = try cursor.takeInteger()
                    return
                }
                try body(place, &cursor)
            }
            guard count == 2 else { throw cursor.error(.known, at: start) }
        }
    }
}

extension JSONWriter {
    /// A comma between the parts of changes.
    fileprivate mutating func separateParts() { if !bytes.isEmpty { byte(UInt8(ascii: ",")) } }
}
