// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Yams

#if canImport(Glibc)
    import Glibc
#endif

/// Reads the configuration: the file, then what the environment overrides. All or nothing, with every fault told.
public enum ConfigReader {
    /// A configuration is a page or two; what is larger is some other file.
    static let maximumBytes = 1_048_576
    /// Deeper than any configuration, and shallow enough for every thread's stack.
    private static let maximumNesting = 32

    /// - Throws: `ConfigErrors`.
    public static func load(path: String, environment: [String: String]) throws -> Config {
        let data: [UInt8]
        do {
            data = try bytes(of: path)
        } catch {
            throw ConfigErrors([ConfigError(.file(path, line: 0, column: 0), "cannot be read: \(error.reason)")])
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigErrors([ConfigError(.file(path, line: 0, column: 0), "is not UTF-8 text")])
        }
        return try read(yaml: text, file: path, environment: environment)
    }

    private struct Unreadable: Error {
        let reason = String(cString: strerror(errno))
    }

    /// At most one byte more than `maximumBytes`, which is enough to see that it is too much: the path may be a device.
    private static func bytes(of path: String) throws(Unreadable) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= maximumBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw Unreadable() }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// - Parameter file: shown in errors.
    /// - Throws: `ConfigErrors`.
    public static func read(yaml: String, file: String, environment: [String: String]) throws -> Config {
        var reader = ValueReader(file: file, environment: environment)
        let sections = try sections(yaml: yaml, file: file, reader: &reader)
        var config = Config()
        for key in ConfigKey.table {
            if let node = sections[key.name] {
                key.read(&reader, node, &config)
                config.origins.places[key.name] = reader.place(node)
            }
            override(key.variable, with: &reader) {
                key.read(&$1, $0, &config)
                config.origins.places[key.name] = $1.place($0)
            }
        }
        config.origins.file = file
        try readAddressVariables(into: &config, environment: environment)
        config.endpoints = endpoints(sections, limit: config.maxConcurrentConnections, reader: &reader)
        guard reader.errors.isEmpty else { throw ConfigErrors(sorted(reader.errors)) }
        config.notices = reader.notices + unknownVariables(environment)
        if config.endpoints.isEmpty { config.notices.append("\(file): there are no endpoints: every request for a model will be refused") }
        return config
    }

    /// `127.0.0.1:12434`, `[::1]:12434`.
    ///
    /// - Throws: `ConfigErrors`.
    public static func listenAddress(_ text: String) throws -> Config.ListenAddress {
        do throws(EndpointURL.Failure) {
            return try parseListen(text)
        } catch {
            throw ConfigErrors([ConfigError(.option("--listen"), error.message)])
        }
    }

    static func parseListen(_ text: String) throws(EndpointURL.Failure) -> Config.ListenAddress {
        let (host, port) = try HostPort.parse(text, defaultPort: nil, what: "the address")
        return Config.ListenAddress(host: host == "*" ? "0.0.0.0" : host, port: port)
    }

    // MARK: The document

    /// The top level's keys and their values, each of them known.
    private static func sections(yaml: String, file: String, reader: inout ValueReader) throws -> [String: Node] {
        func whole(_ message: String, line: Int = 0, column: Int = 0) -> ConfigErrors {
            ConfigErrors([ConfigError(.file(file, line: line, column: column), message)])
        }
        guard yaml.utf8.count <= maximumBytes else { throw whole("is larger than \(SizeText.format(maximumBytes)): this cannot be a configuration") }
        if let (line, column) = DocumentGuard.tooDeep(yaml, limit: maximumNesting) {
            throw whole("nested more than \(maximumNesting) levels deep", line: line, column: column)
        }
        guard DocumentGuard.aliases(yaml) <= DocumentGuard.maximumAliases else {
            throw whole("has more than \(DocumentGuard.maximumAliases) aliases ('*name'): write the values out")
        }
        let root: Node?
        do {
            root = try Yams.Parser(yaml: yaml).singleRoot()
        } catch let error as YamlError {
            throw ConfigErrors([error.asConfigError(file: file)])
        }
        guard let root, !ValueReader.isNull(root) else { return [:] }
        guard let mapping = root.mapping else { throw whole("expected keys such as 'endpoints:', not \(ValueReader.kind(root))", line: 1, column: 1) }
        let known = ConfigKey.table.map(\.name) + EndpointSection.keys + ["api_keys"]
        var sections: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string, known.contains(name) else {
                let name = key.scalar?.string ?? ""
                reader.fault(key, "unknown key \(ValueReader.quoted(name))\(Spelling.hint(for: name, among: known))")
                continue
            }
            sections[name] = value
        }
        return sections
    }

    private static func endpoints(_ sections: [String: Node], limit: Int, reader: inout ValueReader) -> [Config.EndpointConfig] {
        var list = EndpointSection()
        var isGiven = false
        for key in EndpointSection.keys {
            var isOverridden = false
            override("NOMYO_ROUTER_\(key.uppercased())", with: &reader) { node, reader in
                // A variable holds the list with commas between.
                let parts = (node.scalar?.string ?? "").split(separator: ",").map { String($0.trimmingSpaces()) }
                list.read(Node(parts.map { Node($0) }), key: key, limit: limit, with: &reader)
                (isGiven, isOverridden) = (true, true)
            }
            if !isOverridden, let node = sections[key] {
                list.read(node, key: key, limit: limit, with: &reader)
                isGiven = true
            }
        }
        if let node = sections["api_keys"] { list.readKeys(node, with: &reader) }
        if !isGiven, reader.errors.isEmpty {
            reader.fault(Node(""), "no endpoints: add 'endpoints: [http://127.0.0.1:11434]', or 'endpoints: []' if there are none yet")
        }
        return list.endpoints
    }

    // MARK: The environment

    private static func override(_ variable: String, with reader: inout ValueReader, _ body: (Node, inout ValueReader) -> Void) {
        guard let value = reader.environment[variable] else { return }
        reader.variable = variable
        body(Node(value, .implicit, .plain), &reader)
        reader.variable = nil
    }

    /// `$ROUTERD_HOST` and `$ROUTERD_PORT` replace host and port of the first address, and all others.
    private static func readAddressVariables(into config: inout Config, environment: [String: String]) throws {
        let host = environment["ROUTERD_HOST"].flatMap { $0.isEmpty ? nil : $0 }
        let port = environment["ROUTERD_PORT"].flatMap { $0.isEmpty ? nil : $0 }
        guard host != nil || port != nil, var address = config.listen.first else { return }
        if let host { address.host = host }
        if let port {
            guard let number = Int(port), (0...65535).contains(number) else {
                throw ConfigErrors([ConfigError(.variable("ROUTERD_PORT"), "expected a port from 0 to 65535, not \(ValueReader.quoted(port))")])
            }
            address.port = number
        }
        config.listen = [address]
    }

    /// A misspelt variable would otherwise be ignored in silence. It is no error: the environment is not ours alone.
    private static func unknownVariables(_ environment: [String: String]) -> [String] {
        let known = Set(
            ConfigKey.table.map(\.variable) + EndpointSection.keys.map { "NOMYO_ROUTER_\($0.uppercased())" }
                + ["NOMYO_ROUTER_CONFIG_PATH"])
        return environment.keys.filter { $0.hasPrefix("NOMYO_ROUTER_") && !known.contains($0) }.sorted().map {
            ConfigError(.variable($0), "no such key\(Spelling.hint(for: $0, among: known.sorted()))").description
        }
    }

    private static func sorted(_ errors: [ConfigError]) -> [ConfigError] {
        func key(_ error: (offset: Int, element: ConfigError)) -> (Int, Int, Int) {
            if case .file(_, let line, let column) = error.element.place { return (line, column, error.offset) }
            return (.max, 0, error.offset)
        }
        return errors.enumerated().sorted { key($0) < key($1) }.map(\.element)
    }
}
