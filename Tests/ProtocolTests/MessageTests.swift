// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// The spelling of each message. It is public: other programs read it.
@Suite struct MessageTests {
    private func json(_ value: some Encodable) throws -> String { String(decoding: try Wire.encode(value), as: UTF8.self) }

    private func roundTrip<T: Codable & Equatable>(_ value: T) throws {
        let back = try Wire.decode(T.self, from: try Wire.encode(value))
        #expect(back == value)
    }

    @Test func calls() throws {
        #expect(
            try json(RPCRequest(id: .number(1), method: "drain", params: EndpointParams(endpoint: "gpu-1")))
                == #"{"id":1,"jsonrpc":"2.0","method":"drain","params":{"endpoint":"gpu-1"}}"#)
        #expect(
            try json(RPCRequest(id: .text("x"), method: "hello", params: NoParams()))
                == #"{"id":"x","jsonrpc":"2.0","method":"hello","params":{}}"#)
        #expect(try json(ReloadParams(dryRun: true)) == #"{"dry_run":true}"#)
        #expect(try json(SubscribeParams(intervalMs: 500)) == #"{"interval_ms":500}"#)
        #expect(try json(EndpointFilterParams()) == "{}")
        #expect(try json(ModelFilterParams(model: "llama")) == #"{"model":"llama"}"#)
    }

    @Test func repliesAndErrors() throws {
        #expect(
            try json(RPCReply(id: .number(7), result: ReloadInfo(applied: true, changes: ["a"], needsRestart: [])))
                == #"{"id":7,"jsonrpc":"2.0","result":{"applied":true,"changes":["a"],"needs_restart":[],"schema":1}}"#)
        #expect(
            try json(RPCErrorReply(id: .null, error: RPCError(.parseError, "not JSON")))
                == #"{"error":{"code":-32700,"message":"not JSON"},"id":null,"jsonrpc":"2.0"}"#)
    }

    @Test func hello() throws {
        let hello = HelloInfo(name: "routerd", version: "0.1.0", controlProtocol: 2, pid: 42, access: ["read"], methods: ["hello"])
        #expect(
            try json(hello)
                == #"{"access":["read"],"control_protocol":2,"methods":["hello"],"name":"routerd","pid":42,"schema":1,"version":"0.1.0"}"#)
        try roundTrip(hello)
    }

    @Test func anEndpoint() throws {
        #expect(
            try json(Sample.endpoints[2])
                == #"{"aborts_total":0,"available":[],"client_errors_total":0,"failures_total":7,"has_key":false,"in_flight":0,"in_flight_by_model":{},"kind":"llama-server","limit":2,"loaded":[],"loaded_models":[],"name":"cpu-box","reason":"connection refused","requests_per_second":0,"requests_total":0,"retries_total":0,"set_aside":[],"since":"2026-11-24T02:00:00Z","slots":2,"state":"down","tokens_per_second":0,"tokens_total":0,"url":"http://10.0.0.9:8080","version":"","waiting":0,"weight":1}"#
        )
    }

    @Test func aRequest() throws {
        #expect(
            try json(Sample.requests[0])
                == #"{"age_ms":12400,"bytes_sent":61000,"cache":"","client":"10.1.2.3:50112","endpoint":"gpu-1","id":"r-101","key":"","method":"POST","model":"llama3.2:3b","phase":"streaming","phase_ms":11000,"route":"/api/chat","tokens":420,"why":""}"#
        )
    }

    @Test func aModelLeavesOutWhatIsNotKnown() throws {
        #expect(
            try json(Sample.models[1])
                == #"{"aliases":[],"name":"nomic-embed-text:latest","places":[{"endpoint":"gpu-1","in_flight":0,"limit":4,"name":"nomic-embed-text:latest","state":"available"}],"requests_total":0,"size_bytes":274302450,"tokens_total":0,"waiting":0}"#
        )
    }

    @Test func statusHasTheDocumentedKeys() throws {
        let object = try JSONSerialization.jsonObject(with: Wire.encode(Sample.status)) as? [String: Any]
        #expect(
            object?.keys.sorted() == [
                "cache", "config_path", "connections", "endpoints", "listen", "pid", "queue", "requests", "schema", "state", "storage", "uptime_s",
                "version",
            ])
        #expect((object?["queue"] as? [String: Any])?.keys.sorted() == ["limit", "oldest_ms", "timeout_s", "waiting"])
        #expect(
            (object?["requests"] as? [String: Any])?.keys.sorted() == [
                "aborted", "completed", "failed", "in_flight", "per_second", "rejected", "total", "waiting",
            ])
    }

    @Test func everythingThatIsSentIsReadBackTheSame() throws {
        try roundTrip(Sample.status)
        try roundTrip(EndpointList(endpoints: Sample.endpoints))
        try roundTrip(ModelList(models: Sample.models))
        try roundTrip(RequestList(requests: Sample.requests))
        try roundTrip(SnapshotInfo(sequence: 3, atMs: 1234, status: Sample.status, requests: Sample.requests))
        try roundTrip(SubscribeInfo(intervalMs: 500))
    }

    @Test func aModelsNameWithAnUnderscoreStaysAKeyAsItIs() throws {
        var endpoint = Sample.endpoints[0]
        endpoint.inFlightByModel = ["my_own_model:q4_k": 2, "Upper_Case": 1]
        try roundTrip(endpoint)
    }

    @Test func unknownFieldsOfANewerDaemonArePassedOver() throws {
        let info = try Wire.decode(SubscribeInfo.self, from: Data(#"{"interval_ms":500,"new_field":{"a":[1]}}"#.utf8))
        #expect(info.intervalMs == 500)
    }

    @Test(arguments: [("1", RPCID.number(1)), ("\"a\"", .text("a")), ("null", .null)])
    func anIdIsANumberATextOrNull(text: String, id: RPCID) throws {
        let read = try Wire.decode(RPCID.self, from: Data(text.utf8))
        #expect(read == id)
    }
}
