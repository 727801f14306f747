// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// Which names mean the same model, and, as important, which do not.
@Suite struct ModelNameTests {
    struct Row: Sendable, CustomStringConvertible {
        var asked: String
        var known: String
        var same: Bool
        init(_ asked: String, _ known: String, _ same: Bool) { (self.asked, self.known, self.same) = (asked, known, same) }
        var description: String { "'\(asked)' \(same ? "is" : "is not") '\(known)'" }
    }

    static let ollama: [Row] = [
        Row("llama3", "llama3:latest", true), Row("llama3:latest", "llama3:latest", true), Row("llama3:", "llama3:latest", true),
        Row("LLAMA3", "llama3:latest", true), Row("Llama3:Latest", "llama3:latest", true), Row(" llama3 ", "llama3:latest", true),
        Row("\tllama3\n", "llama3:latest", true), Row("library/llama3", "llama3:latest", true),
        Row("registry.ollama.ai/library/llama3", "llama3:latest", true),
        Row("https://registry.ollama.ai/library/llama3:latest", "llama3:latest", true),
        Row("http://registry.ollama.ai/library/llama3", "llama3:latest", true), Row("Registry.Ollama.AI/Library/LLAMA3", "llama3:latest", true),
        Row("llama3:8b", "llama3:8b", true), Row("llama3:8B", "llama3:8b", true), Row("llama3:8b-instruct-q4_K_M", "llama3:8b-instruct-q4_k_m", true),
        Row("someone/llama3", "someone/llama3:latest", true),
        Row("hf.co/bartowski/Llama-3.2-1B-GGUF", "hf.co/bartowski/Llama-3.2-1B-GGUF:latest", true),
        Row("HF.co/Bartowski/llama-3.2-1b-gguf:q4_k_m", "hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M", true),
        Row("localhost:5000/team/m", "localhost:5000/team/m:latest", true), Row("localhost:5000/team/m:1", "localhost:5000/team/m:1", true),
        Row("a-b_c.d", "A-B_C.D:latest", true), Row("qwen2.5-coder:7b", "qwen2.5-coder:7b", true),
        // Another tag, another owner, another host: another model.
        Row("llama3", "llama3:8b", false), Row("llama3:8b", "llama3:latest", false), Row("llama3:8b", "llama3:70b", false),
        Row("llama3", "llama3.1:latest", false), Row("llama", "llama3:latest", false), Row("llama33", "llama3:latest", false),
        Row("someone/llama3", "llama3:latest", false), Row("llama3", "someone/llama3:latest", false),
        Row("hf.co/library/llama3", "llama3:latest", false), Row("huggingface.co/a/b", "hf.co/a/b:latest", false),
        Row("localhost:5000/library/llama3", "llama3:latest", false), Row("library/other/llama3", "llama3:latest", false),
        Row("llama3 8b", "llama3:8b", false), Row("llama3/8b", "llama3:8b", false), Row("ollama3", "llama3:latest", false),
        Row("", "llama3:latest", false), Row(":latest", "llama3:latest", false), Row("/", "llama3:latest", false),
    ]

    @Test(arguments: ollama) func ollamasNamesMatchWholeOrNotAtAll(_ row: Row) {
        #expect((ModelName.ollamaKey(row.asked) == ModelName.ollamaKey(row.known)) == row.same)
    }

    struct ServerRow: Sendable, CustomStringConvertible {
        var asked: String
        var id: String
        var fit: ModelName.Fit?
        init(_ asked: String, _ id: String, _ fit: ModelName.Fit?) { (self.asked, self.id, self.fit) = (asked, id, fit) }
        var description: String { "'\(asked)' for '\(id)': \(fit.map { "\($0)" } ?? "no")" }
    }

    private static let oss = "unsloth/gpt-oss-20b-GGUF:F16"

    static let server: [ServerRow] = [
        ServerRow(oss, oss, .exact), ServerRow("UNSLOTH/gpt-OSS-20b-gguf:f16", oss, .exact), ServerRow("gpt-oss-20b-GGUF:F16", oss, .withoutOwner),
        ServerRow("unsloth/gpt-oss-20b-GGUF", oss, .withoutTag), ServerRow("gpt-oss-20b-GGUF", oss, .shortest),
        ServerRow("gpt-oss-20b-gguf:latest", oss, .shortest),
        ServerRow("hf.co/unsloth/gpt-oss-20b-GGUF:F16", oss, .exact), ServerRow("huggingface.co/unsloth/gpt-oss-20b-GGUF", oss, .withoutTag),
        ServerRow("hf.co/unsloth/gpt-oss-20b-GGUF:latest", oss, .withoutTag), ServerRow(" gpt-oss-20b-GGUF ", oss, .shortest),
        ServerRow("gpt-oss-20b-GGUF:Q4", oss, nil), ServerRow("other/gpt-oss-20b-GGUF:F16", oss, nil), ServerRow("gpt-oss-20b", oss, nil),
        ServerRow("gpt-oss", oss, nil), ServerRow("", oss, nil), ServerRow("F16", oss, nil),
        ServerRow("model.gguf", "/srv/models/model.gguf", .withoutOwner), ServerRow("model", "/srv/models/model.gguf", .shortest),
        ServerRow("/srv/models/model.gguf", "/srv/models/model.gguf", .exact), ServerRow("models/model", "/srv/models/model.gguf", nil),
        ServerRow("smollm2", "smollm2", .exact), ServerRow("smollm2:latest", "smollm2", .exact), ServerRow("SmolLM2", "smollm2", .exact),
        ServerRow("smollm2:q4", "smollm2", nil), ServerRow("smollm", "smollm2", nil),
    ]

    @Test(arguments: server) func aServersIdMatchesItsShortForms(_ row: ServerRow) {
        let forms = ModelName.askedForms(row.asked)
        #expect(ModelName.serverForms(row.id).first { forms.contains($0.form) }?.fit == row.fit)
    }

    /// Names come from clients: none may break anything, whatever its bytes.
    @Test(arguments: [
        "", ":", "::", "/", "//", "a//b", "a/:b", "http://", "🦙/ü:É", String(repeating: "x/", count: 5000), String(repeating: ":", count: 5000),
        "\u{0}",
    ])
    func anyTextHasAKey(_ name: String) {
        #expect(ModelName.ollamaKey(name) == ModelName.ollamaKey(ModelName.ollamaKey(name)), "a key means itself")
        #expect(!ModelName.askedForms(name).isEmpty)
        _ = ModelName.serverForms(name)
    }
}
