// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1

/// What can be said of a request by its head alone: what it is, whether it may, where it points. Pure.
enum HeadCheck {
    struct Accepted {
        var route: Route
        /// Path and query for the endpoint: the router's own parameters are gone from the query.
        var target: Substring
        /// By `?endpoint=`.
        var chosenName: String?
        /// The body comes in chunks.
        var isChunked: Bool
        /// The client waits for our word before it sends its body.
        var expectsContinue: Bool
    }

    struct Refused: Error {
        var error: RouterError
        /// What it is, as far as that is known: for the dialect of the error, and for the books.
        var accepted: Accepted
        /// The body is not worth reading: the connection ends with the answer.
        var endsConnection: Bool
    }

    /// A refused request's body up to this is read and thrown away, so that the connection can go on.
    static let discardedBody = 256 * 1024

    static func judge(_ head: HTTPRequestHead, _ settings: RuntimeSettings) -> Result<Accepted, Refused> {
        let (path, query) = split(head.uri)
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        var accepted = Accepted(
            route: Route(action: .local(.root), dialect: .plain), target: Substring(head.uri), chosenName: nil,
            isChunked: length == nil && head.headers.contains(name: "transfer-encoding"),
            expectsContinue: head.version.knowsChunks && (head.headers.first(name: "expect")?.caseInsensitiveEquals("100-continue") ?? false))
        func refuse(_ error: RouterError) -> Result<Accepted, Refused> {
            let isLarge = accepted.isChunked || length ?? 0 > discardedBody || (length == nil && head.headers.contains(name: "content-length"))
            return .failure(Refused(error: error, accepted: accepted, endsConnection: isLarge || accepted.expectsContinue))
        }
        switch RouteTable.match(head.method, path: path) {
        case .route(let found): accepted.route = found
        case .methodNotAllowed(let dialect, let allow):
            accepted.route.dialect = dialect
            return refuse(.methodNotAllowed(method: head.method.rawValue, path: path, allow: allow))
        }
        if settings.keys.isRequired, !accepted.route.isPublic {
            switch settings.keys.judge(headers: head.headers, query: query) {
            case .allowed: break
            case .missing: return refuse(.missingKey)
            case .wrong: return refuse(.wrongKey)
            }
        }
        if let length, length > settings.limits.maxBodyBytes, accepted.route.action != .blob {
            return refuse(.bodyTooLarge(limit: settings.limits.maxBodyBytes))
        }
        if case .forward = accepted.route.action, let encoding = head.headers.first(name: "content-encoding"),
            !encoding.caseInsensitiveEquals("identity")
        {
            return refuse(.encodedBody(encoding))
        }
        accepted.chosenName = query.flatMap { QueryText.value("endpoint", in: $0) }
        if let query, accepted.route.upstreamPath != nil || settings.keys.isRequired || accepted.chosenName != nil {
            // The router's own parameters are nobody else's business.
            let rest = QueryText.removing(settings.keys.isRequired ? ["api_key", "endpoint"] : ["endpoint"], from: query)
            accepted.target = Substring((accepted.route.upstreamPath ?? path) + (rest.map { "?\($0)" } ?? ""))
        } else if let other = accepted.route.upstreamPath {
            accepted.target = Substring(other)
        }
        return .success(accepted)
    }

    static func split(_ uri: String) -> (path: String, query: Substring?) {
        guard let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (uri, nil) }
        return (String(uri[..<mark]), uri[uri.index(after: mark)...])
    }
}
