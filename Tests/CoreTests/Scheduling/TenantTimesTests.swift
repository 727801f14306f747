// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// Whose turn it is: what is remembered of a tenant, and for how long.
@Suite struct TenantTimesTests {
    /// Being served costs a turn, also for who has nothing in line for a moment.
    @Test func whoIsAheadStaysAheadWhileAway() {
        var times = TenantTimes()
        let other = times.enter(Tenant("other"))
        let first = times.enter(Tenant("a"))
        times.serve(first)
        times.leave(first)
        let again = times.enter(Tenant("a"))
        #expect(times.time(again) == 1)
        #expect(times.time(other) == 0)
    }

    /// And nothing is kept of one who is not ahead, nor is a turn saved by staying away.
    @Test func whoIsNotAheadIsForgotten() {
        var times = TenantTimes()
        let other = times.enter(Tenant("other"))
        times.leave(times.enter(Tenant("a")))
        #expect(times.count == 1)
        for _ in 0..<3 {
            _ = times.enter(Tenant("other"))
            times.serve(other)
            times.leave(other)
        }
        let again = times.enter(Tenant("a"))
        #expect(times.time(again) == 2)
    }

    /// A client under ever new addresses, in a line that never empties, must not fill the memory.
    @Test func newNamesWithoutEndAreBounded() {
        var times = TenantTimes()
        let waiting = times.enter(Tenant("waits all the time"))
        for number in 0..<20_000 {
            let tenant = times.enter(Tenant("t\(number)"))
            times.serve(tenant)
            times.leave(tenant)
            #expect(times.count <= TenantTimes.idleLimit + 2)
        }
        #expect(times.waiting(Tenant("waits all the time")) == 1)
        #expect(times.time(waiting) == 0)
    }

    @Test func weightsAreShares() {
        var times = TenantTimes()
        times.weights = [Tenant("heavy"): 4]
        let heavy = times.enter(Tenant("heavy"))
        let light = times.enter(Tenant("light"))
        times.serve(heavy)
        times.serve(light)
        #expect(times.time(heavy) == 0.25)
        #expect(times.time(light) == 1)
    }
}
