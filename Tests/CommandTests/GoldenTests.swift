// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import routerctl

/// The JSON and the text of each command, compared with files: a change of what scripts read shows here.
///
/// `ROUTERD_UPDATE_GOLDEN=1` writes the files anew; look at the difference before committing it.
@Suite struct GoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

    private func check(_ text: String, _ name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1" {
            try Data((text + "\n").utf8).write(to: file)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text + "\n" == expected, "differs from \(name)")
    }

    private func render(_ value: some Encodable, _ name: String, text: (Page) -> Void) throws {
        let style = Style(colour: false, ascii: false)
        try check(try Output(json: true, width: nil, style: style).render(value, text: text).joined(separator: "\n"), "\(name).json")
        try check(try Output(json: false, width: nil, style: style).render(value, text: text).joined(separator: "\n"), "\(name).tsv")
        try check(try Output(json: false, width: 100, style: style).render(value, text: text).joined(separator: "\n"), "\(name).txt")
    }

    @Test func status() throws {
        try render(Sample.status, "status") { StatusCommand.print(Sample.status, on: $0) }
    }

    @Test func endpoints() throws {
        try render(EndpointList(endpoints: Sample.endpoints), "endpoints") { $0.table(EndpointsCommand.table(Sample.endpoints)) }
    }

    @Test func oneEndpoint() throws {
        try render(EndpointList(endpoints: [Sample.endpoints[0]]), "endpoint") { EndpointsCommand.print(Sample.endpoints[0], on: $0) }
    }

    @Test func models() throws {
        try render(ModelList(models: Sample.models), "models") { $0.table(ModelsCommand.table(Sample.models)) }
    }

    @Test func placesOfModels() throws {
        try render(ModelList(models: Sample.models), "places") { $0.table(ModelsCommand.places(Sample.models)) }
    }

    @Test func requests() throws {
        try render(RequestList(requests: Sample.requests), "requests") { $0.table(RequestsCommand.table(Sample.requests)) }
    }

    @Test func drain() throws {
        let endpoint = Sample.endpoints[1]
        try render(EndpointList(endpoints: [endpoint]), "drain") { EndpointChange.print(endpoint, on: $0) }
    }

    @Test func reload() throws {
        let info = ReloadInfo(applied: true, changes: ["endpoint gpu-3 added"], needsRestart: ["threads: 1 to 2"])
        try render(info, "reload") { ReloadCommand.print(info, dryRun: false, on: $0) }
    }

    @Test func version() throws {
        var info = VersionInfo()
        info.routerd = .init(version: "0.1.0", controlProtocol: 2, pid: 4711)
        try render(info, "version") { VersionCommand.print(info, on: $0) }
    }
}
