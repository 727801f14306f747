// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1

/// What can be said of a request by its head alone: what it is, whether it may, where it points. Pure.
struct HeadCheck {
    private(set) var route = Route(action: .local(.root), dialect: .plain)
    /// Path and query for the endpoint: the router's own parameters are gone from the query.
    private(set) var target: Substring
    /// By `?endpoint=`.
    private(set) var chosenName: String?
    /// The body comes in chunks.
    let isChunked: Bool
    /// The client waits for our word before it sends its body.
    let expectsContinue: Bool
    /// Why it goes no further; nil if it does.
    private(set) var refusal: Refusal?

    struct Refusal {
        var error: RouterError
        /// The body is not worth reading: the connection ends with the answer.
        var endsConnection: Bool
    }

    /// A refused request's body up to this is read and thrown away, so that the connection can go on.
    static let discardedBody = 256 * 1024

    init(_ head: HTTPRequestHead, _ settings: RuntimeSettings) {
        let length = head.headers.first(name: "content-length")
        target = Substring(head.uri)
        isChunked = length == nil && head.headers.contains(name: "transfer-encoding")
        expectsContinue = head.version.knowsChunks && (head.headers.first(name: "expect")?.caseInsensitiveEquals("100-continue") ?? false)
        let (path, query) = Self.split(head.uri)
        guard let error = judge(head, path, query, length.flatMap { Int($0) }, settings) else {
            point(path, query, takesKey: settings.keys.isRequired)
            return
        }
        let isLarge = isChunked || length.map { Int($0) ?? .max } ?? 0 > Self.discardedBody
        refusal = Refusal(error: error, endsConnection: isLarge || expectsContinue)
    }

    private mutating func judge(
        _ head: HTTPRequestHead, _ path: String, _ query: Substring?, _ length: Int?, _ settings: RuntimeSettings
    ) -> RouterError? {
        switch RouteTable.match(head.method, path: path) {
        case .route(let found): route = found
        case .methodNotAllowed(let dialect, let allow):
            route.dialect = dialect
            return .methodNotAllowed(method: head.method.rawValue, path: path, allow: allow)
        }
        if settings.keys.isRequired, !route.isPublic {
            switch settings.keys.judge(headers: head.headers, query: query) {
            case .allowed: break
            case .missing: return .missingKey
            case .wrong: return .wrongKey
            }
        }
        if let length, length > settings.limits.maxBodyBytes, route.action != .blob { return .bodyTooLarge(limit: settings.limits.maxBodyBytes) }
        if case .forward = route.action, let encoding = head.headers.first(name: "content-encoding"), !encoding.caseInsensitiveEquals("identity") {
            return .encodedBody(encoding)
        }
        return nil
    }

    private mutating func point(_ path: String, _ query: Substring?, takesKey: Bool) {
        chosenName = query.flatMap { QueryText.value("endpoint", in: $0) }
        if let query, route.upstreamPath != nil || takesKey || chosenName != nil {
            // The router's own parameters are nobody else's business.
            let rest = QueryText.removing(takesKey ? ["api_key", "endpoint"] : ["endpoint"], from: query)
            target = Substring((route.upstreamPath ?? path) + (rest.map { "?\($0)" } ?? ""))
        } else if let other = route.upstreamPath {
            target = Substring(other)
        }
    }

    static func split(_ uri: String) -> (path: String, query: Substring?) {
        // The library's search goes by indices of characters, which costs ten times as much.
        let found = uri.utf8.withContiguousStorageIfAvailable { bytes in bytes.firstIndex(of: UInt8(ascii: "?")) }
        guard let offset = found ?? nil else { return (uri, nil) }
        let mark = uri.utf8.index(uri.utf8.startIndex, offsetBy: offset)
        return (String(uri[..<mark]), uri[uri.index(after: mark)...])
    }
}
