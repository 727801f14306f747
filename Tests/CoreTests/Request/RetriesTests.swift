// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: a request that kills its server goes through the whole fleet, or a client is told what helps it least.
@Suite struct RetriesTests {
    private static func endpoint(_ number: Int) -> Endpoint {
        Endpoint(
            id: EndpointID(number), name: "e\(number)", address: EndpointAddress(host: "h", port: number, url: "http://h:\(number)"), kind: .ollama,
            limit: 1)
    }

    private static func told(_ number: Int) -> Retries.Told { .error(.connectionLost(endpoint: "e\(number)", reason: "reset")) }

    private static func name(_ told: Retries.Told?) -> String? {
        guard case .error(.connectionLost(let name, _))? = told else { return nil }
        return name
    }

    @Test func aRequestThatBreaksEndpointsIsTriedAtTwoOthers() {
        var retries = Retries()
        var tried = 1
        while retries.allows(.broken, Retries.Policy(), isRepeatable: true) {
            retries.note(.broken, at: Self.endpoint(tried), "500", Self.told(tried))
            tried += 1
        }
        #expect(tried == 3)
        #expect(retries.excluded == [EndpointID(1), EndpointID(2)])
    }

    @Test func whoCouldDoNothingWithTheRequestDoesNotCount() {
        var retries = Retries()
        for number in 1...8 {
            retries.note(.unreachable, at: Self.endpoint(number), "refused", Self.told(number))
            retries.note(.notHere, at: Self.endpoint(number + 10), "404", Self.told(number))
            retries.note(.busy, at: Self.endpoint(100), "503 busy", Self.told(100))
        }
        let allows = retries.allows(.broken, Retries.Policy(), isRepeatable: true)
        #expect(allows)
        #expect(!retries.excluded.contains(EndpointID(100)), "a busy endpoint may be asked again")
    }

    @Test func whatIsNotRepeatableIsTriedElsewhereOnlyIfNothingWasDoneWithIt() {
        let retries = Retries()
        let causes: [Retries.Cause] = [.unreachable, .busy, .notHere, .broken, .overdue]
        let allowed = causes.map { retries.allows($0, Retries.Policy(), isRepeatable: false) }
        #expect(allowed == [true, true, true, false, false])
    }

    @Test func thePolicyTurnsThemOff() {
        let retries = Retries()
        let off = retries.allows(.busy, Retries.Policy(limit: 0), isRepeatable: true)
        let other = retries.allows(.busy, Retries.Policy(reasons: [.broken]), isRepeatable: true)
        #expect(!off && !other)
    }

    @Test func theClientIsToldWhatHelpsItMost() {
        let order: [Retries.Cause] = [.notHere, .unreachable, .overdue, .broken, .busy]
        for (index, better) in order.enumerated() {
            for worse in order[..<index] {
                for firstIsBetter in [true, false] {
                    var retries = Retries()
                    retries.note(firstIsBetter ? better : worse, at: Self.endpoint(1), "x", Self.told(1))
                    retries.note(firstIsBetter ? worse : better, at: Self.endpoint(2), "y", Self.told(2))
                    #expect(Self.name(retries.best?.told) == (firstIsBetter ? "e1" : "e2"), "\(better) rather than \(worse)")
                }
            }
        }
    }
}
