// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Protocol

/// The configuration for operators: every key with its value, and never a secret. Pure.
enum ConfigView {
    private static let hidden = "***"

    static func settings(_ config: Config) -> [ConfigInfo.Setting] {
        let usual = Config()
        var settings = ConfigKey.table.map { key in
            let value = key.show(config)
            // It tells only whether there is one.
            let isSecret = key.name == "nomyo-router-api-key" && config.routerKey != nil
            return ConfigInfo.Setting(
                name: key.name, value: isSecret ? hidden : value, isDefault: value == key.show(usual), needsRestart: key.needsRestart)
        }
        for endpoint in config.endpoints {
            settings.append(ConfigInfo.Setting(name: "endpoint \(endpoint.name)", value: text(endpoint), isDefault: false, needsRestart: false))
        }
        return settings
    }

    /// Without a fraction where there is none.
    static func number(_ value: Double) -> String { value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)" }

    /// As an entry of `endpoints` would say it.
    private static func text(_ endpoint: Config.EndpointConfig) -> String {
        var members = ["url: \(JSONText.quoted(endpoint.address.url))", "name: \(JSONText.quoted(endpoint.name))"]
        if !endpoint.kindIsOpen { members.append("kind: \(endpoint.kind.rawValue)") }
        members.append("max_concurrent_connections: \(endpoint.limit)")
        members.append("weight: \(endpoint.weight)")
        if endpoint.key != nil { members.append("api_key: \(JSONText.quoted(hidden))") }
        if let memory = endpoint.vramBytes { members.append("vram: \(SizeText.format(memory))") }
        if let context = endpoint.context { members.append("context: \(context.rawValue)") }
        if let words = endpoint.words { members.append("words: {\(words.yaml)}") }
        if endpoint.tls != TLSClientSettings() { members.append("tls: {\(endpoint.tls.caFile.map { "ca_file: \(JSONText.quoted($0))" } ?? "")}") }
        return "{\(members.joined(separator: ", "))}"
    }

    /// Takes out of `lines` what the text had put there from the environment: a variable may hold a secret, and a key that is shown
    /// may have been given it.
    static func hiding(variablesOf text: String, _ environment: [String: String], in lines: [String]) -> [String] {
        let used = environment.filter { name, value in !value.isEmpty && text.contains("${\(name)}") }
        if used.isEmpty { return lines }
        // The longer first: one value may be part of another.
        let order = used.sorted { $0.value.count > $1.value.count }
        return lines.map { line in
            order.reduce(line) { Self.replacing($1.value, by: "${\($1.key)}", in: $0) }
        }
    }

    /// Whatever the case: hosts are shown in lower case.
    private static func replacing(_ secret: String, by name: String, in line: String) -> String {
        let wanted = Array(secret.lowercased())
        let characters = Array(line)
        let folded = characters.map { Character($0.lowercased()) }
        guard wanted.count <= characters.count else { return line }
        var result = ""
        var index = 0
        while index < characters.count {
            if index + wanted.count <= characters.count, folded[index..<(index + wanted.count)].elementsEqual(wanted) {
                result += name
                index += wanted.count
            } else {
                result.append(characters[index])
                index += 1
            }
        }
        return result
    }
}
