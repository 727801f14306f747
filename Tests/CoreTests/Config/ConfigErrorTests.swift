// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What a bad configuration is told: the place, the fault, and what would be right.
@Suite struct ConfigErrorTests {
    private func errors(_ yaml: String, _ environment: [String: String] = [:]) -> String {
        do {
            _ = try ConfigReader.read(yaml: yaml, file: "c.yaml", environment: environment)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    static let cases: [(yaml: String, error: String)] = [
        ("listn: x\nendpoints: []", "c.yaml:1:1: unknown key 'listn'; did you mean 'listen'?"),
        ("queue-limit: 1\nendpoints: []", "c.yaml:1:1: unknown key 'queue-limit'; did you mean 'queue_limit'?"),
        ("zzzzzzzzzzzz: x\nendpoints: []", "c.yaml:1:1: unknown key 'zzzzzzzzzzzz'"),
        ("- a", "c.yaml:1:1: expected keys such as 'endpoints:', not a list"),
        ("endpoints: [a", "c.yaml:2:1: this is not YAML: did not find expected ',' or ']'"),
        ("endpoints: []\nendpoints: []", "c.yaml:1:1: the key 'endpoints' is there twice"),
        ("queue_limit: 1", "c.yaml: no endpoints: add 'endpoints: [http://127.0.0.1:11434]', or 'endpoints: []' if there are none yet"),
        ("endpoints: http://a", "c.yaml:1:12: expected a list of endpoints, such as 'endpoints: [http://127.0.0.1:11434]', not a value"),
        ("endpoints: [[x]]", "c.yaml:1:13: expected a URL such as http://127.0.0.1:11434, or a mapping with url, not a list"),
        ("endpoints: [gpu:11434]", "c.yaml:1:13: expected a URL such as http://127.0.0.1:11434; did you mean 'http://gpu:11434'?"),
        ("endpoints: [ftp://gpu]", "c.yaml:1:13: expected a URL that begins with http:// or https://"),
        ("endpoints: [{url: http://a, tls: {ca_file: x}}]", "c.yaml:1:34: tls is for endpoints whose URL begins with https://"),
        ("endpoints: [{url: https://a, tls: {certificate: x}}]", "c.yaml:1:35: certificate and key belong together"),
        (
            "endpoints: [\"http://me:hunter2@gpu\"]",
            "c.yaml:1:13: a URL must not hold a user or a password; set api_key for the endpoint's key"
        ),
        ("endpoints: [\"http://gpu:1/?a=b\"]", "c.yaml:1:13: an endpoint's URL has no query and no fragment"),
        ("endpoints: [\"http://a b\"]", "c.yaml:1:13: a URL holds no spaces and only ASCII characters"),
        ("endpoints: [\"http://\"]", "c.yaml:1:13: the URL has no host"),
        ("endpoints: [\"http://a:99999\"]", "c.yaml:1:13: expected a port from 0 to 65535, not '99999'"),
        ("endpoints: [\"http://a:-1\"]", "c.yaml:1:13: expected a port from 0 to 65535, not '-1'"),
        ("endpoints: [\"http://a:0\"]", "c.yaml:1:13: an endpoint cannot listen on port 0"),
        ("endpoints: [\"http://::1\"]", "c.yaml:1:13: an IPv6 address stands in brackets, such as [::1]:11434"),
        ("endpoints: [http://a, \"http://A:80/\"]", "c.yaml:1:23: the endpoint http://a is listed twice (first in line 1)"),
        (
            "endpoints:\n- {url: http://a, name: x}\n- {url: http://b, name: x}",
            "c.yaml:3:3: the name 'x' is used twice (first in line 2)"
        ),
        ("endpoints: [{name: a}]", "c.yaml:1:13: an endpoint needs a url"),
        (
            "endpoints: [{url: http://a, wieght: 1}]",
            "c.yaml:1:29: unknown key 'wieght' of an endpoint; did you mean 'weight'?; known: url, name, kind, max_concurrent_connections, weight, api_key, vram, context, tls, words"
        ),
        ("endpoints: [{url: http://a, context: 8k}]", "c.yaml:1:38: expected as_asked or share, not '8k'"),
        ("context: shared", "c.yaml:1:10: expected as_asked or share, not 'shared'; did you mean 'share'?"),
        (
            "context_minimum: 8192",
            "c.yaml:1:18: expected a mapping of models to tokens of context, such as 'llama3.2: 16384', not a value"
        ),
        ("context_minimum: {m: 8k}", "c.yaml:1:22: expected a whole number from 4 to 100000000, not '8k'"),
        ("context: {m: all}", "c.yaml:1:14: expected as_asked or share, not 'all'"),
        ("endpoints: [{url: http://a, weight: heavy}]", "c.yaml:1:37: expected a number from 0 to 1000, not 'heavy'"),
        ("endpoints: [{url: http://a, kind: vllm}]", "c.yaml:1:35: expected ollama, llama-server or openai, not 'vllm'"),
        (
            "llama_server_endpoints: [{url: http://a, kind: ollama}]",
            "c.yaml:1:48: llama_server_endpoints holds llama-server only; list this endpoint under endpoints"
        ),
        (
            "endpoints: [{url: http://a, api_key: \"${NOPE}\"}]",
            "c.yaml:1:38: the environment variable NOPE is not set; set it, or write $${NOPE} for the text itself"
        ),
        ("endpoints: []\ncontrol_socket: ${X", "c.yaml:2:17: '${' without '}'; write $${ for the text itself"),
        ("endpoints: []\nqueue_limit: 1.5", "c.yaml:2:14: expected a whole number from 0 to 1000000, not '1.5'"),
        ("endpoints: []\nqueue_limit: -1", "c.yaml:2:14: expected a whole number from 0 to 1000000, not '-1'"),
        ("endpoints: []\nqueue_limit:", "c.yaml:2:13: expected a whole number from 0 to 1000000, not nothing"),
        ("endpoints: []\nthreads: 0", "c.yaml:2:10: expected a whole number from 1 to 1024, not '0'"),
        ("endpoints: []\nqueue_timeout: soon", "c.yaml:2:16: expected a duration such as 500ms, 30s, 5m or 1h, not 'soon'"),
        ("endpoints: []\nidle_timeout: 0", "c.yaml:2:15: expected a duration from 1ms to 24h, not '0'"),
        ("endpoints: []\nrequest_timeout: 2000h", "c.yaml:2:18: expected a duration from 1ms to 24h, or 0 for no limit, not '2000h'"),
        ("endpoints: []\nmax_body_bytes: 1 parsec", "c.yaml:2:17: expected a size such as 64KiB, 10MB or 24GiB, not '1 parsec'"),
        ("endpoints: []\nmax_header_bytes: 9GB", "c.yaml:2:19: expected a size from 1KiB to 1MiB, not '9GB'"),
        ("endpoints: []\nlisten: 12434", "c.yaml:2:9: expected host:port, such as 127.0.0.1:12434"),
        ("endpoints: []\nlisten: []", "c.yaml:2:9: expected at least one host:port"),
        ("endpoints: []\ncontrol_socket_mode: rw", "c.yaml:2:22: expected permission bits in octal, such as 0600 or 0660, not 'rw'"),
        (
            "endpoints: []\nlog_level: inf",
            "c.yaml:2:12: expected trace, debug, info, notice, warning, error or critical, not 'inf'; did you mean 'info'?"
        ),
        ("endpoints: []\nmodel_aliases: {a: a}", "c.yaml:2:17: the alias 'a' stands for itself"),
        ("endpoints: []\ncache_enabled: maybe", "c.yaml:2:16: expected true or false, not 'maybe'"),
        ("endpoints: []\ncache_similarity: 2", "c.yaml:2:19: expected a number from 0 to 1, not '2'"),
        (
            "endpoints: []\ncache_redis_url: \"http://u:hunter2@h\"",
            "c.yaml:2:18: expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path; this scheme is none of them (the URL is not shown, as it may hold a password)"
        ),
        (
            "endpoints: []\nnomyo-router-api-key: \"hunter 2\"",
            "c.yaml:2:23: expected a key of printable ASCII characters without spaces (it is not shown here)"
        ),
        (String(repeating: "[", count: 100), "c.yaml:1:32: nested more than 32 levels deep"),
        (String(repeating: "- ", count: 100), "c.yaml:1:65: nested more than 32 levels deep"),
        (String(repeating: "#", count: ConfigReader.maximumBytes + 1), "c.yaml: is larger than 1MiB: this cannot be a configuration"),
    ]

    @Test(arguments: cases) func eachFaultIsNamedWithItsPlace(_ row: (yaml: String, error: String)) {
        #expect(errors(row.yaml) == row.error)
    }

    /// One fault per run would make a long evening of a long file.
    @Test func allFaultsAreToldAtOnceInTheFilesOrder() {
        let text = errors("threads: 0\nendpoints: [ftp://a, http://b]\nqueue_limit: x\nunknown_thing: 1")
        #expect(text.split(separator: "\n").map { $0.prefix(10) } == ["c.yaml:1:1", "c.yaml:2:1", "c.yaml:3:1", "c.yaml:4:1"])
    }

    @Test func aVariablesFaultNamesTheVariable() {
        #expect(
            errors("endpoints: []", ["NOMYO_ROUTER_QUEUE_LIMIT": "x"])
                == "$NOMYO_ROUTER_QUEUE_LIMIT: expected a whole number from 0 to 1000000, not 'x'")
        #expect(errors("endpoints: []", ["ROUTERD_PORT": "x"]) == "$ROUTERD_PORT: expected a port from 0 to 65535, not 'x'")
    }

    @Test func aSecretIsInNoMessage() {
        let everywhere = """
            endpoints: [{url: "http://u:hunter2@a", api_key: "hunter2 "}, {url: "u:hunter2@b"}]
            nomyo-router-api-key: [hunter2]
            api_keys: {"http://u:hunter2@c": "hunter2 "}
            """
        let text = errors(everywhere)
        #expect(text.contains("c.yaml:1:"))
        #expect(!text.contains("hunter2"))
    }

    /// Each level of aliases doubles the tree; as keys they would be hashed whole.
    @Test func aliasesThatMultiplyAreRefused() {
        var text = "a0: &a0 [x, x]\n"
        for level in 1..<40 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(errors(text + "? *a39\n: 1\n") == "c.yaml: has more than 24 aliases ('*name'): write the values out")
    }

    @Test func aMissingFileIsNamed() {
        #expect(throws: ConfigErrors([ConfigError(.file("/nonexistent/c.yaml", line: 0, column: 0), "cannot be read: No such file or directory")])) {
            try ConfigReader.load(path: "/nonexistent/c.yaml", environment: [:])
        }
    }
}
