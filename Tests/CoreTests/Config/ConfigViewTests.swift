// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import Testing

@testable import Core

/// The configuration for operators. What breaks without these: a key is read by whoever may look.
@Suite struct ConfigViewTests {
    private static let yaml = """
        nomyo-router-api-key: s3cret-router
        queue_limit: 7
        cache_redis_url: redis://user:s3cret-redis@127.0.0.1:6379/0
        endpoints:
          - {url: "http://127.0.0.1:11434", name: gpu, weight: 2, api_key: s3cret-endpoint, vram: 24GiB}
        api_keys: {"http://127.0.0.1:11434": s3cret-other}
        """

    @Test func everyKeyIsShownAndNoSecret() throws {
        let config = try ConfigReader.read(
            yaml: Self.yaml.replacingOccurrences(of: "api_keys: {\"http://127.0.0.1:11434\": s3cret-other}", with: ""), file: "c.yaml",
            environment: [:])
        let settings = ConfigView.settings(config)
        #expect(!"\(settings)".contains("s3cret"))
        #expect(Set(settings.map(\.name)).isSuperset(of: ConfigKey.table.map(\.name)))
        func setting(_ name: String) -> (String, Bool, Bool)? { settings.first { $0.name == name }.map { ($0.value, $0.isDefault, $0.needsRestart) } }
        #expect(setting("queue_limit")?.0 == "7" && setting("queue_limit")?.1 == false)
        #expect(setting("max_concurrent_connections")?.1 == true)
        #expect(setting("nomyo-router-api-key")?.0 == "***")
        #expect(setting("listen")?.2 == true)
        let endpoint = setting("endpoint gpu")?.0 ?? ""
        #expect(endpoint.contains("weight: 2.0") && endpoint.contains("api_key: \"***\"") && endpoint.contains("http://127.0.0.1:11434"))
    }

    @Test func whatTheEnvironmentPutInIsTakenOut() {
        let lines = ["db_path: token_counts.db -> s3cret-value", "endpoint x: added (http://S3CRET-value:80)", "queue_limit: 1 -> 2"]
        let hidden = ConfigView.hiding(variablesOf: "db_path: ${TOKEN}", ["TOKEN": "s3cret-value", "HOME": "limit"], in: lines)
        #expect(hidden == ["db_path: token_counts.db -> ${TOKEN}", "endpoint x: added (http://${TOKEN}:80)", "queue_limit: 1 -> 2"])
        #expect(ConfigView.hiding(variablesOf: "db_path: x", ["TOKEN": "s3cret-value"], in: lines) == lines)
    }
}
