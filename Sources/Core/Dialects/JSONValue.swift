// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// A JSON document as a tree, for what is translated rather than passed on. The native path never makes one.
///
/// Members keep their order and numbers their spelling, so that what a translation does not touch comes out as it went in.
/// Where an object has a key twice, the last one counts, as in Go's encoding/json.
enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// The members of an object, in their order. Small: looked up by walking.
struct JSONObject: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var key: String
        var value: JSONValue
    }

    var members: [Member] = []

    init() {}

    /// Nil removes; a key that is there keeps its place.
    subscript(key: String) -> JSONValue? {
        get { members.last { $0.key == key }?.value }
        set {
            guard let newValue else { return members.removeAll { $0.key == key } }
            if let index = members.lastIndex(where: { $0.key == key }) {
                members[index].value = newValue
            } else {
                members.append(Member(key: key, value: newValue))
            }
        }
    }

    var isEmpty: Bool { members.isEmpty }

    /// Takes a member out.
    mutating func remove(_ key: String) -> JSONValue? {
        defer { self[key] = nil }
        return self[key]
    }
}

// MARK: Reading

extension JSONValue {
    /// Containers within each other; deeper documents are refused, because a tree of them would not survive its own end.
    static let maxDepth = 256

    /// - Throws: `JSONError` at the first byte that is not JSON, or that opens too deep a level.
    init(parsing bytes: some Sequence<UInt8>) throws(JSONError) {
        let bytes = Array(bytes)
        let result = bytes.withUnsafeBytes { bytes -> Result<JSONValue, JSONError> in
            do throws(JSONError) {
                return .success(try JSONValue(parsing: bytes))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    init(parsing bytes: UnsafeRawBufferPointer) throws(JSONError) {
        var cursor = JSONCursor(bytes)
        let whole = try cursor.next()
        self = try Self.read(cursor, whole, depth: 0)
    }

    private static func read(_ cursor: JSONCursor, _ value: JSONCursor.Value, depth: Int) throws(JSONError) -> JSONValue {
        guard depth < maxDepth else {
            throw JSONError(offset: value.range.lowerBound, expected: .lessDepth, found: cursor.bytes[value.range.lowerBound])
        }
        switch value.kind {
        case .null: return .null
        case .bool: return .bool(cursor.bool(value) ?? false)
        case .number: return .number(String(decoding: cursor.bytes[value.range], as: UTF8.self))
        case .string: return .string(cursor.string(value) ?? "")
        case .array:
            var elements = try cursor.elements(of: value)
            var array: [JSONValue] = []
            while let element = try elements.next() { array.append(try read(cursor, element, depth: depth + 1)) }
            return .array(array)
        case .object:
            var members = try cursor.members(of: value)
            var object = JSONObject()
            while let member = try members.next() {
                object.members.append(.init(key: cursor.key(member), value: try read(cursor, member.value, depth: depth + 1)))
            }
            return .object(object)
        }
    }
}

// MARK: Asking

extension JSONValue {
    /// A member of an object; nil for anything else. Setting one makes an object of what is none.
    subscript(key: String) -> JSONValue? {
        get {
            if case .object(let object) = self { return object[key] }
            return nil
        }
        set {
            var object = self.object ?? JSONObject()
            object[key] = newValue
            self = .object(object)
        }
    }

    var object: JSONObject? {
        if case .object(let object) = self { return object }
        return nil
    }

    var array: [JSONValue]? {
        if case .array(let array) = self { return array }
        return nil
    }

    var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    var bool: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    var double: Double? {
        if case .number(let text) = self { return Double(text) }
        return nil
    }

    /// Whole numbers only, `3.0` among them.
    var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    var isNull: Bool { self == .null }

    /// What kind of value it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension Optional<JSONValue> {
    /// Absent and `null` mean the same to every API that is spoken here.
    var given: JSONValue? {
        guard let self, self != .null else { return nil }
        return self
    }
}

// MARK: Writing

extension JSONValue {
    /// Compact: no white space.
    var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): text += JSONText.quoted(string)
        case .array(let array):
            text += "["
            for (index, element) in array.enumerated() {
                if index > 0 { text += "," }
                element.write(to: &text)
            }
            text += "]"
        case .object(let object):
            text += "{"
            for (index, member) in object.members.enumerated() {
                if index > 0 { text += "," }
                text += JSONText.quoted(member.key)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }
}

// MARK: Literals

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .number(String(value)) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(nilLiteral: ()) { self = .null }
    init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// Members whose value is nil are left out: `["seed": options.seed]`.
    init(dictionaryLiteral elements: (String, JSONValue?)...) {
        var object = JSONObject()
        for (key, value) in elements { if let value { object.members.append(.init(key: key, value: value)) } }
        self = .object(object)
    }

    static func integer(_ value: Int) -> JSONValue { .number(String(value)) }

    /// What is no number in JSON (NaN, infinities) becomes null.
    static func double(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        return .number(value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)")
    }
}
