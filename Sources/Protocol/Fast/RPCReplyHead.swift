// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

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

    static func read(_ line: Data) throws(JSONScanner.Failure) -> RPCReplyHead {
        try line.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { bytes in
                Result { () throws(JSONScanner.Failure) in try read(bytes) }
            }
        }.get()
    }

    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONScanner.Failure) -> RPCReplyHead {
        var head = RPCReplyHead()
        var scanner = JSONScanner(bytes)
        try scanner.object { (key, scanner) throws(JSONScanner.Failure) in
            if scanner.isKey(key, "id") {
                head.id = try identity(&scanner)
            } else if scanner.isKey(key, "method") {
                head.method = try scanner.text()
            } else if scanner.isKey(key, "error") {
                head.hasError = try !scanner.null()
                if head.hasError { try scanner.skip() }
            } else {
                if scanner.isKey(key, "result") { head.result = scanner.offset }
                try scanner.skip()
            }
        }
        try scanner.expectEnd()
        return head
    }

    private static func identity(_ scanner: inout JSONScanner) throws(JSONScanner.Failure) -> RPCID {
        if try scanner.null() { return .null }
        if scanner.peek() == UInt8(ascii: "\"") { return .text(try scanner.text()) }
        return .number(try scanner.integer())
    }
}
