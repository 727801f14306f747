// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

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
    static func apply<Row: WireRow>(_ scanner: inout JSONScanner, to rows: inout [Row]) throws(JSONScanner.Failure) {
        try scanner.object { (key, scanner) throws(JSONScanner.Failure) in
            let offset = scanner.offset
            if scanner.isKey(key, "removed") {
                let places = Set(try [Int].read(from: &scanner))
                guard places.allSatisfy(rows.indices.contains) else { throw .type(offset) }
                var index = -1
                rows.removeAll { _ in
                    index += 1
                    return places.contains(index)
                }
            } else if scanner.isKey(key, "changed") {
                try scanner.array { scanner throws(JSONScanner.Failure) in
                    let place = try begin(&scanner)
                    guard rows.indices.contains(place) else { throw .type(offset) }
                    try rows[place].patch(from: &scanner)
                    try scanner.expect(UInt8(ascii: "]"))
                }
            } else if scanner.isKey(key, "added") {
                try scanner.array { scanner throws(JSONScanner.Failure) in
                    let place = try begin(&scanner)
                    guard place >= 0, place <= rows.count else { throw .type(offset) }
                    rows.insert(try Row.read(from: &scanner), at: place)
                    try scanner.expect(UInt8(ascii: "]"))
                }
            } else {
                try scanner.skip()
            }
        }
    }

    private static func begin(_ scanner: inout JSONScanner) throws(JSONScanner.Failure) -> Int {
        try scanner.expect(UInt8(ascii: "["))
        let place = try scanner.integer()
        try scanner.expect(UInt8(ascii: ","))
        return place
    }
}

extension JSONWriter {
    /// A comma between the parts of changes.
    fileprivate mutating func separateParts() { if !bytes.isEmpty { byte(UInt8(ascii: ",")) } }
}
