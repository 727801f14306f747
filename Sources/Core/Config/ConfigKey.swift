// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// One top-level key: its name, how it is read, how a reload shows it, and whether a running daemon can take a new value.
///
/// Keys of endpoints are read elsewhere (`EndpointSection`).
struct ConfigKey: Sendable {
    let name: String
    /// A change has no effect before the next start.
    let needsRestart: Bool
    let read: @Sendable (inout ValueReader, Node, inout Config) -> Void
    /// The value as text; never a secret.
    let show: @Sendable (Config) -> String

    /// The variable that overrides the key.
    var variable: String {
        name == "nomyo-router-api-key" ? "NOMYO_ROUTER_API_KEY" : "NOMYO_ROUTER_\(name.uppercased())"
    }

    static let table: [ConfigKey] = mainKeys + retryKeys + schedulingKeys + cacheKeys

    private static let mainKeys: [ConfigKey] = [
        listen,
        listenerTLS,
        optionalInteger("threads", \.threads, 1...1024, restart: true),
        integer("max_concurrent_connections", \.maxConcurrentConnections, 1...100_000),
        routerKey,
        aliases,
        integer("max_connections", \.limits.maxConnections, 1...1_000_000),
        size("max_header_bytes", \.limits.maxHeaderBytes, 1024...1_048_576),
        size("max_body_bytes", \.limits.maxBodyBytes, 1024...(1 << 40)),
        size("max_line_bytes", \.limits.maxLineBytes, 1024...(1 << 30)),
        duration("header_timeout", \.limits.headerTimeout, .milliseconds(1)...day),
        duration("body_timeout", \.limits.bodyTimeout, .milliseconds(1)...day),
        duration("keepalive_timeout", \.limits.keepaliveTimeout, .milliseconds(1)...day),
        duration("connect_timeout", \.limits.connectTimeout, .milliseconds(1)...day),
        duration("first_byte_timeout", \.limits.firstByteTimeout, .milliseconds(1)...day),
        duration("idle_timeout", \.limits.idleTimeout, .milliseconds(1)...day),
        duration("request_timeout", \.limits.requestTimeout, .milliseconds(1)...day, zeroMeansNone: true),
        duration("upstream_idle_timeout", \.limits.upstreamIdleTimeout, .milliseconds(1)...day),
        duration("upstream_max_age", \.limits.upstreamMaxAge, .milliseconds(1)...day, zeroMeansNone: true),
        integer("upstream_idle_connections", \.limits.upstreamIdleConnections, 0...100_000),
        duration("poll_interval", \.polling.loadedInterval, .milliseconds(50)...day),
        duration("poll_models_interval", \.polling.modelsInterval, .milliseconds(50)...day),
        duration("poll_timeout", \.polling.timeout, .milliseconds(10)...day, restart: true),
        duration("poll_max_backoff", \.polling.maxBackoff, .milliseconds(50)...day),
        integer("poll_fall", \.polling.fall, 1...100),
        integer("poll_rise", \.polling.rise, 1...100),
        text("db_path", \.databasePath, "expected a path, or \"\" to keep token counts in memory", restart: true),
        accessLog,
        accessLogFormat,
        bool("response_headers", \.responseHeaders),
        corsOrigins,
        choice("model_management", \.modelManagement),
        fallbacks,
        bool("context_shift", \.contextShift),
        retryWithout,
        controlSocket,
        controlMode,
        optionalText("control_group", \.control.group),
        optionalText("control_read_group", \.control.readGroup),
        duration("shutdown_timeout", \.shutdownTimeout, .zero...day, restart: true),
        logLevel,
    ]

    static let day: TimeAmount = .hours(24)

    // MARK: Common kinds

    typealias Path<Value> = any WritableKeyPath<Config, Value> & Sendable

