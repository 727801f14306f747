// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The part of a call that says what it is; the parameters are decoded once the method is known.
public struct RPCRequestHead: Decodable, Sendable, Equatable {
    public let jsonrpc: String?
    public let id: RPCID?
    public let method: String

    /// A line that is no call: what to answer, and to which id, as far as that could be read.
    public struct Refusal: Error, Equatable {
        public var id: RPCID
        public var error: RPCError
    }

    /// Reads a line that anybody may have written: all of it is checked before any of it counts.
    ///
    /// Stricter than `Wire.decode`: no key twice in the call or its parameters, no nesting beyond 64 levels, text that is UTF-8.
    public static func read(_ line: Data) throws(Refusal) -> RPCRequestHead {
        guard line.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) != nil else {
            throw Refusal(id: .null, error: RPCError(.parseError, "this line is not UTF-8"))
        }
        var reading = Reading()
        let failure: JSONError? = line.withUnsafeBytes { bytes in
            do throws(JSONError) {
                try reading.read(bytes)
                return nil
            } catch {
                return error
            }
        }
        let id = reading.id ?? .null
        if let failure {
            switch failure.cause {
            case .syntax:
                throw Refusal(id: .null, error: RPCError(.parseError, "this line is no JSON: byte \(failure.offset + 1) cannot stand there"))
            case .depth:
                throw Refusal(
                    id: .null, error: RPCError(.invalidRequest, "objects and lists within each other, deeper than \(Wire.rules.maxDepth) levels"))
            case .mismatch: throw Refusal(id: id, error: RPCError(.invalidRequest, "a call is an object with 'id' and 'method'"))
            }
        }
        if let error = reading.error { throw Refusal(id: id, error: error) }
        guard let method = reading.method else { throw Refusal(id: id, error: RPCError(.invalidRequest, "a call needs a 'method', a text")) }
        guard let known = reading.id, known != .null else {
            throw Refusal(id: .null, error: RPCError(.invalidRequest, "a call needs an 'id', a whole number or a text: every call is answered"))
        }
        return RPCRequestHead(jsonrpc: reading.jsonrpc, id: known, method: method)
    }

    private struct Reading {
        var jsonrpc: String?
        var id: RPCID?
        var method: String?
        /// The first fault that is not one of grammar; the grammar's goes before it.
        var error: RPCError?

        mutating func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
            var cursor = JSONCursor(bytes, rules: Wire.rules)
            let kind = try cursor.peek()
            guard kind == .object else {
                try cursor.next()
                try cursor.takeEnd()
                error = RPCError(
                    .invalidRequest,
                    kind == .array ? "batches are not taken: one call on each line" : "a call is an object with 'id' and 'method'")
                return
            }
            var keys: Set<String> = []
            try cursor.takeObject { (key, cursor) throws(JSONError) in
                let name = cursor.text(between: key)
                if !keys.insert(name).inserted { note("'\(name)' stands twice in the call", .invalidRequest) }
                switch name {
                case "id": id = try identity(&cursor)
                case "method": method = try text("method", &cursor)
                case "jsonrpc":
                    jsonrpc = try text("jsonrpc", &cursor)
                    if jsonrpc != JSONRPC.version { note("'jsonrpc' must be \"\(JSONRPC.version)\"", .invalidRequest) }
                case "params": try parameters(&cursor)
                default: try cursor.next()
                }
            }
            try cursor.takeEnd()
        }

        private mutating func note(_ text: String, _ code: RPCError.Code) {
            if error == nil { error = RPCError(code, text) }
        }

        private mutating func identity(_ cursor: inout JSONCursor) throws(JSONError) -> RPCID? {
            var rest = cursor
            if let number = try? rest.takeInteger() {
                cursor = rest
                return .number(number)
            }
            if try cursor.peek() == .string { return .text(try cursor.takeText()) }
            if try cursor.takeNull() { return .null }
            try cursor.next()
            note("'id' must be a whole number or a text", .invalidRequest)
            return .null
        }

        private mutating func text(_ name: String, _ cursor: inout JSONCursor) throws(JSONError) -> String? {
            if try cursor.peek() == .string { return try cursor.takeText() }
            try cursor.next()
            note("'\(name)' must be a text", .invalidRequest)
            return nil
        }

        private mutating func parameters(_ cursor: inout JSONCursor) throws(JSONError) {
            if try cursor.takeNull() { return }
            guard try cursor.peek() == .object else {
                try cursor.next()
                return note("'params' must be an object: parameters are given by name", .invalidParams)
            }
            var keys: Set<String> = []
            try cursor.takeObject { (key, cursor) throws(JSONError) in
                let name = cursor.text(between: key)
                if !keys.insert(name).inserted { note("the parameter '\(name)' is given twice", .invalidParams) }
                try cursor.next()
            }
        }
    }
}
