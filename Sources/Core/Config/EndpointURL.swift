// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// `http://host:port/base` of an endpoint, read strictly: what the pool connects to must be what the operator wrote.
enum EndpointURL {
    struct Failure: Error, Equatable {
        var message: String
    }

    /// What a URL says of the server behind it.
    struct Reading: Equatable {
        var address: EndpointAddress
        /// Nil where neither the URL nor the list nor `kind` tells: polls find out.
        var kind: EndpointKind?
        /// It is Ollama's own `/v1`: the same server as the URL without it.
        var isOllamaV1 = false
    }

    /// The port that means Ollama, whatever the path says.
    private static let ollamaPort = 11434

    /// - Parameter kind: as the list or `kind:` says; nil for `endpoints` without it.
    static func read(_ text: String, kind: EndpointKind?) throws(Failure) -> Reading {
        guard let separator = text.firstRange(of: "://") else {
            throw Failure(message: "expected a URL such as http://127.0.0.1:11434\(text.isEmpty ? "" : "; did you mean 'http://\(safe(text))'?")")
        }
        guard let scheme = EndpointAddress.Scheme(rawValue: text[..<separator.lowerBound].lowercased()) else {
            throw Failure(message: "expected a URL that begins with http:// or https://")
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { throw Failure(message: "a URL must not hold a user or a password; set api_key for the endpoint's key") }
        var path = rest.dropFirst(authority.count)
        guard !path.contains("?"), !path.contains("#") else { throw Failure(message: "an endpoint's URL has no query and no fragment") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw Failure(message: "a URL holds no spaces and only ASCII characters") }
        let (host, port) = try HostPort.parse(authority, defaultPort: scheme.defaultPort, what: "the URL")
        guard port != 0 else { throw Failure(message: "an endpoint cannot listen on port 0") }
        while path.last == "/" { path = path.dropLast() }
        let kind = kind ?? self.kind(port: port, path: path)
        let (base, version) = split(path, kind)
        let shown = (host.contains(":") ? "[\(host)]" : host) + (port == scheme.defaultPort ? "" : ":\(port)")
        // Of an OpenAI-compatible service the version path is part of where it is; of the others it is one of their routes.
        let url = "\(scheme.rawValue)://\(shown)\(base)\(kind == .openAI ? version : "")"
        return Reading(
            address: EndpointAddress(scheme: scheme, host: host, port: port, basePath: base, versionPath: version, url: url), kind: kind,
            isOllamaV1: kind == .ollama && path.hasSuffix(EndpointAddress.usualVersionPath))
    }

    /// `/v1` in the path means OpenAI-compatible, but Ollama's port means Ollama, whose `/v1` is one of its own routes.
    private static func kind(port: Int, path: Substring) -> EndpointKind? {
        if port == ollamaPort { return .ollama }
        return path.split(separator: "/").contains("v1") ? .openAI : nil
    }

    /// The path before every route, and what stands for the routes' `/v1`.
    private static func split(_ path: Substring, _ kind: EndpointKind?) -> (base: String, version: String) {
        let usual = EndpointAddress.usualVersionPath
        if path.hasSuffix(usual) {
            var base = path.dropLast(usual.count)
            while base.last == "/" { base = base.dropLast() }
            return (String(base), usual)
        }
        if kind == .openAI, !path.isEmpty { return ("", String(path)) }
        return (String(path), usual)
    }

    /// What may be repeated in a message: no user, no password.
    private static func safe(_ text: String) -> String {
        text.contains("@") ? "host:port" : String(text.prefix(80))
    }
}
