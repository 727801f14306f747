// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the control socket and the configuration are: the same search in both programs.
public enum SocketPath {
    /// The longest path that fits a `sockaddr_un`, without its final zero.
    public static let maximumLength = 107
    /// Where the daemon's socket is when the system's service manager runs it.
    public static let ofTheService = "/run/routerd/control.sock"

    /// The daemon's search: option, `control_socket:` of the file, `$RUNTIME_DIRECTORY`, `$XDG_RUNTIME_DIR`, `/tmp`.
    public static func search(option: String?, configured: String?, environment: [String: String]) -> String {
        if let option, !option.isEmpty { return option }
        if let override = environment["NOMYO_ROUTER_CONTROL_SOCKET"], !override.isEmpty { return override }
        if let configured, !configured.isEmpty { return configured }
        if let directory = environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first { return "\(directory)/control.sock" }
        if let directory = environment["XDG_RUNTIME_DIR"], !directory.isEmpty { return "\(directory)/routerd.sock" }
        return "/tmp/routerd-\(getuid()).sock"
    }

    /// The client's search: as the daemon's, and `/run/routerd/control.sock` of the system's service if nothing else is there.
    public static func find(option: String?, environment: [String: String]) -> String {
        let found = search(option: option, configured: configuredInFile(environment: environment), environment: environment)
        // Another machine's socket is no file of this one.
        if SSHAddress.names(found) { return found }
        if option == nil, !exists(found), exists(ofTheService) { return ofTheService }
        return found
    }

    /// The configuration file that is used when no option names one; nil if there is none.
    public static func configFile(environment: [String: String]) -> String? {
        if let path = environment["NOMYO_ROUTER_CONFIG_PATH"], !path.isEmpty { return path }
        return ["./config.yaml", "/etc/routerd/config.yaml"].first(where: exists)
    }

    /// Reads the one top-level key that `routerctl` needs, so that it does not carry a YAML parser.
    static func configuredInFile(environment: [String: String]) -> String? {
        guard let path = configFile(environment: environment),
            let data = FileManager.default.contents(atPath: path)
        else { return nil }
        return controlSocket(inYAML: String(decoding: data, as: UTF8.self))
    }

    static func controlSocket(inYAML text: String) -> String? {
        let key = "control_socket:"
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(key) {
            let value = trimmed(line.dropFirst(key.count))
            if let quote = value.first, quote == "\"" || quote == "'" {
                return value.dropFirst().firstIndex(of: quote).map { String(value[value.index(after: value.startIndex)..<$0]) }
            }
            let bare = trimmed(value.split(separator: " #", omittingEmptySubsequences: false).first ?? "")
            return bare.isEmpty || bare == "null" || bare == "~" || bare.hasPrefix("#") ? nil : String(bare)
        }
        return nil
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        let text = Substring(text)
        let start = text.firstIndex { !$0.isWhitespace } ?? text.endIndex
        let end = text.lastIndex { !$0.isWhitespace }.map(text.index(after:)) ?? start
        return text[start..<end]
    }

    private static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }
}
