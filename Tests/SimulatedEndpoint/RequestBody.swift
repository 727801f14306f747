// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// A request's body as Go's encoding/json reads it into a struct: keys match whatever their case, the last of several
/// wins, unknown ones are ignored. A library's dictionary could not tell which of two keys came last.
struct RequestBody {
    private var values: [String: Any] = [:]

    /// - Throws: `OllamaError` 400 with Ollama's text.
    init(_ bytes: [UInt8]) throws {
        if bytes.allSatisfy({ $0 == 0x20 || (0x09...0x0d).contains($0) }) { throw OllamaError(400, "missing request body") }
        // The whole first: from then on it is well-formed, and the members only have to be told apart.
        guard let whole = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) else {
            throw OllamaError(400, "invalid character '\(Self.character(bytes))' looking for beginning of value")
        }
        guard whole is [String: Any] else {
            throw OllamaError(400, "json: cannot unmarshal array into Go value of type api.GenerateRequest")
        }
        for (key, value) in Self.members(bytes) {
            guard let name = Self.fragment(key) as? String, let value = Self.fragment(value) else { continue }
            // As into a Go struct: null leaves what an earlier member set.
            if !(value is NSNull) { values[name.lowercased()] = value }
        }
    }

    subscript(_ key: String) -> Any? { values[key] }

    func string(_ key: String) -> String? { values[key] as? String }

    /// - Throws: `OllamaError` 400 where the value is of another type.
    func bool(_ key: String) throws -> Bool? {
        guard let value = values[key] else { return nil }
        guard let number = value as? NSNumber, CFBoolean.isBoolean(number) else {
            throw OllamaError(400, "json: cannot unmarshal into Go struct field .\(key) of type bool")
        }
        return number.boolValue
    }

    func object(_ key: String) -> [String: Any]? { values[key] as? [String: Any] }
    func array(_ key: String) -> [Any]? { values[key] as? [Any] }

    /// `model`, or `name` where the route also takes that.
    func model(orName: Bool = false) -> String {
        let model = string("model") ?? ""
        return model.isEmpty && orName ? string("name") ?? "" : model
    }

    /// Seconds a model stays after this request; infinite for a negative value, nil where nothing is said.
    func keepAlive() throws -> Double? {
        guard let value = values["keep_alive"] else { return nil }
        let seconds: Double?
        switch value {
        case let text as String: seconds = Duration.parseGo(text)
        case let number as NSNumber where !CFBoolean.isBoolean(number): seconds = number.doubleValue
        default: seconds = nil
        }
        guard let seconds else { throw OllamaError(400, "time: invalid duration \"\(value)\"") }
        return seconds < 0 ? .infinity : seconds
    }

    /// Tokens of context that it asks for, as far as the models have them; nil for the server's own.
    var context: Int? {
        (object("options")?["num_ctx"] as? NSNumber).map { min($0.intValue, OllamaServer.trainedContext) }
    }

    // MARK: Members in their order

    private static func fragment(_ bytes: ArraySlice<UInt8>) -> Any? {
        try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
    }

    private static func character(_ bytes: [UInt8]) -> String {
        let first = bytes.first { $0 > 0x20 } ?? 0x20
        return first < 0x80 ? String(UnicodeScalar(first)) : "?"
    }

    /// Keys and values of a well-formed object, as they are written.
    private static func members(_ bytes: [UInt8]) -> [(ArraySlice<UInt8>, ArraySlice<UInt8>)] {
        var found: [(ArraySlice<UInt8>, ArraySlice<UInt8>)] = []
        var depth = 0
        var inString = false
        var start = 0
        var key: ArraySlice<UInt8>?
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if inString {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { inString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): inString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    if depth == 1 { start = index + 1 }
                case UInt8(ascii: ":") where depth == 1:
                    key = bytes[start..<index]
                    start = index + 1
                case UInt8(ascii: ",") where depth == 1, UInt8(ascii: "}") where depth == 1:
                    if let key { found.append((key, bytes[start..<index])) }
                    key = nil
                    start = index + 1
                    if byte == UInt8(ascii: "}") { depth = 0 }
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
            index += 1
        }
        return found
    }
}

/// Whether a number from JSON was `true` or `false`.
private enum CFBoolean {
    static func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
}

/// An answer that is an error, before the first byte of a stream.
struct OllamaError: Error {
    let status: Int
    let message: String

    init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }
}