    static func integer(_ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: false) { reader, node, config in
            if let value = reader.integer(node, range) { config[keyPath: path] = value }
        } show: {
            "\($0[keyPath: path])"
        }
    }

    private static func optionalInteger(_ name: String, _ path: Path<Int?>, _ range: ClosedRange<Int>, restart: Bool) -> ConfigKey {
        ConfigKey(name: name, needsRestart: restart) { reader, node, config in
            config[keyPath: path] = ValueReader.isNull(node) ? nil : reader.integer(node, range)
        } show: {
            $0[keyPath: path].map { "\($0)" } ?? "default"
        }
    }

    static func duration(
        _ name: String, _ path: Path<TimeAmount>, _ range: ClosedRange<TimeAmount>, zeroMeansNone: Bool = false, restart: Bool = false
    ) -> ConfigKey {
        ConfigKey(name: name, needsRestart: restart) { reader, node, config in
            if let value = reader.duration(node, range, zeroMeansNone: zeroMeansNone) { config[keyPath: path] = value }
        } show: {
            DurationText.format($0[keyPath: path])
        }
    }

    static func number(_ name: String, _ path: Path<Double>, _ range: ClosedRange<Double>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: false) { reader, node, config in
            if let value = reader.number(node, range) { config[keyPath: path] = value }
        } show: {
            "\($0[keyPath: path])"
        }
    }

    static func size(_ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: false) { reader, node, config in
            if let value = reader.size(node, range) { config[keyPath: path] = value }
        } show: {
            SizeText.format($0[keyPath: path])
        }
    }

    private static func optionalText(_ name: String, _ path: Path<String?>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: true) { reader, node, config in
            config[keyPath: path] = ValueReader.isNull(node) ? nil : reader.text(node, "expected a name")
        } show: {
            $0[keyPath: path] ?? "none"
        }
    }

    static func text(
        _ name: String, _ path: Path<String>, _ expectation: String, mayBeEmpty: Bool = true, restart: Bool = false
    ) -> ConfigKey {
        ConfigKey(name: name, needsRestart: restart) { reader, node, config in
            if node.scalar?.string == "", mayBeEmpty { return config[keyPath: path] = "" }
            if let value = reader.text(node, expectation) { config[keyPath: path] = value }
        } show: {
            $0[keyPath: path]
        }
    }

    static func bool(_ name: String, _ path: Path<Bool>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: false) { reader, node, config in
            if let value = reader.bool(node) { config[keyPath: path] = value }
        } show: {
            "\($0[keyPath: path])"
        }
    }

    /// One of the words that the type knows.
    static func choice<Word: RawRepresentable<String> & CaseIterable & Sendable>(_ name: String, _ path: Path<Word>) -> ConfigKey {
        ConfigKey(name: name, needsRestart: false) { reader, node, config in
            if let word = reader.choice(node, Word.allCases.map(\.rawValue)).flatMap(Word.init(rawValue:)) { config[keyPath: path] = word }
        } show: {
            $0[keyPath: path].rawValue
        }
    }

    // MARK: Keys of their own kind

    private static let accessLog = ConfigKey(name: "access_log", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) || node.scalar?.string == "off" { return config.accessLog.path = nil }
        config.accessLog.path = reader.text(node, "expected a path, - for standard output, or off")
    } show: {
        $0.accessLog.path ?? "off"
    }

    private static let accessLogFormat = ConfigKey(name: "access_log_format", needsRestart: false) { reader, node, config in
        if let format = reader.choice(node, AccessLog.Format.allCases.map(\.rawValue)) {
            config.accessLog.format = AccessLog.Format(rawValue: format) ?? .text
        }
    } show: {
        $0.accessLog.format.rawValue
    }

    private static let fallbacks = ConfigKey(name: "fallbacks", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.fallbacks = [:] }
        guard let mapping = node.mapping else {
            return reader.fault(node, "expected a mapping of a model to others, such as 'llama3.1:70b: [llama3.1:8b]', not \(ValueReader.kind(node))")
        }
        var fallbacks: [String: [String]] = [:]
        for (key, value) in mapping {
            guard let model = reader.text(key, "expected a model's name") else { continue }
            let others = (value.sequence.map(Array.init) ?? [value]).compactMap { reader.text($0, "expected a model's name") }
            if others.contains(model) { reader.fault(value, "the model \(ValueReader.quoted(model)) falls back to itself") }
            fallbacks[model] = others
        }
        config.fallbacks = fallbacks
    } show: {
        $0.fallbacks.sorted { $0.key < $1.key }.map { "\($0.key) > \($0.value.joined(separator: " > "))" }.joined(separator: ", ")
    }

    private static let retryWithout = ConfigKey(name: "retry_without", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.retryWithout = [] }
        let nodes = node.sequence.map(Array.init) ?? [node]
        config.retryWithout = Set(
            nodes.compactMap { reader.choice($0, Config.RequestPart.allCases.map(\.rawValue)).flatMap(Config.RequestPart.init(rawValue:)) })
    } show: {
        $0.retryWithout.map(\.rawValue).sorted().joined(separator: ", ")
    }

    private static let corsOrigins = ConfigKey(name: "cors_origins", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.corsOrigins = [] }
        let nodes = node.sequence.map(Array.init) ?? [node]
        config.corsOrigins = nodes.compactMap { node in
            let expectation = "expected an origin such as https://app.example, or \"*\""
            guard let text = reader.text(node, expectation) else { return nil }
            guard text == "*" || (text.contains("://") && !text.hasSuffix("/")) else {
                reader.fault(node, "\(expectation), not \(ValueReader.quoted(text))")
                return nil
            }
            return text
        }
    } show: {
        $0.corsOrigins.joined(separator: ", ")
    }

    private static let listen = ConfigKey(name: "listen", needsRestart: true) { reader, node, config in
        let nodes = node.sequence.map(Array.init) ?? [node]
        let addresses = nodes.compactMap { node -> Config.ListenAddress? in
            guard let text = reader.text(node, "expected host:port, such as 127.0.0.1:12434") else { return nil }
            do throws(EndpointURL.Failure) {
                return try ConfigReader.parseListen(text)
            } catch {
                reader.fault(node, error.message)
                return nil
            }
        }
        if nodes.isEmpty { reader.fault(node, "expected at least one host:port") }
        if !addresses.isEmpty { config.listen = addresses }
    } show: {
        $0.listen.map(\.description).joined(separator: ", ")
    }

    private static let listenerTLS = ConfigKey(name: "tls", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.tls = nil }
        guard let members = reader.members(node, known: ["certificate", "key"], of: "tls") else { return }
        guard let certificate = members["certificate"].flatMap({ reader.text($0, "expected the path of a PEM file") }),
            let key = members["key"].flatMap({ reader.text($0, "expected the path of a PEM file") })
        else { return reader.fault(node, "tls needs certificate and key, both paths of PEM files") }
        let settings = TLSServerSettings(certificate: certificate, key: key)
        do {
            _ = try TLSContext(server: settings)
            config.tls = settings
        } catch {
            reader.fault(node, "\(error)")
        }
    } show: {
        $0.tls?.certificate ?? "none"
    }

    /// Shown as set or not only; `ConfigDiff` compares the key itself.
    private static let routerKey = ConfigKey(name: "nomyo-router-api-key", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) || node.scalar?.string == "" {
            config.routerKey = nil
        } else {
            config.routerKey = reader.secret(node)
        }
    } show: {
        $0.routerKey == nil ? "none" : "set"
    }

    private static let aliases = ConfigKey(name: "model_aliases", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.modelAliases = [:] }
        guard let mapping = node.mapping else {
            return reader.fault(node, "expected a mapping of an alias to a model, such as 'gpt-4o: llama3.1:8b', not \(ValueReader.kind(node))")
        }
        var aliases: [String: String] = [:]
        for (key, value) in mapping {
            guard let alias = reader.text(key, "expected an alias"), let model = reader.text(value, "expected a model's name") else { continue }
            if alias.isEmpty || model.isEmpty {
                reader.fault(key, "an alias and its model must have a name")
            } else if alias == model {
                reader.fault(key, "the alias \(ValueReader.quoted(alias)) stands for itself")
            } else {
                aliases[alias] = model
            }
        }
        config.modelAliases = aliases
    } show: {
        $0.modelAliases.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: ", ")
    }

    private static let controlSocket = ConfigKey(name: "control_socket", needsRestart: true) { reader, node, config in
        if ValueReader.isNull(node) { return config.control.socketPath = nil }
        guard let path = reader.text(node, "expected a path") else { return }
        guard !path.isEmpty, path.utf8.count <= 107 else {
            return reader.fault(node, "expected a path of 1 to 107 bytes, which is what a Unix socket can have, not \(path.utf8.count)")
        }
        config.control.socketPath = path
    } show: {
        $0.control.socketPath ?? "default"
    }

    private static let controlMode = ConfigKey(name: "control_socket_mode", needsRestart: true) { reader, node, config in
        let expectation = "expected permission bits in octal, such as 0600 or 0660"
        guard let text = reader.text(node, expectation) else { return }
        let digits = text.hasPrefix("0o") ? text.dropFirst(2) : Substring(text)
        guard let mode = UInt32(digits, radix: 8), mode <= 0o777, digits.utf8.count >= 3 else {
            return reader.fault(node, "\(expectation), not \(ValueReader.quoted(text))")
        }
        config.control.mode = mode
    } show: {
        "0" + String($0.control.mode, radix: 8)
    }

    private static let logLevel = ConfigKey(name: "log_level", needsRestart: true) { reader, node, config in
        let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        if let level = reader.choice(node, levels) { config.logLevel = level }
    } show: {
        $0.logLevel ?? "info"
    }
}
