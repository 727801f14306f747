// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Transparency: an exchange through the router is the exchange with the endpoint, byte for byte, the hops' own fields
/// aside; and the endpoint saw the same request.
@Suite struct DifferentialTests {
    struct Group: Sendable, CustomStringConvertible {
        var description: String
        var exchanges: [Exchange]
    }

    static let groups = [
        Group(description: "routes of Ollama", exchanges: ExchangeTable.routes(.ollama)),
        Group(description: "routes of llama-server", exchanges: ExchangeTable.routes(.llamaServer)),
        Group(description: "routes of OpenAI-compatible services", exchanges: ExchangeTable.routes(.openAI)),
        Group(description: "requests", exchanges: ExchangeTable.requests),
        Group(description: "answers", exchanges: ExchangeTable.answers),
    ]

    /// The comparison is worth what the table holds.
    @Test func theTableIsLarge() {
        let exchanges = Self.groups.flatMap(\.exchanges)
        #expect(exchanges.count >= 60)
        #expect(Set(exchanges.map(\.name)).count == exchanges.count, "names must tell exchanges apart")
    }

    @Test(arguments: groups) func theRouterChangesNothing(_ group: Group) throws {
        let exchanges = group.exchanges
        let kind = exchanges.first?.kind ?? .ollama
        let server = FakeModelServer()
        let endpoint = try FakeEndpoint(kind: kind, available: [ExchangeTable.model], loaded: [ExchangeTable.model]) { connection, request in
            guard let number = request.head["x-exchange"].flatMap({ Int($0) }), exchanges.indices.contains(number) else { return connection.close() }
            guard let pieces = exchanges[number].answer else { return server.answer(request, on: connection) }
            for piece in pieces { connection.send(piece) }
            if exchanges[number].closes { connection.close() }
        }
        defer { endpoint.die() }
        // The fields that the router adds to answers can be turned off, and are here. The refusals of the table ask their clients to come back in
        // seven seconds, which is longer than anybody may wait here: nothing is gained by not passing them on.
        try RunningDaemon.run([endpoint], "response_headers: false\nqueue_timeout: 5s\n") { daemon in
            for (number, exchange) in exchanges.enumerated() {
                let request = exchange.request(number: number)
                endpoint.forgetRequests()
                // What an exchange before said of the endpoint must not keep the next one from it.
                _ = try daemon.control().resume("fake")
                let direct = EndToEnd(try RawClient.exchange(port: endpoint.port, request, method: exchange.method, within: 60))
                let routed: EndToEnd
                do {
                    routed = EndToEnd(try RawClient.exchange(port: daemon.port, request, method: exchange.method, within: 60))
                } catch {
                    throw TestFailure("\(exchange.name), routed: \(error)")
                }
                let seen = endpoint.requests.map(EndToEnd.init)
                try #require(seen.count == 2, "\(exchange.name): the endpoint saw \(seen.count) requests; \(routed)")
                #expect(!direct.isCut && !routed.isCut, "\(exchange.name)")
                #expect(routed.matches(direct), "\(exchange.name)\nrouted: \(routed)\ndirect: \(direct)")
                var sent = seen[1].withoutQuestionForUsage()
                var asked = seen[0]
                if exchange.answerIsRead {
                    #expect(sent.fields.filter(\.isWishForEncoding).allSatisfy { $0.value == "identity" }, "\(exchange.name)")
                    sent.fields.removeAll(where: \.isWishForEncoding)
                    asked.fields.removeAll(where: \.isWishForEncoding)
                }
                #expect(sent.matches(asked, droppedByConnection: ["x-hop"]), "\(exchange.name)\nrouted: \(seen[1])\ndirect: \(seen[0])")
            }
            return
        }
    }
}

extension MessageHead.Field {
    fileprivate var isWishForEncoding: Bool { name.lowercased() == "accept-encoding" }
}

extension EndToEnd {
    /// The one thing that the router adds to a request: that an OpenAI stream shall tell its token counts.
    func withoutQuestionForUsage() -> EndToEnd {
        let question = Array(#""stream_options":{"include_usage":true},"#.utf8)
        guard body.count > question.count, body.dropFirst().starts(with: question) else { return self }
        var result = self
        result.body.removeSubrange(1..<1 + question.count)
        if result.contentLength != nil { result.contentLength = "\(result.body.count)" }
        return result
    }

    /// - Parameter droppedByConnection: fields that the sender's `Connection` named as this hop's own.
    func matches(_ direct: EndToEnd, droppedByConnection: Set<String> = ["x-hop"]) -> Bool {
        var direct = direct
        direct.fields.removeAll { droppedByConnection.contains($0.name.lowercased()) }
        // The router speaks HTTP/1.1 to its client, whatever the endpoint speaks, and a reason's space is not optional.
        direct.firstLine = direct.firstLine.replacingOccurrences(of: "HTTP/1.0", with: "HTTP/1.1")
        if direct.firstLine.split(separator: " ").count == 2 { direct.firstLine += " " }
        return self == direct
    }
}
