// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Names that endpoints accept and do not list, and other names that they do list.
@Suite struct SchedulerUnlistedTests {
    private func submit(_ bench: SchedulerBench, _ model: String, _ unlisted: UnlistedName = .whereOneIsMeant, excluding: [Int] = []) -> Admission {
        var ask = Ask(model: model, needs: RouteNeeds(.chat), tenant: Tenant("t"), excluding: excluding.map(SchedulerBench.id))
        ask.unlisted = unlisted
        return bench.scheduler.submit(ask, now: bench.now)
    }

    private func bench(_ kinds: [EndpointKind], models: [String] = ["m"]) -> SchedulerBench {
        let bench = SchedulerBench()
        for kind in kinds { bench.add(models, loaded: kind == .openAI ? [] : models, kind: kind) }
        return bench
    }

    struct Row: Sendable, CustomStringConvertible {
        var kinds: [EndpointKind]
        var unlisted: UnlistedName
        /// The endpoint that gets the name; nil where it is refused.
        var place: Int?
        var description: String { "\(kinds) \(unlisted)" }
    }

    static let rows: [Row] = [
        Row(kinds: [.openAI], unlisted: .whereOneIsMeant, place: 0),
        Row(kinds: [.llamaServer], unlisted: .whereOneIsMeant, place: 0),
        // It lists all that it has.
        Row(kinds: [.ollama], unlisted: .whereOneIsMeant, place: nil),
        Row(kinds: [.ollama, .openAI], unlisted: .whereOneIsMeant, place: 1),
        Row(kinds: [.ollama, .openAI, .llamaServer], unlisted: .whereOneIsMeant, place: 1),
        // Either could be meant.
        Row(kinds: [.openAI, .openAI], unlisted: .whereOneIsMeant, place: nil),
        // A server that serves one model under any name must not answer for what an Ollama lacks.
        Row(kinds: [.ollama, .llamaServer], unlisted: .whereOneIsMeant, place: nil),
        Row(kinds: [.openAI, .openAI], unlisted: .on(SchedulerBench.id(1)), place: 1),
        Row(kinds: [.ollama, .llamaServer], unlisted: .on(SchedulerBench.id(1)), place: 1),
        Row(kinds: [.ollama, .openAI], unlisted: .on(SchedulerBench.id(0)), place: 0),
        Row(kinds: [.openAI], unlisted: .refused, place: nil),
        Row(kinds: [.openAI], unlisted: .on(EndpointID(99)), place: nil),
    ]

