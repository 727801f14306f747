// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The number of a row. It never changes, and that of a pair cannot be taken for that of an endpoint.
struct RowIndex<Row>: Hashable, Comparable, Sendable {
    let rawValue: Int

    init(_ rawValue: Int) { self.rawValue = rawValue }

    static func < (left: RowIndex, right: RowIndex) -> Bool { left.rawValue < right.rawValue }
}

typealias PlaceIndex = RowIndex<Place>
typealias PairIndex = RowIndex<Pair>
typealias BookIndex = RowIndex<ModelBook>

/// Something of each row, by the row's number. Rows are added at the end and stay.
struct Column<Row, Value> {
    private(set) var values: [Value] = []

    var count: Int { values.count }
    var indices: some Sequence<RowIndex<Row>> { values.indices.lazy.map { RowIndex($0) } }
    /// Of the row that is added next.
    var nextIndex: RowIndex<Row> { RowIndex(values.count) }

    func contains(_ index: RowIndex<Row>) -> Bool { index.rawValue < values.count }

    // Neither `get` and `set` nor a call: those would copy a row for each look at one of its fields.
    subscript(index: RowIndex<Row>) -> Value {
        @inline(__always) _read { yield values[index.rawValue] }
        @inline(__always) _modify { yield &values[index.rawValue] }
    }

    @discardableResult
    mutating func append(_ value: Value) -> RowIndex<Row> {
        values.append(value)
        return RowIndex(values.count - 1)
    }
}

extension Column: Sendable where Value: Sendable {}
