// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// Whoever was told that a model is there, or gone, finds it so with the next request.
@Suite struct ReadYourWritesTests {
    /// Does what it is told to do with models, and is asked for its lists so rarely that it must have been asked because of that.
    private static func storing(_ name: String) throws -> FakeEndpoint {
        let endpoint = try FakeEndpoint(name, available: ["m"], loaded: ["m"])
        let models = NIOLockedValueBox(["m"])
        endpoint.setScript { [weak endpoint] connection, request in
            func change(_ change: (inout [String]) -> Void) {
                let now = models.withLockedValue { models in
                    change(&models)
                    return models
                }
                endpoint?.setAvailable(now)
            }
            switch request.path {
            case "/api/copy":
                change { $0.append(request.string("destination") ?? "") }
                connection.answer("", contentType: "text/plain")
            case "/api/delete":
                change { models in models.removeAll { $0 == request.string("model") } }
                connection.answer("", contentType: "text/plain")
            case "/api/pull":
                change { $0.append(request.string("model") ?? "") }
                connection.startStream()
                connection.sendChunk(#"{"status":"pulling manifest"}"# + "\n" + #"{"status":"success"}"# + "\n")
                connection.sendLastChunk()
            default: FakeModelServer().answer(request, on: connection)
            }
        }
        return endpoint
    }

    private static func chat(_ daemon: RunningDaemon, _ model: String) throws -> Int {
        try RawClient.post(port: daemon.port, "/api/chat", #"{"model":"\#(model)","messages":[],"stream":false}"#).status
    }

    @Test func onSeveralEndpoints() throws {
        try RunningDaemon.run([Self.storing("a"), Self.storing("b")]) { daemon in
            for number in 0..<5 {
                let pulled = try RawClient.post(port: daemon.port, "/api/pull", #"{"model":"new\#(number)"}"#)
                #expect(pulled.text.hasSuffix(#"{"status":"success"}"# + "\n"))
                try #expect(Self.chat(daemon, "new\(number)") == 200)
                let copied = try RawClient.post(port: daemon.port, "/api/copy", #"{"source":"new\#(number)","destination":"copy\#(number)"}"#)
                #expect(copied.status == 200)
                try #expect(Self.chat(daemon, "copy\(number)") == 200)
                let deleted = try RawClient.exchange(
                    port: daemon.port, RawClient.request("DELETE", "/api/delete", body: #"{"model":"new\#(number)"}"#), method: "DELETE")
                #expect(deleted.status == 200)
                try #expect(!RawClient.get(port: daemon.port, "/api/tags").text.contains("new\(number)"))
                try #expect(Self.chat(daemon, "new\(number)") == 404)
            }
        }
    }

    @Test func forOperators() throws {
        try RunningDaemon.run([Self.storing("a"), Self.storing("b")]) { daemon in
            for number in 0..<3 {
                let copied = try daemon.routerctl("copy", "m", "x\(number)")
                #expect(copied.status == 0, "\(copied.errors)")
                let loaded = try daemon.routerctl("load", "x\(number)")
                #expect(loaded.status == 0, "\(loaded.errors)")
            }
        }
    }
}
