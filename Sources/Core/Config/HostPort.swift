// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

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
