// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One method of the control protocol: its name, who may call it, what it does.
struct ControlMethod: Sendable {
    var name: String
    var access: Access
    /// Whether a call is worth a line in the log: it changes something.
    var isLogged: Bool
    /// It takes as long as endpoints take. It is cancelled when the peer goes.
    var isLong = false
    /// From the whole line of the call to the whole line of the reply.
    var handle: @Sendable (_ line: Data, _ id: RPCID, _ router: Router, _ notify: @escaping Notify) async throws -> Data

    /// Sends a whole line before the reply. Throws when the peer has gone.
    typealias Notify = @Sendable (_ line: Data) async throws -> Void
    typealias Progress = @Sendable (ModelProgress) async throws -> Void

    static func make<Params: Decodable & Sendable, Result: Encodable & Sendable>(
        _ name: String, _ access: Access, isLogged: Bool? = nil, _ body: @escaping @Sendable (Params, Router) async throws -> Result
    ) -> ControlMethod {
        ControlMethod(name: name, access: access, isLogged: isLogged ?? (access == .change)) { line, id, router, _ in
            try Wire.frame(RPCReply(id: id, result: try await body(try params(name, line), router)))
        }
    }

    /// A method that tells how it goes, as notifications `progress` before its reply.
    static func makeLong<Params: Decodable & Sendable, Result: Encodable & Sendable>(
        _ name: String, _ access: Access, _ body: @escaping @Sendable (Params, Router, @escaping Progress) async throws -> Result
    ) -> ControlMethod {
        ControlMethod(name: name, access: access, isLogged: access == .change, isLong: true) { line, id, router, notify in
            let result = try await body(try params(name, line), router) { progress in
                try await notify(try Wire.frame(RPCNotification(method: "progress", params: progress)))
            }
            return try Wire.frame(RPCReply(id: id, result: result))
        }
    }

    static func params<Params: Decodable>(_ name: String, _ line: Data) throws -> Params {
        let params: Params
        do {
            params = try decode(Params.self, line)
        } catch {
            throw RPCError(.invalidParams, "\(name): \(text(error))")
        }
        // A mistyped name must not widen what a call does: `cache.invalidate` without any clears everything.
        let known = Mirror(reflecting: params).children.compactMap { $0.label.map(snakeCase) }
        let given = (try? Wire.decode(RPCRequestParams<[String: Anything]>.self, from: line).params) ?? [:]
        if let unknown = given.keys.sorted().first(where: { !known.contains($0) }) {
            let names = known.isEmpty ? "it takes none" : "there is: \(known.joined(separator: ", "))"
            throw RPCError(.invalidParams, "\(name): no parameter '\(unknown)'; \(names)")
        }
        return params
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) throws {}
    }

    /// Absent parameters are read as an empty object, so that a method whose parameters are all optional needs none.
    static func decode<Params: Decodable>(_ type: Params.Type, _ line: Data) throws -> Params {
        if let params = try Wire.decode(RPCRequestParams<Params>.self, from: line).params { return params }
        return try Wire.decode(Params.self, from: Data("{}".utf8))
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "the parameter '\(snakeCase(key.stringValue))' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "the parameter '\(context.codingPath.compactMap { $0.intValue == nil ? snakeCase($0.stringValue) : nil }.filter { $0 != "params" }.joined(separator: "."))' has the wrong type"
        case DecodingError.dataCorrupted(let context):
            "the parameter '\(context.codingPath.compactMap { $0.intValue == nil ? snakeCase($0.stringValue) : nil }.filter { $0 != "params" }.joined(separator: "."))' has a value that it cannot have"
        default: "the parameters cannot be read"
        }
    }

    private static func snakeCase(_ text: String) -> String {
        text.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}

/// All methods. `subscribe` is `ControlConnection`'s own, as it goes on after its reply.
enum MethodTable {
    static let methods: [String: ControlMethod] = Dictionary(
        uniqueKeysWithValues: (FleetMethods.all + SchedulingMethods.all + RequestMethods.all + ReportMethods.all + ModelMethods.all
            + ConfigMethods.all + DaemonMethods.all).map { ($0.name, $0) })

    static let names = (Array(methods.keys) + ["hello", "subscribe"]).sorted()
}
