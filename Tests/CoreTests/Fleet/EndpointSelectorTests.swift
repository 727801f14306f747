// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

@Suite struct EndpointSelectorTests {
    private let fleet = [("gpu1", "http://10.0.0.1:11434"), ("gpu10", "http://10.0.0.2:11434"), ("Cellar", "http://cellar.lan:8080/base")]
        .enumerated()
        .map {
            Endpoint(
                id: EndpointID($0.offset), name: $0.element.0, address: EndpointAddress(host: "h", port: 1, url: $0.element.1), kind: .ollama,
                limit: 2)
        }

    @Test(arguments: [
        ("gpu1", "gpu1"), ("gpu10", "gpu10"), ("http://10.0.0.2:11434", "gpu10"), ("http://10.0.0.2:11434/", "gpu10"), ("0.0.1", "gpu1"),
        ("cell", "Cellar"), ("LAN:8080", "Cellar"), ("u10", "gpu10"),
    ])
    func exactBeforeUnambiguous(selector: String, name: String) {
        guard case .found(let endpoint) = fleet.matching(selector) else {
            Issue.record("\(fleet.matching(selector))")
            return
        }
        #expect(endpoint.name == name)
    }

    @Test func otherwiseTheNamesAreTold() {
        #expect(fleet.matching("gpu") == .ambiguous(["gpu1", "gpu10"]))
        #expect(fleet.matching("http") == .ambiguous(["gpu1", "gpu10", "Cellar"]))
        #expect(fleet.matching("nope") == .notFound(known: ["gpu1", "gpu10", "Cellar"]))
        #expect(fleet.matching("") == .notFound(known: ["gpu1", "gpu10", "Cellar"]))
    }
}
