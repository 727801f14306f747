// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// All events in any order against a model of what is out: slots, tickets, connections, tasks, and what the client has got. What breaks
/// without it: an order of events that nobody thought of, and that loses a slot or answers a client twice.
@Suite struct ExchangeLifecycleWalkTests {
    /// What the world outside has given to the exchange, and what it has got.
    private struct World {
        var slots = 0
        var grants = 0
        var releases = 0
        var outcomes = 0
        var heads = 0
        var tickets = 0
        var connections = 0
        var tasks = 0
    }

    @Test func anyOrderOfEventsEndsOnceAndGivesBackWhatItTook() {
        var random = SplitMix64(seed: 20_261_128)
        var reached: Set<String> = []
        for _ in 0..<20_000 {
            var life = ExchangeLifecycle()
            var world = World()
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                step(&life, &world, Int.random(in: 0..<22, using: &random), &random)
                check(life, world)
                reached.insert("\(life.state)")
            }
            take(life.end(.aborted), &world)
            check(life, world)
            #expect(world.outcomes == 1)
            #expect(world.grants == world.releases)
            #expect(world.slots == 0 && world.tickets == 0 && world.connections == 0 && world.tasks == 0)
        }
        // The walk is worth nothing if it does not get everywhere.
        for state in [
            "streaming", "settling", "open", "gathering", "untilWhole", "untilFirstByte", "sent", "following", "asking", "working", "detached",
        ] {
            #expect(reached.contains { $0.contains(state) }, "never reached: \(state)")
        }
    }

    private func step(_ life: inout ExchangeLifecycle, _ world: inout World, _ event: Int, _ random: inout SplitMix64) {
        let before = life
        let coin = Bool.random(using: &random)
        switch event {
        case 0: _ = life.requestEnded()
        case 1:
            guard life.state == .deciding else { return }
            life.ask()
            world.tasks += 1
        case 2: life.follow()
        case 3:
            guard life.work() else { return }
            world.tasks += 1
            if before.hasConnection { world.connections -= 1 }
        case 4: if life.goOn() { world.tasks -= 1 }
        case 5: if life.beginOwnAnswer() { world.heads += 1 }
        case 6:
            guard life.state == .deciding else { return }
            life.queue()
            world.tickets += 1
        case 7:
            // The scheduler decides about tickets that are out, and sometimes too late.
            world.grants += 1
            switch life.granted() {
            case .carry:
                world.tickets -= 1
                world.slots += 1
            case .giveBack: world.releases += 1
            }
        case 8, 9: if life.connected() == .send { world.connections += 1 }
        case 10:
            guard life.stage == .sent, coin else { return }
            life.connectAgain()
            world.connections -= 1
        case 11, 18, 19:
            let holds: [ExchangeLifecycle.Hold?] = [nil, .untilFirstByte, .untilWhole, .gathering]
            if life.receivedHead(holds[Int.random(in: 0..<4, using: &random)]) == .begin { world.heads += 1 }
        case 12: if life.receivedBody(isFault: coin) == .beginAndPass { world.heads += 1 }
        case 13: if life.letGo(hasBody: coin, gathers: false) { world.heads += 1 }
        case 14: if life.settle() { world.connections -= 1 }
        case 15:
            guard let leaving = life.leaveEndpoint() else { return }
            give(leaving, &world)
            world.tickets += 1
        case 16:
            if life.answerKept(gathers: false) {
                world.tickets -= 1
                // Nothing is connected, though the stage is one of answers: there is nothing to cancel.
                world.connections += 1
                world.heads += 1
            }
        case 17: if life.clientLeft(isFollowed: coin) == .end { take(life.end(.aborted), &world) }
        default: if coin { take(life.end(.completed), &world) }
        }
    }

    private func take(_ leaving: ExchangeLifecycle.Leaving?, _ world: inout World) {
        guard let leaving else { return }
        world.outcomes += 1
        give(leaving, &world)
    }

    private func give(_ leaving: ExchangeLifecycle.Leaving, _ world: inout World) {
        switch leaving.work {
        case .nothing: break
        case .task: world.tasks -= 1
        case .ticket: world.tickets -= 1
        case .connection: world.connections -= 1
        }
        if leaving.slot == .taken {
            world.slots -= 1
            world.releases += 1
        }
    }

    private func check(_ life: ExchangeLifecycle, _ world: World) {
        let isSound =
            world.slots == (life.slot == .taken ? 1 : 0) && world.tickets == (life.stage == .inLine ? 1 : 0)
            && world.connections == (life.hasConnection ? 1 : 0) && world.heads <= 1 && world.outcomes == (life.isOver ? 1 : 0)
            && world.slots + world.releases == world.grants && (life.isOver || life.answerHasBegun == (world.heads == 1))
        #expect(isSound, "\(life) \(world)")
    }
}
