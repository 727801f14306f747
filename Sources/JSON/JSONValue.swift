// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A JSON document as a tree, for what is translated rather than passed on. The native path never makes one.
///
/// Members keep their order and numbers their spelling, so that what a translation does not touch comes out as it went in.
/// Where an object has a key twice, the last one counts, as in Go's encoding/json.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

// MARK: Reading

extension JSONValue {
    /// Containers within each other; deeper documents are refused, because a tree of them would not survive its own end.
    public static let maxDepth = 256

    /// - Throws: `JSONError` at the first byte that is not JSON, or that opens too deep a level.
    public init(parsing bytes: some Sequence<UInt8>) throws(JSONError) {
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

    public init(parsing bytes: UnsafeRawBufferPointer) throws(JSONError) {
        var cursor = JSONCursor(bytes, rules: JSONCursor.Rules(maxDepth: Self.maxDepth))
        let whole = try cursor.next()
        self = try Self.read(cursor, whole)
    }

    private static func read(_ cursor: JSONCursor, _ value: JSONCursor.Value) throws(JSONError) -> JSONValue {
        switch value.kind {
        case .null: return .null
        case .bool: return .bool(cursor.bool(value) ?? false)
        case .number: return .number(String(decoding: cursor.bytes[value.range], as: UTF8.self))
        case .string: return .string(cursor.string(value) ?? "")
        case .array:
            var elements = try cursor.elements(of: value)
            var array: [JSONValue] = []
            while let element = try elements.next() { array.append(try read(cursor, element)) }
            return .array(array)
        case .object:
            var members = try cursor.members(of: value)
            var object = JSONObject()
            while let member = try members.next() {
                object.members.append(.init(key: cursor.key(member), value: try read(cursor, member.value)))
            }
            return .object(object)
        }
    }
}

// MARK: Asking

extension JSONValue {
    /// A member of an object; nil for anything else. Setting one makes an object of what is none.
    public subscript(key: String) -> JSONValue? {
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

    public var object: JSONObject? {
        if case .object(let object) = self { return object }
        return nil
    }

    public var array: [JSONValue]? {
        if case .array(let array) = self { return array }
        return nil
    }

    public var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    public var bool: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    public var double: Double? {
        if case .number(let text) = self { return Double(text) }
        return nil
    }

    /// Whole numbers only, `3.0` among them.
    public var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    public var isNull: Bool { self == .null }

    /// What kind of value it is, for messages.
    public var kind: String {
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
    public var given: JSONValue? {
        guard let self, self != .null else { return nil }
        return self
    }
}
