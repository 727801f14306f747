// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// `http://host:port/base` of an endpoint, read strictly: what the pool connects to must be what the operator wrote.
enum EndpointURL {
    struct Failure: Error, Equatable {
        var message: String
    }

    /// - Parameter kind: of the list that it stands in; decides what a path may be.
    static func parse(_ text: String, kind: EndpointKind) throws(Failure) -> EndpointAddress {
        guard let separator = text.firstRange(of: "://") else {
            throw Failure(message: "expected a URL such as http://127.0.0.1:11434\(text.isEmpty ? "" : "; did you mean 'http://\(safe(text))'?")")
        }
        switch text[..<separator.lowerBound].lowercased() {
        case "http": break
        case "https": throw Failure(message: "https:// endpoints are not supported yet: this version speaks plain HTTP to endpoints")
        default: throw Failure(message: "expected a URL that begins with http://")
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { throw Failure(message: "a URL must not hold a user or a password; set api_key for the endpoint's key") }
        let path = rest.dropFirst(authority.count)
        guard !path.contains("?"), !path.contains("#") else { throw Failure(message: "an endpoint's URL has no query and no fragment") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw Failure(message: "a URL holds no spaces and only ASCII characters") }
        let (host, port) = try HostPort.parse(authority, defaultPort: 80, what: "the URL")
        guard port != 0 else { throw Failure(message: "an endpoint cannot listen on port 0") }
        var base = path
        while base.last == "/" { base = base.dropLast() }
        if base == "/v1" || base.hasSuffix("/v1") {
            guard kind == .llamaServer else {
                throw Failure(
                    message:
                        "an OpenAI-compatible endpoint (a URL that ends with /v1) is not supported in this list yet; for llama-server use llama_server_endpoints"
                )
            }
            base = base.dropLast(3)
            while base.last == "/" { base = base.dropLast() }
        }
        let shown = host.contains(":") ? "[\(host)]" : host
        return EndpointAddress(host: host, port: port, basePath: String(base), url: "http://\(shown):\(port)\(base)")
    }

    /// What may be repeated in a message: no user, no password.
    private static func safe(_ text: String) -> String {
        text.contains("@") ? "host:port" : String(text.prefix(80))
    }
}

/// `host:port`, with an IPv6 address in brackets.
enum HostPort {
    /// - Parameter defaultPort: nil if the port must be there.
    static func parse(_ text: some StringProtocol, defaultPort: Int?, what: String) throws(EndpointURL.Failure) -> (host: String, port: Int) {
        var host: Substring
        var rest: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .init(message: "\(what) has '[' without ']'") }
            host = Substring(text[..<end].dropFirst())
            rest = Substring(text[end...].dropFirst())
        } else {
            host = Substring(text.prefix { $0 != ":" })
            rest = Substring(text.dropFirst(host.count))
            guard rest.dropFirst().firstIndex(of: ":") == nil else {
                throw .init(message: "an IPv6 address stands in brackets, such as [::1]:11434")
            }
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }) else {
            throw .init(message: "\(what) has no host")
        }
        if rest.isEmpty {
            guard let defaultPort else { throw .init(message: "expected host:port, such as 127.0.0.1:12434") }
            return (host.lowercased(), defaultPort)
        }
        guard rest.first == ":" else { throw .init(message: "\(what) goes on after ']' without a port") }
        rest = rest.dropFirst()
        guard rest.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = Int(rest), (0...65535).contains(port) else {
            throw .init(message: "expected a port from 0 to 65535, not '\(rest.prefix(20))'")
        }
        return (host.lowercased(), port)
    }
}