    @Test(arguments: rows) func anUnknownNameGoesWhereOneIsMeant(_ row: Row) {
        let bench = bench(row.kinds)
        let admission = submit(bench, "hidden", row.unlisted)
        #expect(admission.grant?.endpoint == row.place.map(SchedulerBench.id))
        if row.place == nil { #expect(admission.refusal == .unknownModel(known: ["m"], unreachable: [])) }
    }

    /// Breaks when the endpoint is asked for another name than the client's, or when each invention becomes a row of its own.
    @Test func theNameGoesAsItStandsAndIsCountedAsOne() throws {
        let bench = bench([.openAI])
        bench.scheduler.settings.aliases = ["mine": "Hidden/Model:x"]
        for (asked, sent) in [("Hidden/Other", "Hidden/Other"), ("mine", "Hidden/Model:x")] {
            let grant = try #require(submit(bench, asked).grant)
            #expect(grant.model == sent && grant.understandsAskedName == (asked == sent) && grant.wasLoaded && grant.why == .loaded)
            #expect(grant.listedModel == Scheduler.unlistedModel && grant.placement.listedModel == Scheduler.unlistedModel)
            #expect(bench.scheduler.snapshot().endpoints[SchedulerBench.id(0)]?.inFlightByModel == [Scheduler.unlistedModel: 1])
            _ = bench.release(grant)
        }
        let pairs = bench.scheduler.pairs.count
        let books = bench.scheduler.books.count
        for number in 0..<1000 { _ = bench.release(try #require(submit(bench, "invented-\(number)").grant)) }
        #expect(bench.scheduler.pairs.count == pairs && bench.scheduler.books.count == books)
        #expect(bench.scheduler.pairsByForm.count < 10)
        // And nobody is told that there is a model of that name.
        #expect(submit(bench, "x", .refused).refusal == .unknownModel(known: ["m"], unreachable: []))
    }

    @Test func unlistedNamesHaveTheEndpointsSlotsAndWaitInItsLine() throws {
        let bench = bench([.openAI])
        let first = try #require(submit(bench, "a").grant)
        _ = try #require(submit(bench, "b").grant)
        let waiting = submit(bench, "c")
        let ticket = try #require(waiting.ticket)
        let actions = bench.release(first)
        guard case .grant(ticket, let grant)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(grant.model == "c")
    }

    /// Breaks when a list that comes again takes the name away from those who use it.
    @Test func aPollChangesNothingForThem() throws {
        let bench = bench([.openAI])
        let grant = try #require(submit(bench, "hidden").grant)
        _ = bench.report(0, ["m", "n"])
        _ = bench.release(grant)
        _ = bench.report(0, ["n"])
        _ = bench.report(0, ["n"], phase: .down)
        let whileDown = submit(bench, "hidden")
        #expect(whileDown.refusal == .noEndpointUp([Refusal.Candidate(endpoint: "e0", why: "down (refused)")]))
        _ = bench.report(0, ["n"])
        #expect(submit(bench, "hidden").grant?.model == "hidden")
        // What is listed from now on is an ordinary model.
        _ = bench.report(0, ["n", "hidden"])
        #expect(submit(bench, "hidden").grant?.listedModel == "hidden")
    }

    /// Breaks when one client's invention keeps the others from a name that is served.
    @Test func thatOneNameIsNotThereSaysNothingOfTheOthers() throws {
        let bench = bench([.openAI])
        for _ in 0..<20 {
            let grant = try #require(submit(bench, "invented").grant)
            var end = LeaseEnd(outcome: .notHere)
            end.reason = "404"
            _ = bench.scheduler.release(grant.lease, end, now: bench.now)
        }
        let grant = try #require(submit(bench, "hidden").grant)
        #expect(!grant.isProbe)
    }

    @Test func whatFailedTheRequestIsNotAskedAgain() {
        #expect(submit(bench([.openAI]), "hidden", excluding: [0]).refusal == .allFailed)
        #expect(submit(bench([.openAI, .ollama]), "hidden", .on(SchedulerBench.id(0)), excluding: [0, 1]).refusal == .allFailed)
    }

    /// Breaks when a request goes astray because an endpoint that may have its model was not asked yet.
    @Test func whileAnEndpointHasNotBeenAskedTheNameWaits() throws {
        let bench = bench([.openAI])
        bench.add([], phase: .starting)
        #expect(submit(bench, "hidden").ticket != nil)
        // Who is named need not wait for others.
        #expect(submit(bench, "hidden", .on(SchedulerBench.id(0))).grant?.endpoint == SchedulerBench.id(0))
    }

    /// Breaks when prompts that were meant for one's own machine are sent to somebody else's because the model was removed.
    @Test func whatAnotherEndpointHadDoesNotGoToAService() {
        let bench = bench([.ollama, .openAI], models: ["m", "own"])
        _ = bench.report(0, ["m"], loaded: ["m"])
        _ = bench.report(1, ["m"])
        #expect(submit(bench, "own").refusal == .unknownModel(known: ["m"], unreachable: []))
        #expect(submit(bench, "own:latest").refusal != nil)
        #expect(submit(bench, "own", .on(SchedulerBench.id(1))).grant != nil, "who says where knows")
        // What it had itself, and has no more, or not just now, is its own.
        _ = bench.report(1, ["m", "far"])
        _ = bench.report(1, ["m"])
        #expect(submit(bench, "far").grant?.endpoint == SchedulerBench.id(1))
    }

    @Test func aNameThatOthersListGoesToANamedServiceOnly() {
        let bench = SchedulerBench()
        bench.add(["gpt"], loaded: ["gpt"])
        bench.add(["other"], kind: .openAI)
        bench.add(["other"], loaded: ["other"], kind: .llamaServer)
        #expect(submit(bench, "gpt", .on(SchedulerBench.id(1)), excluding: [0, 2]).grant?.endpoint == SchedulerBench.id(1))
        #expect(submit(bench, "gpt", .on(SchedulerBench.id(2)), excluding: [0, 1]).refusal == .allFailed)
    }

    /// A llama-server with one model serves it under any name: its slots are the model's.
    @Test func aServerWithOneModelServesThat() throws {
        let bench = bench([.llamaServer])
        let grant = try #require(submit(bench, "whatever").grant)
        #expect(grant.listedModel == "m" && grant.understandsAskedName && grant.model == "whatever")
        _ = try #require(submit(bench, "m").grant)
        #expect(submit(bench, "m").ticket != nil, "two slots for both names")
        let several = self.bench([.llamaServer], models: ["m", "n"])
        #expect(submit(several, "whatever").grant?.listedModel == Scheduler.unlistedModel)
    }

    // MARK: Aliases

    private func aliased(_ aliases: [String], kind: EndpointKind, _ bench: SchedulerBench = SchedulerBench()) -> SchedulerBench {
        if bench.endpoints.isEmpty { bench.add([], kind: kind) }
        var listing = ModelListing(name: "org/real-model:Q4")
        listing.aliases = aliases
        let report = EndpointReport(
            state: EndpointState(phase: .up, since: bench.now), models: [listing, ModelListing(name: "other")],
            loaded: [LoadedModel(name: "org/real-model:Q4"), LoadedModel(name: "other")])
        _ = bench.scheduler.report(SchedulerBench.id(0), report, now: bench.now)
        return bench
    }

    @Test(arguments: [EndpointKind.llamaServer, .openAI]) func anAliasIsTheModel(kind: EndpointKind) throws {
        let bench = aliased(["Coder", "fim"], kind: kind)
        let rows = [("Coder", true), ("fim", true), ("coder", false), ("fim:latest", false), ("org/real-model:Q4", true)]
        for (asked, understands) in rows {
            let grant = try #require(submit(bench, asked, .refused).grant, "\(asked)")
            #expect(grant.listedModel == "org/real-model:Q4" && grant.understandsAskedName == understands, "\(asked)")
            #expect(ModelName.askedForms(asked).contains(grant.model.lowercased()), "by a name that the server has for it: \(grant.model)")
            _ = bench.release(grant)
        }
        // Another list, other names.
        _ = aliased(["fim", "new"], kind: kind, bench)
        #expect(submit(bench, "Coder", .refused).refusal != nil)
        #expect(submit(bench, "new", .refused).grant != nil && submit(bench, "fim", .refused).grant != nil)
        _ = bench.report(0, ["other"], loaded: ["other"])
        #expect(submit(bench, "new", .refused).refusal == .unknownModel(known: ["other"], unreachable: []))
    }

    @Test func anAliasDoesNotHideTheModelOfThatName() {
        let bench = aliased(["other"], kind: .llamaServer)
        #expect(submit(bench, "other", .refused).grant?.model == "other")
    }

    /// An Ollama that is listed as a service of OpenAI's kind adds a tag to what has none.
    @Test func whatHasNoTagMeansTheLatest() throws {
        let bench = SchedulerBench()
        bench.add(["llama3.2:latest", "qwen:7b"], kind: .openAI)
        let grant = try #require(submit(bench, "llama3.2", .refused).grant)
        #expect(grant.model == "llama3.2:latest" && !grant.understandsAskedName)
        #expect(submit(bench, "qwen", .refused).refusal != nil, "another tag is another model")
        bench.add(["x", "x:latest"], kind: .openAI)
        for name in ["x", "x:latest"] { #expect(submit(bench, name, .refused).grant?.model == name) }
    }
}
