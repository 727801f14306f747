// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Names of models, and which of them mean the same.
///
/// Ollama's names are `[host/][namespace/]model[:tag]` with the defaults `registry.ollama.ai`, `library` and `latest`, and are
/// compared without regard to case. They match as a whole or not at all: another tag is another model.
///
/// llama-server's ids are free text, often a repository with a quantisation (`unsloth/gpt-oss-20b-GGUF:F16`) or a path. They match
/// their short forms too; the fewer parts are left out, the better the match.
public enum ModelName {
    /// How well an asked name fits a llama-server's id. Only the best that the fleet has to offer counts.
    public enum Fit: Int, Comparable, Sendable {
        case exact, withoutOwner, withoutTag, shortest

        public static func < (left: Fit, right: Fit) -> Bool { left.rawValue < right.rawValue }
    }

    /// The whole name with its defaults, in lower case: equal for names that mean the same to Ollama.
    public static func ollamaKey(_ name: String) -> String {
        var rest = Substring(trimmed(name).lowercased())
        var host = Substring("registry.ollama.ai")
        var namespace = Substring("library")
        // `https://` is what people paste from a browser; Ollama takes it off too.
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        let tag: Substring
        let lastSlash = rest.lastIndex(of: "/")
        if let colon = rest.lastIndex(of: ":"), lastSlash.map({ $0 < colon }) ?? true {
            let given = rest[rest.index(after: colon)...]
            tag = given.isEmpty ? "latest" : given
            rest = rest[..<colon]
        } else {
            tag = "latest"
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: break
        case 2: namespace = parts[0]
        default:
            host = parts[0]
            namespace = Substring(parts[1..<(parts.count - 1)].joined(separator: "/"))
        }
        return "\(host)/\(namespace)/\(parts.last ?? ""):\(tag)"
    }

    /// As `ollamaKey`, without the parts that nearly every name has: short enough to be shown.
    public static func shortKey(_ name: String) -> String {
        let key = ollamaKey(name)
        for prefix in ["registry.ollama.ai/library/", "registry.ollama.ai/"] where key.hasPrefix(prefix) {
            return String(key.dropFirst(prefix.count))
        }
        return key
    }

    /// All names by which a llama-server's model may be asked for, in lower case, best first, none twice.
    public static func serverForms(_ id: String) -> [(form: String, fit: Fit)] {
        let full = trimmed(id).lowercased()
        let (path, tag) = splitTag(full)
        let base = path.split(separator: "/").last.map(String.init) ?? path
        var forms: [(String, Fit)] = [(full, .exact)]
        if let tag { forms.append(("\(base):\(tag)", .withoutOwner)) } else { forms.append((base, .withoutOwner)) }
        if tag != nil { forms.append((path, .withoutTag)) }
        forms.append((base, .shortest))
        if base.hasSuffix(".gguf") { forms.append((String(base.dropLast(5)), .shortest)) }
        var seen: Set<String> = []
        return forms.filter { !$0.0.isEmpty && seen.insert($0.0).inserted }.map { (form: $0.0, fit: $0.1) }
    }

    /// The part after the last slash and before the quantisation: under this name llama-server's tokens are counted.
    public static func shortName(_ id: String) -> String {
        let (path, _) = splitTag(trimmed(id))
        return path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The name under which an endpoint's tokens are counted.
    public static func counted(_ name: String, _ kind: EndpointKind) -> String {
        switch kind {
        case .ollama: splitTag(name).tag == nil ? name + ":latest" : name
        case .llamaServer: shortName(name)
        case .openAI: name.hasSuffix(":latest") ? String(name.dropLast(":latest".count)) : name
        }
    }

    /// The quantisation in a repository's name (`...:F16`); empty if there is none.
    public static func quantization(_ id: String) -> String { splitTag(trimmed(id)).tag ?? "" }

    /// As `serverForms`, for services whose names match as a whole or not at all. One of them may be an Ollama, which adds `:latest` to what
    /// has no tag.
    public static func wholeForms(_ id: String) -> [(form: String, fit: Fit)] {
        let full = trimmed(id).lowercased()
        guard full.hasSuffix(":latest"), full != ":latest" else { return [(form: full, fit: .exact)] }
        return [(form: full, fit: .exact), (form: String(full.dropLast(":latest".count)), fit: .exact)]
    }

    /// What an asked name is looked up as among `serverForms`: itself, and without what only Ollama's users write.
    public static func askedForms(_ name: String) -> [String] {
        let full = trimmed(name).lowercased()
        var forms = [full]
        for prefix in ["hf.co/", "huggingface.co/"] where full.hasPrefix(prefix) { forms.append(String(full.dropFirst(prefix.count))) }
        for form in forms where form.hasSuffix(":latest") { forms.append(String(form.dropLast(":latest".count))) }
        return forms
    }

    private static func splitTag(_ name: String) -> (path: String, tag: String?) {
        guard let colon = name.lastIndex(of: ":"), name.lastIndex(of: "/").map({ $0 < colon }) ?? true else { return (name, nil) }
        let tag = name[name.index(after: colon)...]
        return (String(name[..<colon]), tag.isEmpty ? nil : String(tag))
    }

    private static func trimmed(_ name: String) -> String {
        guard let first = name.firstIndex(where: { !$0.isWhitespace }), let last = name.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(name[first...last])
    }
}
