// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a line of the daemon is, read without a look into its result: that is decoded once, by who asked for it.
struct RPCReplyHead: Equatable {
    /// Of a notification.
    var method: String?
    var id: RPCID?
    var hasError = false
    /// Where the result begins.
    var result: Int?

    static func read(_ line: Data) throws(JSONError) -> RPCReplyHead {
        try line.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try read(bytes) }
        }.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> RPCReplyHead {
        var head = RPCReplyHead()
        var cursor = JSONCursor(bytes, rules: Wire.rules)
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            if cursor.isKey(key, "id") {
                head.id = try identity(&cursor)
            } else if cursor.isKey(key, "method") {
                head.method = try cursor.takeText()
            } else if cursor.isKey(key, "error") {
                head.hasError = try !cursor.takeNull()
                if head.hasError { try cursor.next() }
            } else {
                if cursor.isKey(key, "result") { head.result = cursor.offset }
                try cursor.next()
            }
        }
        try cursor.takeEnd()
        return head
    }

    private static func identity(_ cursor: inout JSONCursor) throws(JSONError) -> RPCID {
        if try cursor.takeNull() { return .null }
        if try cursor.peek() == .string { return .text(try cursor.takeText()) }
        return .number(try cursor.takeInteger())
    }
}
