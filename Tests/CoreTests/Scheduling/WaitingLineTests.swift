// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// The line's groups, which are named by numbers that are used again.
@Suite struct WaitingLineTests {
    private let now = NIODeadline.uptimeNanoseconds(1)

    private func add(_ line: inout WaitingLine, _ model: String, _ tenant: String, book: BookIndex?) -> TicketID {
        line.add(Ask(model: model, needs: RouteNeeds(.ollamaAPI), tenant: Tenant(tenant)), book: book, now: now, timeout: .seconds(10)).0
    }

    private func models(_ line: WaitingLine) -> Set<String> { Set(line.waitingGroups.map { line[$0].model }) }

    /// A number that still led to its former group would give one model's slot to a request for another.
    @Test func anEmptyGroupsNumberIsUsedAgain() {
        var line = WaitingLine()
        let first = add(&line, "a", "t", book: 0)
        let stays = add(&line, "b", "t", book: 1)
        let outcomes = [line.remove(first), line.remove(first)]
        #expect(outcomes == [true, false])
        #expect(line.groups(of: 0).isEmpty && line.waitingBooks == [1])
        let next = add(&line, "c", "t", book: 2)
        #expect(models(line) == ["b", "c"])
        #expect(line.groups(of: 2).compactMap { line.next(in: $0)?.waiter.ticket } == [next])
        #expect(line.groups(of: 1).compactMap { line.next(in: $0)?.waiter.ticket } == [stays])
        #expect(line.count == 2)
    }

    /// After a change of the fleet a model may be another entry in the books: those who wait must move with it.
    @Test func renewedGroupsAreFoundUnderTheirNewBook() {
        var line = WaitingLine()
        let early = add(&line, "a", "t", book: nil)
        _ = add(&line, "b", "t", book: 0)
        line.renew { [line] in line[$0].model == "a" ? 3 : nil }
        #expect(line.waitingBooks == [3])
        #expect(line.waiting(for: 3) == 1 && line.waiting(for: 0) == 0)
        #expect(line.groups(of: 3).compactMap { line.next(in: $0)?.waiter.ticket } == [early])
        let later = add(&line, "a", "t", book: 3)
        #expect(line.waiting(for: 3) == 2)
        line.serve(early)
        #expect(line.groups(of: 3).compactMap { line.next(in: $0)?.waiter.ticket } == [later])
        line.serve(later)
        #expect(line.waitingBooks.isEmpty && models(line) == ["b"])
    }

    /// Operators are shown the order in which the line will move, and that goes by weight.
    @Test func theShownOrderGoesByWeight() {
        var line = WaitingLine()
        line.weights = [Tenant("heavy"): 2]
        var names: [TicketID: String] = [:]
        for tenant in ["light", "light", "heavy", "heavy", "heavy", "heavy"] { names[add(&line, "m", tenant, book: 0)] = tenant }
        let shown = line.order(of: line.groups(of: 0)).compactMap { names[$0.waiter.ticket] }
        var served: [String] = []
        while let group = line.groups(of: 0).first, let next = line.next(in: group) {
            served.append(names[next.waiter.ticket] ?? "")
            line.serve(next.waiter.ticket)
        }
        #expect(shown == served)
        #expect(shown == ["light", "heavy", "heavy", "light", "heavy", "heavy"])
    }
}
