// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

private func endpoint(_ id: Int, _ kind: EndpointKind = .ollama) -> Endpoint {
    Endpoint(
        id: EndpointID(id), name: "e\(id)", address: EndpointAddress(host: "h\(id)", port: 1, url: "http://h\(id):1"), kind: kind, limit: 2)
}

private func report(_ phase: EndpointState.Phase = .up, version: String = "", tags: String = "", ps: String = "") throws -> EndpointReport {
    EndpointReport(
        state: EndpointState(phase: phase, since: .uptimeNanoseconds(0)), version: version,
        models: try OllamaProbe.models(Array(#"{"models":[\#(tags)]}"#.utf8)), loaded: try OllamaProbe.loaded(Array(#"{"models":[\#(ps)]}"#.utf8)))
}

private func llamaReport(_ data: String) throws -> EndpointReport {
    let (available, loaded) = try LlamaServerProbe.models(Array(#"{"data":[\#(data)]}"#.utf8))
    return EndpointReport(state: EndpointState(phase: .up, since: .uptimeNanoseconds(0)), models: available, loaded: loaded)
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private let llamaEntry = #"{"id":"smol","object":"model","created":1700000000,"owned_by":"llamacpp","meta":{"size":1}}"#

@Suite struct MergedListsTests {
    @Test func tagsKeepEntriesByteForByteAndAddTheId() throws {
        let odd = #"{ "name":"a:latest","model" : "a:latest","size":1e0,"x":{"y":[]} }"#
        let withID = #"{"name":"b:1","model":"b:1","id":"own"}"#
        let lists = MergedLists([(endpoint(1), try report(tags: "\(odd),\(withID)"))])
        #expect(text(lists.tags()) == #"{"models":[{ "name":"a:latest","model" : "a:latest","size":1e0,"x":{"y":[]} ,"id":"a:latest"},\#(withID)]}"#)
    }

    @Test func tagsNameAV1ModelAsOllamaWould() throws {
        let lists = MergedLists([(endpoint(1, .llamaServer), try llamaReport(llamaEntry + #",{"id":"org/m:Q4"}"#))])
        #expect(
            text(lists.tags()) == #"{"models":["# + llamaEntry.dropLast() + #","name":"smol:latest","model":"smol:latest"},"#
                + #"{"id":"org/m:Q4","name":"org/m:Q4","model":"org/m:Q4"}]}"#)
    }

    /// Breaks when a model on two endpoints is listed twice, or when two builds under one name are taken for one.
    @Test func tagsAreOncePerDigestNameAndId() throws {
        let one = #"{"name":"a:latest","model":"a:latest","digest":"1"}"#
        let other = #"{"name":"a:latest","model":"a:latest","digest":"2"}"#
        let lists = MergedLists([
            (endpoint(1), try report(tags: one)), (endpoint(2), try report(tags: "\(one),\(other)")),
        ])
        let body = text(lists.tags())
        #expect(body.split(separator: #""digest":"1""#, omittingEmptySubsequences: false).count == 2)
        #expect(body.split(separator: #""digest":"2""#, omittingEmptySubsequences: false).count == 2)
    }

    @Test func emptyFleetsHaveEmptyLists() {
        let lists = MergedLists([])
        #expect(text(lists.tags()) == #"{"models":[]}"#)
        #expect(text(lists.ps()) == #"{"models":[]}"#)
        #expect(text(lists.openAIModels()) == #"{"object":"list","data":[]}"#)
        #expect(lists.openAIModel(id: "a") == nil)
        #expect(lists.version() == nil)
    }

    @Test func psHasTheLatestExpiryFirstAndEachModelOnce() throws {
        func entry(_ name: String, _ expiry: String) -> String { #"{"name":"\#(name)","model":"\#(name)","digest":"d","expires_at":"\#(expiry)"}"# }
        let early = entry("a:1", "2026-01-01T00:00:00Z")
        // Later in time although earlier as text.
        let late = entry("a:1", "2025-12-31T23:00:00-08:00")
        let forever = entry("b:1", "2318-01-01T00:00:00Z")
        let lists = MergedLists([
            (endpoint(1), try report(ps: early)), (endpoint(2, .llamaServer), try llamaReport(llamaEntry)),
            (endpoint(3), try report(ps: "\(late),\(forever)")),
        ])
        #expect(text(lists.ps()) == #"{"models":[\#(forever),\#(late),{"name":"smol:latest","model":"smol:latest"}]}"#)
    }

    @Test func openAIModelsInventNothing() throws {
        let tags =
            #"{"name":"a:latest","modified_at":"1970-01-01T00:01:00Z"},{"name":"hf.co/user/m:Q4","modified_at":""},{"name":"user/q\"uote:1"}"#
        let lists = MergedLists([
            (endpoint(1), try report(tags: tags)), (endpoint(2, .llamaServer), try llamaReport(llamaEntry)), (endpoint(3), try report(tags: tags)),
        ])
        #expect(
            text(lists.openAIModels())
                == #"{"object":"list","data":[{"id":"a:latest","object":"model","created":60,"owned_by":"library"},"#
                + #"{"id":"hf.co/user/m:Q4","object":"model","owned_by":"user"},{"id":"user/q\"uote:1","object":"model","owned_by":"user"},"#
                + llamaEntry + "]}")
    }

    @Test func oneOpenAIModelIsFoundUnderItsForms() throws {
        let lists = MergedLists([
            (endpoint(1), try report(tags: #"{"name":"a:latest"},{"name":"A:latest","modified_at":"1970-01-01T00:00:01Z"}"#)),
            (endpoint(2, .llamaServer), try llamaReport(llamaEntry)),
        ])
        #expect(lists.openAIModel(id: "a").map(text) == #"{"id":"a","object":"model","owned_by":"library"}"#)
        // The exact name goes before one that only means the same.
        #expect(lists.openAIModel(id: "A:latest").map(text) == #"{"id":"A:latest","object":"model","created":1,"owned_by":"library"}"#)
        #expect(lists.openAIModel(id: "smol").map(text) == llamaEntry)
        #expect(lists.openAIModel(id: "smol:latest").map(text) == llamaEntry)
        #expect(lists.openAIModel(id: "a:2") == nil)
        var aliased = try llamaReport(llamaEntry)
        aliased.models[0].aliases = ["fim"]
        #expect(MergedLists([(endpoint(1, .llamaServer), aliased)]).openAIModel(id: "fim").map(text) == llamaEntry)
    }

    @Test(arguments: [
        (["0.12.3", "0.9.10"], "0.9.10"), (["0.5.0", "0.5.0-rc2", "0.5.0-rc1"], "0.5.0-rc1"), (["1.0", "1.0.1", "1.0.0"], "1.0"),
        (["", "0.3"], "0.3"),
    ])
    func versionIsTheLowest(versions: [String], lowest: String) throws {
        let fleet = try versions.enumerated().map { (endpoint($0.offset), try report(version: $0.element)) }
        #expect(MergedLists(fleet).version().map(text) == #"{"version":"\#(lowest)"}"#)
    }

    /// Breaks when a dead endpoint's models are offered, or when a drain makes models vanish.
    @Test(arguments: EndpointState.Phase.allCases) func onlyDownAndMaintenanceAreLeftOut(phase: EndpointState.Phase) throws {
        let entry = #"{"name":"a:1","model":"a:1","id":"a:1"}"#
        let lists = MergedLists([(endpoint(1), try report(phase, version: "1", tags: entry, ps: entry))])
        let isThere = phase != .down && phase != .maintenance
        #expect(text(lists.tags()) == (isThere ? #"{"models":[\#(entry)]}"# : #"{"models":[]}"#))
        #expect(text(lists.ps()) == (isThere ? #"{"models":[\#(entry)]}"# : #"{"models":[]}"#))
        #expect((lists.version() != nil) == isThere)
        #expect((lists.openAIModel(id: "a:1") != nil) == isThere)
    }
}
