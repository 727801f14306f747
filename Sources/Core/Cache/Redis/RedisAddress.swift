// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Where a Redis server is and how one gets in: `redis[s]://[user:password@]host[:port][/database]`, or `unix:///path[?db=N]`.
struct RedisAddress: Sendable, Hashable {
    var place: Dialer.Place
    var isSecure = false
    var user: String?
    var password: Secret?
    var database = 0
    /// Trust and own certificate, for `rediss`.
    var tls = TLSClientSettings()

    /// What is wrong, in words that repeat nothing of the URL, as it may hold a password.
    struct Failure: Error, Equatable {
        var message: String
    }

    private static let expectation = "expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path"

    init(url: String) throws(Failure) {
        func fail(_ what: String) -> Failure { Failure(message: "\(Self.expectation); \(what) (the URL is not shown, as it may hold a password)") }
        guard let mark = url.firstRange(of: "://") else { throw fail("this has no scheme") }
        var rest = url[mark.upperBound...]
        if url[..<mark.lowerBound] == "unix" {
            let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0].hasPrefix("/"), parts[0].utf8.count <= 107 else { throw fail("this has no absolute path of at most 107 bytes") }
            place = .unix(path: String(parts[0]))
            if parts.count == 2, let number = QueryText.value("db", in: parts[1]) {
                guard let number = Int(number), (0...9999).contains(number) else { throw fail("its db is no number from 0 to 9999") }
                database = number
            }
            return
        }
        switch url[..<mark.lowerBound] {
        case "redis": isSecure = false
        case "rediss": isSecure = true
        default: throw fail("this scheme is none of them")
        }
        if let at = rest.lastIndex(of: "@") {
            let words = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { PercentEncoding.decode($0) }
            if words.count == 2, !words[1].isEmpty { password = Secret(words[1]) }
            if !words[0].isEmpty { user = words[0] }
            guard user == nil || password != nil else { throw fail("this names a user and no password") }
            rest = rest[rest.index(after: at)...]
        }
        if let slash = rest.firstIndex(of: "/") {
            let number = rest[rest.index(after: slash)...]
            if !number.isEmpty {
                guard let value = Int(number), (0...9999).contains(value) else { throw fail("its database is no number from 0 to 9999") }
                database = value
            }
            rest = rest[..<slash]
        }
        do throws(EndpointURL.Failure) {
            let (host, port) = try HostPort.parse(rest, defaultPort: 6379, what: "it")
            place = .tcp(host: host, port: port)
        } catch {
            throw fail(error.message)
        }
    }

    /// What its certificate must be for.
    var host: String {
        if case .tcp(let host, _) = place { return host }
        return ""
    }

    /// For logs and status: no user, no password.
    var description: String {
        switch place {
        case .tcp(let host, let port): "\(isSecure ? "rediss" : "redis")://\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
        case .unix(let path): "unix://\(path)"
        }
    }
}
