// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import Testing

@testable import Core

/// The parameters of `subscribe`. What breaks without these: an interval of a millisecond that keeps a core busy, or a mistyped topic
/// that silently brings nothing.
@Suite struct SubscriptionRequestTests {
    private static func read(_ params: String?, isSubscribed: Bool = false) throws -> (kind: Subscriptions.Kind, deltas: Bool) {
        let line = #"{"jsonrpc":"2.0","id":1,"method":"subscribe"\#(params.map { #","params":\#($0)"# } ?? "")}"#
        return try SubscriptionRequest.read(Data(line.utf8), isSubscribed: isSubscribed)
    }

    @Test(arguments: [nil, "{}", #"{"interval_ms":null}"#])
    func withoutParametersItIsEverythingTwiceASecond(params: String?) throws {
        let (kind, deltas) = try Self.read(params)
        #expect(kind == Subscriptions.Kind(intervalMs: 500, topics: Set(SnapshotTopic.allCases)) && !deltas)
    }

    @Test func whatIsGivenIsTaken() throws {
        let (kind, deltas) = try Self.read(#"{"interval_ms":2000,"topics":["queue","events"],"deltas":true}"#)
        #expect(kind == Subscriptions.Kind(intervalMs: 2000, topics: [.queue, .events]) && deltas)
        // No topic is a choice too: the status alone.
        let status = try Self.read(#"{"topics":[]}"#)
        #expect(status.kind.topics.isEmpty)
        // The order of topics, and one that is there twice, make no other kind: such subscribers share.
        let (first, _) = try Self.read(#"{"topics":["models","queue"]}"#)
        let (second, _) = try Self.read(#"{"topics":["queue","models","queue"]}"#)
        #expect(first == second)
    }

    @Test(arguments: [100, 101, 60_000])
    func intervalsWithinTheLimitsAreTaken(interval: Int) throws {
        let (kind, _) = try Self.read(#"{"interval_ms":\#(interval)}"#)
        #expect(kind.intervalMs == interval)
    }

    @Test(arguments: [
        (#"{"interval_ms":99}"#, "interval_ms must be from 100 to 60000, not 99"),
        (#"{"interval_ms":60001}"#, "interval_ms must be from 100 to 60000, not 60001"),
        (#"{"interval_ms":0}"#, "not 0"), (#"{"interval_ms":-500}"#, "not -500"),
        (#"{"interval_ms":"500"}"#, "'interval_ms' has the wrong type"), (#"{"topics":"queue"}"#, "'topics' has the wrong type"),
        (#"{"topics":["nonsense"]}"#, "'topics' has a value that it cannot have"), (#"{"deltas":1}"#, "'deltas' has the wrong type"),
        (#"{"interval":500}"#, "no parameter 'interval'; there is: interval_ms, topics, deltas"),
    ])
    func whatCannotBeIsRefusedWithTheReason(params: String, reason: String) throws {
        let error = #expect(throws: RPCError.self) { _ = try Self.read(params) }
        #expect(error?.code == .invalidParams)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func oneSubscriptionForEachConnection() throws {
        let error = #expect(throws: RPCError.self) { _ = try Self.read("{}", isSubscribed: true) }
        #expect(error?.code == .refused)
        // A call that is wrong anyway says what is wrong with it.
        let wrong = #expect(throws: RPCError.self) { _ = try Self.read(#"{"deltas":7}"#, isSubscribed: true) }
        #expect(wrong?.code == .invalidParams)
    }
}
