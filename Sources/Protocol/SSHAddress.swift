// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A daemon on another machine, as `--socket` names it: `ssh://[user@]host[:port][/path/to/socket]`.
public struct SSHAddress: Sendable, Equatable {
    public static let scheme = "ssh://"

    public var user: String?
    /// A name that ssh knows (its own configuration included), or an address; IPv6 without its brackets.
    public var host: String
    public var port: Int?
    /// The socket there; nil leaves the search to the `routerctl` there.
    public var path: String?

    /// Whether the text means another machine at all.
    public static func names(_ text: String) -> Bool { text.hasPrefix(scheme) }

    /// What is wrong with an address, for people.
    public struct Invalid: Error, Equatable {
        public let reason: String
    }

    public init(_ text: String) throws(Invalid) {
        guard Self.names(text) else { throw Invalid(reason: "it does not begin with \(Self.scheme)") }
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else {
            throw Invalid(reason: "it holds blanks or control characters")
        }
        let rest = text.dropFirst(Self.scheme.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var machine = rest[..<slash]
        // A lone slash at the end is how people write "no path".
        path = rest[slash...].count > 1 ? String(rest[slash...]) : nil
        if let at = machine.lastIndex(of: "@") {
            user = String(machine[..<at])
            machine = machine[machine.index(after: at)...]
        }
        let (name, portText) = try Self.split(machine)
        if let portText {
            guard portText.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(portText), (1...65535).contains(number) else {
                throw Invalid(reason: "\"\(portText)\" is no port")
            }
            port = number
        }
        host = name
        if host.isEmpty { throw Invalid(reason: "it names no host") }
        // ssh would take them for options.
        if host.hasPrefix("-") { throw Invalid(reason: "a host does not begin with \"-\"") }
        if let user, user.isEmpty || user.hasPrefix("-") { throw Invalid(reason: "a user is not empty and does not begin with \"-\"") }
    }

    private static func split(_ machine: Substring) throws(Invalid) -> (host: String, port: Substring?) {
        if machine.hasPrefix("[") {
            guard let end = machine.firstIndex(of: "]") else { throw Invalid(reason: "the bracket of the address is not closed") }
            let after = machine[machine.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw Invalid(reason: "a port begins with \":\"") }
            return (String(machine[machine.index(after: machine.startIndex)..<end]), after.isEmpty ? nil : after.dropFirst())
        }
        guard let colon = machine.firstIndex(of: ":") else { return (String(machine), nil) }
        return (String(machine[..<colon]), machine[machine.index(after: colon)...])
    }

    /// The arguments of ssh. There is no shell at this end; at the other end ssh hands the last one to the user's shell.
    ///
    /// - Parameter mayAsk: whether ssh may ask for a password or about an unknown host; else it fails instead.
    func arguments(mayAsk: Bool) -> [String] {
        var arguments = ["-T", "-x", "-e", "none", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=10"]
        if !mayAsk { arguments += ["-o", "BatchMode=yes"] }
        if let port { arguments += ["-p", "\(port)"] }
        if let user { arguments += ["-l", user] }
        return arguments + ["--", host, command]
    }

    /// What runs at the other end.
    var command: String {
        let program = "routerctl \(SocketProxy.commandName)"
        guard let path else { return program }
        return "\(program) --socket '\(path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#))'"
    }
}
