// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Core

/// The simulation beside the real thing: one trace through a real daemon and real endpoints, and through `Simulation`. What breaks without
/// it: `make fleet-sim` reports on a fleet that nobody has, and a rule that is tuned on it does people no good.
///
/// It fails, by both figures, for a daemon with `placement: off` and `queue: overcommit`.
@Suite struct TraceReplayTests {
    /// Everything happens ten times as quickly as in the fleets of `make fleet-sim`: 450 seconds in 45. What HTTP and a debug build add to an
    /// answer, 5 to 10 ms, is then still little beside the mean time to the first token.
    private static let factor = 10.0
    /// Seconds. `RunningDaemon` asks for 200 ms, which is less than the daemon's least.
    private static let polling = Simulation.Polling(every: max(0.2, PollSchedule.spacing.seconds), delay: 0.01)

    /// Three machines on which not all of the eight models fit at once.
    private static let fleet = FleetShape(seed: 5, machines: 3, models: 8)

    private static let traffic: Traffic = {
        var shape = TrafficShape(load: 0.7, duration: 450)
        // Short answers: more requests for the same work, so that chance matters less.
        shape.outputTokens = 60
        // One line of equals, as the daemon here has no keys.
        shape.keys = [1]
        return Traffic(shape, fleet: fleet, seed: 5)
    }()

    /// What a rule does with the trace: mean seconds to the first token, and loads.
    private struct Figures {
        var firstToken: Double
        var loads: Double

        /// The mean of several simulations, in each of which the trace comes a little slower. A moment more or less decides which of two
        /// models goes, and all that comes after.
        init(_ rule: ComparedRule) {
            let outcomes = (0..<12).map { step in
                rule.run(traffic.quicker(by: factor / (1 + 0.002 * Double(step))), on: fleet.quicker(by: factor), polling: polling)
            }
            firstToken = outcomes.map(\.meanFirstToken).reduce(0, +) / Double(outcomes.count)
            loads = outcomes.map { Double($0.loads) }.reduce(0, +) / Double(outcomes.count)
        }

        init(_ replayed: TraceReplay.Figures) {
            firstToken = replayed.meanFirstToken
            loads = Double(replayed.loads)
        }

        /// Measured in a dozen runs, some of them beside a build, other tests or two busy loops: the daemon's mean was 0.62 to 1.22 times the
        /// simulations', and its loads were 0.72 to 1.12 times theirs; on three other fleets 0.9 to 1.5 and 0.75 to 1.15 times. Simulations of
        /// the same fleet differ among themselves as much. Of the other rules the mean is more than 20 times as great, and the loads are 3.4.
        func agrees(with said: Figures) -> Bool {
            (0.45 * said.firstToken...2 * said.firstToken).contains(firstToken) && (0.6 * said.loads...1.5 * said.loads).contains(loads)
        }
    }

    @Test(.enabled(if: !Checkout.isSanitized, "SKIPPED: a sanitizer makes the daemon too slow for figures in milliseconds"))
    func theDaemonDoesWhatTheSimulationSays() throws {
        let said = Figures(.expectedTime)
        let replayed = try TraceReplay(fleet: Self.fleet, traffic: Self.traffic, factor: Self.factor).run()
        #expect(replayed.failures.isEmpty, "\(replayed.failures.prefix(3))")
        #expect(replayed.firstTokens.count == Self.traffic.requests.count)
        let found = Figures(replayed)
        #expect(found.agrees(with: said), "\(found) instead of \(said); requests were sent up to \(replayed.latest) s late")
        // It would have been seen if it were not so: the other rules' figures are far away.
        for rule in [ComparedRule.roundRobin, .leastConnections, .seed] {
            let other = Figures(rule)
            #expect(!other.agrees(with: said) && !found.agrees(with: other), "\(rule.rawValue): \(other)")
        }
    }
}
