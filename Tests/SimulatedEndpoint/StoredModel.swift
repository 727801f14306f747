// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation

/// A model that the endpoint has on its disk. What its name does not say and nobody gives is derived from it, always in the same way.
struct StoredModel: Sendable {
    /// With its tag, as lists show it.
    let name: String
    let digest: String
    /// Bytes on disk.
    let size: Int
    let parameters: String
    let family: String
    let embeds: Bool
    /// In memory: size and pace.
    let shape: SimulatedModel

    /// - Parameters:
    ///   - memory: bytes in memory.
    ///   - prefillRate, decodeRate: tokens per second, alone, at speed 1.
    init(_ given: String, memory: Int? = nil, prefillRate: Double, decodeRate: Double) {
        name = Self.normalized(given)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let part = String(hash, radix: 16)
        digest = String(repeating: "0", count: 16 - part.count) + part + String(repeating: part.first ?? "a", count: 48)
        family = String(name.prefix { $0.isLetter })
        embeds = name.contains("embed") || name.contains("minilm")
        // "8b" in the tag, or a small model.
        let tag = name.split(separator: ":").last ?? ""
        let billions = tag.split(separator: "-").compactMap { $0.last == "b" ? Double($0.dropLast()) : nil }.first ?? (embeds ? 0.14 : 3.2)
        parameters = billions < 1 ? "\(Int(billions * 1000))M" : String(format: "%.1fB", billions)
        // A file that is given no size is smaller than what it takes in memory by a third, one that is by a sixth, as in the simulation.
        size = memory.map { $0 * 5 / 6 } ?? Int(billions * 630_000_000) + Int(hash % 1_000_000)
        shape = SimulatedModel(name: name, size: memory ?? size + size / 2, prefillRate: prefillRate, decodeRate: decodeRate)
    }

    var details: String {
        let family = GoJSON.quote(family)
        return #"{"parent_model":"","format":"gguf","family":\#(family),"families":[\#(family)],"parameter_size":"\#(parameters)","#
            + #""quantization_level":"Q4_K_M"}"#
    }

    var capabilities: String { embeds ? #"["embedding"]"# : #"["completion","tools"]"# }

    /// How names are compared: lower case, without the default host and namespace, with a tag.
    static func normalized(_ given: String) -> String {
        var name = given.trimmingCharacters(in: .whitespaces).lowercased()
        for prefix in ["registry.ollama.ai/", "library/"] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        let last = name.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        return last.contains(":") ? name : name + ":latest"
    }
}
