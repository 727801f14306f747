// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// JSON-RPC 2.0 as the control socket speaks it (https://www.jsonrpc.org/specification), without batches.
public enum JSONRPC {
    public static let version = "2.0"
}

/// A call's identity: a number or a text, chosen by the client and repeated in the reply.
public enum RPCID: Codable, Sendable, Hashable {
    case number(Int)
    case text(String)
    /// The reply to a line that could not be read has no id to repeat.
    case null

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let number = try? container.decode(Int.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .null: try container.encodeNil()
        }
    }
}

/// A call with typed parameters, as the client sends it.
public struct RPCRequest<Params: Encodable & Sendable>: Encodable, Sendable {
    public let jsonrpc = JSONRPC.version
    public let id: RPCID
    public let method: String
    public let params: Params

    public init(id: RPCID, method: String, params: Params) {
        self.id = id
        self.method = method
        self.params = params
    }
}

/// The parameters of a call, read from the same line as its head. Absent parameters are nil.
public struct RPCRequestParams<Params: Decodable>: Decodable {
    public let params: Params?
}

public struct RPCReply<Result: Encodable & Sendable>: Encodable, Sendable {
    public let jsonrpc = JSONRPC.version
    public let id: RPCID
    public let result: Result

    public init(id: RPCID, result: Result) {
        self.id = id
        self.result = result
    }
}

public struct RPCErrorReply: Codable, Sendable {
    public var jsonrpc = JSONRPC.version
    public let id: RPCID
    public let error: RPCError

    public init(id: RPCID, error: RPCError) {
        self.id = id
        self.error = error
    }
}

/// What the daemon sends unasked within a subscription.
public struct RPCNotification<Params: Codable & Sendable>: Codable, Sendable {
    public var jsonrpc = JSONRPC.version
    public let method: String
    public let params: Params

    public init(method: String, params: Params) {
        self.method = method
        self.params = params
    }
}

/// Why a call failed. `code` is for programs, `message` for people.
public struct RPCError: Error, Codable, Sendable, Equatable {
    public struct Code: RawRepresentable, Codable, Sendable, Hashable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        public static let parseError = Code(rawValue: -32700)
        public static let invalidRequest = Code(rawValue: -32600)
        public static let methodNotFound = Code(rawValue: -32601)
        public static let invalidParams = Code(rawValue: -32602)
        public static let internalError = Code(rawValue: -32603)
        /// The daemon understood and will not: a bad configuration, an ambiguous name.
        public static let refused = Code(rawValue: -32001)
        /// The peer's user may not do this.
        public static let notAllowed = Code(rawValue: -32002)
        /// There is no endpoint, model or request of that name.
        public static let notFound = Code(rawValue: -32003)
        /// Client and daemon speak different versions of the protocol.
        public static let incompatible = Code(rawValue: -32004)
        /// The daemon serves as many as it can: too many connections.
        public static let busy = Code(rawValue: -32005)
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Parameters of a call that takes none.
public struct NoParams: Codable, Sendable {
    public init() {}
}
