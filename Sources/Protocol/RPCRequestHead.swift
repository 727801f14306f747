// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

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
        let failure: JSONScanner.Failure? = line.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { bytes in
                do throws(JSONScanner.Failure) {
                    try reading.read(bytes)
                    return nil
                } catch {
                    return error
                }
            }
        }
        let id = reading.id ?? .null
        switch failure {
        case .syntax(let offset)?:
            throw Refusal(id: .null, error: RPCError(.parseError, "this line is no JSON: byte \(offset + 1) cannot stand there"))
        case .tooDeep?:
            throw Refusal(
                id: .null, error: RPCError(.invalidRequest, "objects and lists within each other, deeper than \(JSONScanner.maximumDepth) levels"))
        case .type?: throw Refusal(id: id, error: RPCError(.invalidRequest, "a call is an object with 'id' and 'method'"))
        case nil: break
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

        mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONScanner.Failure) {
            var scanner = JSONScanner(bytes)
            let first = scanner.peek()
            guard first == UInt8(ascii: "{") else {
                try scanner.skip()
                try scanner.expectEnd()
                error = RPCError(
                    .invalidRequest,
                    first == UInt8(ascii: "[") ? "batches are not taken: one call on each line" : "a call is an object with 'id' and 'method'")
                return
            }
            var keys: Set<String> = []
            try scanner.object { (key, scanner) throws(JSONScanner.Failure) in
                let name = try scanner.unescaped(key)
                if !keys.insert(name).inserted { note("'\(name)' stands twice in the call", .invalidRequest) }
                switch name {
                case "id": id = try identity(&scanner)
                case "method": method = try text("method", &scanner)
                case "jsonrpc":
                    jsonrpc = try text("jsonrpc", &scanner)
                    if jsonrpc != JSONRPC.version { note("'jsonrpc' must be \"\(JSONRPC.version)\"", .invalidRequest) }
                case "params": try parameters(&scanner)
                default: try scanner.skip(depth: 1)
                }
            }
            try scanner.expectEnd()
        }

        private mutating func note(_ text: String, _ code: RPCError.Code) {
            if error == nil { error = RPCError(code, text) }
        }

        private mutating func identity(_ scanner: inout JSONScanner) throws(JSONScanner.Failure) -> RPCID? {
            var rest = scanner
            if let number = try? rest.integer() {
                scanner = rest
                return .number(number)
            }
            if scanner.peek() == UInt8(ascii: "\"") { return .text(try scanner.text()) }
            if try scanner.null() { return .null }
            try scanner.skip(depth: 1)
            note("'id' must be a whole number or a text", .invalidRequest)
            return .null
        }

        private mutating func text(_ name: String, _ scanner: inout JSONScanner) throws(JSONScanner.Failure) -> String? {
            if scanner.peek() == UInt8(ascii: "\"") { return try scanner.text() }
            try scanner.skip(depth: 1)
            note("'\(name)' must be a text", .invalidRequest)
            return nil
        }

        private mutating func parameters(_ scanner: inout JSONScanner) throws(JSONScanner.Failure) {
            if try scanner.null() { return }
            guard scanner.peek() == UInt8(ascii: "{") else {
                try scanner.skip(depth: 1)
                return note("'params' must be an object: parameters are given by name", .invalidParams)
            }
            var keys: Set<String> = []
            try scanner.object { (key, scanner) throws(JSONScanner.Failure) in
                let name = try scanner.unescaped(key)
                if !keys.insert(name).inserted { note("the parameter '\(name)' is given twice", .invalidParams) }
                try scanner.skip(depth: 2)
            }
        }
    }
}
