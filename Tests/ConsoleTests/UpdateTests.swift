// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import FakeControl
import Protocol
import Testing

@testable import Console
@testable import routerctl

/// `update`: what each event makes of the model. A mistake here drains what nobody meant to drain.
@Suite struct UpdateTests {
    /// A key, where it is pressed, what is typed then, and what the daemon is asked for.
    struct Ask: Sendable, CustomTestStringConvertible {
        var view: View
        var keys: [Key]
        var typed = ""
        var commands: [Command]
        var line: String
        /// The daemon is asked what would come of it before the question can be answered.
        var isPrepared = false

        var testDescription: String { line }
    }

    static func model(_ action: String, _ name: String, at endpoint: String? = nil, to destination: String? = nil) -> Command {
        .model(action, ModelActionParams(model: name, endpoint: endpoint, destination: destination))
    }

    static func invalidate(_ change: (inout CacheInvalidateParams) -> Void) -> Command {
        var params = CacheInvalidateParams()
        change(&params)
        return .invalidate(params)
    }

    static let asks: [Ask] = [
        Ask(view: .endpoints, keys: [.character("d")], commands: [.drain("gpu-1")], line: "routerctl drain gpu-1", isPrepared: true),
        Ask(view: .endpoints, keys: [.character("m")], commands: [.maintenance("gpu-1")], line: "routerctl maintenance gpu-1", isPrepared: true),
        Ask(view: .endpoints, keys: [.down, .character("e")], commands: [.resume("gpu-2")], line: "routerctl resume gpu-2"),
        Ask(
            view: .endpoints, keys: [.character(" "), .down, .character(" "), .character("m")],
            commands: [.maintenance("gpu-1"), .maintenance("cpu-box")], line: "routerctl maintenance gpu-1 cpu-box", isPrepared: true),
        Ask(view: .endpoints, keys: [.character("w")], typed: "2.5", commands: [.weight("gpu-1", .number(2.5))], line: "routerctl weight gpu-1 2.5"),
        Ask(
            view: .endpoints, keys: [.character("l")], typed: "phi4:14b", commands: [model("load", "phi4:14b", at: "gpu-1")],
            line: "routerctl load phi4:14b --endpoint gpu-1"),
        Ask(
            view: .endpoints, keys: [.down, .character("u")], commands: [model("unload", "llama3.2:3b", at: "gpu-2")],
            line: "routerctl unload llama3.2:3b --endpoint gpu-2"),
        Ask(
            view: .endpoints, keys: [.character("P")], typed: "phi4:14b", commands: [model("pull", "phi4:14b", at: "gpu-1")],
            line: "routerctl pull phi4:14b --endpoint gpu-1"),
        Ask(view: .models, keys: [.character("l")], commands: [model("load", "llama3.2:3b")], line: "routerctl load llama3.2:3b"),
        Ask(view: .models, keys: [.character("u")], commands: [model("unload", "llama3.2:3b")], line: "routerctl unload llama3.2:3b"),
        Ask(view: .models, keys: [.character("P")], typed: "it's:1b", commands: [model("pull", "it's:1b")], line: "routerctl pull 'it'\\''s:1b'"),
        Ask(view: .models, keys: [.character("D")], commands: [model("delete", "llama3.2:3b")], line: "routerctl delete llama3.2:3b"),
        Ask(
            view: .models, keys: [.character("C")], typed: "mine", commands: [model("copy", "llama3.2:3b", to: "mine")],
            line: "routerctl copy llama3.2:3b mine"),
        Ask(
            view: .models, keys: [.character("c")], commands: [invalidate { $0.model = "llama3.2:3b" }],
            line: "routerctl cache invalidate --model llama3.2:3b", isPrepared: true),
        Ask(view: .requests, keys: [.character("x")], commands: [.cancel("r-101")], line: "routerctl cancel r-101"),
        Ask(view: .requests, keys: [.function(9)], commands: [.cancel("r-101")], line: "routerctl cancel r-101"),
        Ask(
            view: .requests, keys: [.character(" "), .character(" "), .character("x")], commands: [.cancel("r-101"), .cancel("r-102")],
            line: "routerctl cancel r-101 r-102"),
        Ask(view: .queue, keys: [.character("x")], commands: [.cancel("r-103")], line: "routerctl cancel r-103"),
        Ask(
            view: .cache, keys: [.character("c")], commands: [invalidate { $0.namespace = "ns-1" }],
            line: "routerctl cache invalidate --namespace ns-1", isPrepared: true),
        Ask(view: .cache, keys: [.character("C")], commands: [invalidate { _ in }], line: "routerctl cache invalidate --all", isPrepared: true),
        Ask(view: .events, keys: [.character("R")], commands: [.reload], line: "routerctl reload", isPrepared: true),
    ]

    @Test(arguments: asks)
    func theCommandLineThatIsShownIsOneThatIsTaken(ask: Ask) throws {
        let words = ask.line.replacing("'it'\\''s:1b'", with: "it's:1b").split(separator: " ").map(String.init)
        #expect(throws: Never.self) { try Routerctl.parseAsRoot(Array(words.dropFirst())) }
    }

    private func model(_ view: View) -> Model {
        var model = ModelSample.model(view)
        var snapshot = ModelSample.snapshot()
        snapshot.status.cache.enabled = true
        snapshot.status.cache.namespaces = [.init(name: "ns-1", model: "llama3.2:3b", tenant: "", entries: 3, bytes: 1000)]
        ModelSample.show(&model, snapshot)
        return model
    }

    @Test(arguments: asks)
    func whatIsAskedForIsDoneAfterAYesOnly(ask: Ask) {
        var model = model(ask.view)
        var effects = ask.keys.flatMap { update(&model, .key($0)) }
        effects += ModelSample.type(&model, ask.typed)
        if ModelSample.prompt(model) != nil { effects += ModelSample.keys(&model, .enter) }
        #expect(ModelSample.question(model)?.commands == ask.commands)
        #expect(Command.line(ask.commands) == ask.line)
        #expect(ModelSample.lines(model).contains { $0.contains(ask.line) })
        if ask.isPrepared {
            #expect(effects == [.prepare(ask.commands)])
            #expect(ModelSample.keys(&model, .character("y")) == [], "nothing is said yes to before it is known")
            ModelSample.prepared(&model, ["warning: the last"])
            #expect(ModelSample.lines(model).contains { $0.contains("warning: the last") })
        } else {
            #expect(effects == [])
        }
        #expect(ModelSample.keys(&model, .character("y")) == [.run(job: 1, ask.commands)])
        #expect(model.dialog == nil)
        #expect(model.jobs.map(\.commands) == [ask.commands])
    }

    @Test(arguments: asks)
    func readOnlyRefusesEverythingAndSaysSo(ask: Ask) {
        var model = model(ask.view)
        model.isReadOnly = true
        let effects = ask.keys.flatMap { update(&model, .key($0)) }
        #expect(effects == [])
        #expect(model.dialog == nil)
        #expect(model.message?.text.contains("--readonly") == true)
    }

    @Test(arguments: [Key.character("n"), .character("N"), .character("q"), .escape])
    func noTakesTheQuestionBackAndDoesNothing(key: Key) {
        var model = ModelSample.model(.requests)
        #expect(ModelSample.keys(&model, .character("x"), key) == [])
        #expect(model.dialog == nil)
    }

    @Test(arguments: [Key.enter, .down, .character("x"), .character(" "), .tab])
    func aSlipOfTheFingerIsNoAnswer(key: Key) {
        var model = ModelSample.model(.requests)
        #expect(ModelSample.keys(&model, .character("x"), key) == [])
        #expect(ModelSample.question(model)?.commands == [.cancel("r-101")])
    }

    @Test func theQuestionKeepsItsEndpointWhenTheRowsMove() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .down, .character("e"))
        ModelSample.show(&model, ModelSample.snapshot(endpoints: Sample.endpoints.reversed()))
        #expect(ModelSample.keys(&model, .character("y")) == [.run(job: 1, [.resume("gpu-2")])])
    }

    @Test func whatIsDoneAlreadyIsNotAskedForAgain() {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("e")) == [])
        #expect(model.dialog == nil)
        #expect(model.message?.text == "gpu-1 is in service (up)")
        _ = ModelSample.keys(&model, .down, .character("d"))
        #expect(model.dialog == nil)
        #expect(model.message?.text == "gpu-2 is already draining")
    }

    @Test func withoutAConnectionNothingCanBeChanged() {
        var model = ModelSample.model()
        _ = update(&model, .lost("gone"))
        #expect(ModelSample.keys(&model, .character("d")) == [])
        #expect(model.dialog == nil)
        #expect(model.message?.isError == true)
    }

    @Test(arguments: ["-0.5", "-1", "1001", "abc", "nan", ""])
    func aWeightThatIsNoneIsRefusedBeforeTheDaemonSeesIt(text: String) {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("w"))
        _ = ModelSample.type(&model, text)
        #expect(ModelSample.keys(&model, .enter) == [])
        #expect(model.dialog == nil)
        #expect(model.message?.isError == true)
    }

    @Test func aConfigurationThatIsWrongIsShownWithAllItsMistakes() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("R"))
        _ = update(&model, .prepared([.reload], .failure(AnswerFailure("config.yaml:3:1: no such key\nconfig.yaml:9:4: not a number"))))
        #expect(model.dialog == nil)
        let lines = ModelSample.lines(model)
        #expect(lines.contains { $0.contains("config.yaml:3:1: no such key") } && lines.contains { $0.contains("config.yaml:9:4: not a number") })
        _ = ModelSample.keys(&model, .escape)
        #expect(model.page == nil)
    }

    @Test func theDifferenceOfAReloadCanBeScrolled() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("R"))
        ModelSample.prepared(&model, (1...60).map { "change number \($0)" })
        #expect(ModelSample.lines(model).contains { $0.contains("change number 1") })
        #expect(!ModelSample.lines(model).contains { $0.contains("change number 60") })
        for _ in 0..<60 { _ = ModelSample.keys(&model, .down) }
        #expect(ModelSample.lines(model).contains { $0.contains("change number 60") })
        #expect(ModelSample.keys(&model, .character("y")) == [.run(job: 1, [.reload])])
    }

    @Test func theDaemonsAnswerIsShownGoodOrBad() {
        var model = ModelSample.model()
        func answer(_ command: Command, _ result: Result<Answer, AnswerFailure>) -> Model.Message? {
            _ = update(&model, .answered(job: 1, [CommandAnswer(command, result)]))
            return model.message
        }
        #expect(answer(.drain("gpu-2"), .success(.endpoint(Sample.endpoints[1])))?.text == "gpu-2 is draining, 1 in flight")
        #expect(answer(.weight("gpu-2", .number(0.5)), .success(.endpoint(Sample.endpoints[1])))?.text == "gpu-2 has weight 0.5")
        #expect(answer(.cancel("r-101"), .success(.cancelled(Sample.requests[0])))?.text == "r-101 is cancelled (llama3.2:3b)")
        let failed = answer(.drain("gpu-2"), .failure(AnswerFailure("not\nallowed")))
        #expect(failed?.text == "drain gpu-2: not / allowed")
        #expect(failed?.isError == true)
        let half = ModelActionInfo(model: "a", outcomes: [.init(endpoint: "gpu-1"), .init(endpoint: "gpu-2", failure: "disk full")])
        let partly = answer(Self.model("pull", "a"), .success(.model(half)))
        #expect(partly?.text == "pull a: gpu-1 done; gpu-2: disk full")
        #expect(partly?.isError == true)
    }

    @Test func aGoodMessageGoesByItselfABadOneStaysUntilAKeyIsPressed() {
        var model = ModelSample.model()
        _ = update(&model, .answered(job: 1, [CommandAnswer(.drain("gpu-2"), .success(.endpoint(Sample.endpoints[1])))]))
        _ = update(&model, .tick(nowMs: model.nowMs + Model.messageMs, wallS: 0))
        #expect(model.message == nil)
        _ = update(&model, .answered(job: 2, [CommandAnswer(.drain("gpu-2"), .failure(AnswerFailure("no")))]))
        _ = update(&model, .tick(nowMs: model.nowMs + 100 * Model.messageMs, wallS: 0))
        #expect(model.message != nil)
        _ = ModelSample.keys(&model, .down)
        #expect(model.message == nil)
    }

    @Test func whatAnEndpointSaysOfAModelIsAPageThatScrolls() {
        var model = ModelSample.model(.models)
        let show = Self.model("show", "llama3.2:3b")
        #expect(ModelSample.keys(&model, .character("i")) == [.run(job: 1, [show])])
        let details = #"{"parameters":"stop x\ntemperature 1","license":["free"]}"#
        _ = update(
            &model,
            .answered(
                job: 1,
                [CommandAnswer(show, .success(.model(ModelActionInfo(model: "llama3.2:3b", outcomes: [.init(endpoint: "gpu-1")], details: details))))]
            ))
        #expect(ModelSample.lines(model).contains { $0.contains("parameters") })
        #expect(ModelSample.keys(&model, .character("q")) == [])
        #expect(model.page == nil)
    }

    @Test(arguments: [Key.character("q"), .function(10), .character("\u{03}")])
    func theKeysThatLeaveDo(key: Key) {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, key) == [.quit])
    }

    @Test func onARowsPageQGoesBackAndTheOtherKeysLeave() {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .enter, .character("q")) == [] && model.opened == nil)
        #expect(ModelSample.keys(&model, .enter, .character("\u{03}")) == [.quit])
    }

    @Test func tabGoesThroughTheModelsThatMayBeMeant() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("l"), .tab)
        #expect(ModelSample.prompt(model)?.text == "nomic-embed-text:latest", "the only one that is not in memory there")
        _ = ModelSample.keys(&model, .escape, .character("u"))
        _ = ModelSample.type(&model, "Q")
        _ = ModelSample.keys(&model, .tab)
        #expect(ModelSample.prompt(model)?.text == "qwen2.5-coder:14b")
        _ = ModelSample.keys(&model, .escape, .character("P"), .tab)
        let first = ModelSample.prompt(model)?.text
        _ = ModelSample.keys(&model, .tab)
        #expect(ModelSample.prompt(model)?.text != first)
        _ = ModelSample.keys(&model, .backTab)
        #expect(ModelSample.prompt(model)?.text == first)
        _ = ModelSample.type(&model, "zzz")
        _ = ModelSample.keys(&model, .tab)
        #expect(ModelSample.prompt(model)?.text == (first ?? "") + "zzz", "no name fits")
    }

    @Test func anActionWithoutAnEndInSightSaysHowLongItHasLasted() {
        var model = ModelSample.model(.models)
        _ = ModelSample.keys(&model, .character("l"), .character("y"))
        #expect(ModelSample.lines(model).last == " Asking routerd: load llama3.2:3b")
        _ = update(&model, .progress(job: 1, ModelProgress(endpoint: "gpu-1", status: "loading")))
        _ = update(&model, .tick(nowMs: model.nowMs + 12_300, wallS: 0))
        #expect(ModelSample.lines(model).last == " load llama3.2:3b: loading, 12s")
    }

    @Test func arrowsMoveTheSelectionWhileAFilterIsWritten() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("/"), .character("u"), .down)
        #expect(model.table.selected == "gpu-2" && ModelSample.prompt(model)?.text == "u")
        _ = ModelSample.keys(&model, .up, .enter)
        #expect(model.table.selected == "gpu-1" && model.table.filter.text == "u")
    }

    /// What an action does is said whatever the width.
    @Test func theConsequenceHasALineOfItsOwnWhereTheQuestionLeavesNoRoom() {
        for columns in [40, 60, 80, 120] {
            var model = ModelSample.model(.models, columns: columns)
            _ = ModelSample.keys(&model, .character("D"))
            let text = ModelSample.lines(model).joined(separator: " ").split(separator: " ").joined(separator: " ")
            #expect(text.contains("from the disks of the endpoints that model_management names"), "\(columns)")
        }
    }

    @Test func inTheHelpQClosesTheHelpOnly() {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("?"), .character("q")) == [])
        #expect(model.page == nil)
        #expect(ModelSample.keys(&model, .character("q")) == [.quit])
    }

    @Test func aPictureGrowsStaleWhenTheConnectionIsLostAndFreshWithTheNextSnapshot() {
        var model = ModelSample.model()
        #expect(model.staleMs == nil)
        _ = update(&model, .lost("routerd closed the connection"))
        _ = update(&model, .tick(nowMs: model.snapshotMs + 12_400, wallS: 0))
        #expect(model.staleMs == 12_400)
        #expect(model.endpoints.count == 3)
        ModelSample.show(&model, ModelSample.snapshot())
        #expect(model.staleMs == nil)
    }

    @Test func aDaemonThatIsSilentIsStaleAlthoughTheConnectionStands() {
        var model = ModelSample.model()
        _ = update(&model, .tick(nowMs: model.snapshotMs + Model.staleMs - 1, wallS: 0))
        #expect(model.staleMs == nil)
        _ = update(&model, .tick(nowMs: model.snapshotMs + Model.staleMs, wallS: 0))
        #expect(model.staleMs == Model.staleMs)
        // Who asked for a picture every ten seconds is not told that it is old after three.
        model.intervalMs = 10_000
        #expect(model.staleMs == nil)
    }

    @Test func aPausedPictureStandsStillAndSaysSo() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("p"))
        ModelSample.show(&model, ModelSample.snapshot(endpoints: []))
        #expect(model.endpoints.count == 3)
        #expect(ModelSample.lines(model)[0].hasSuffix("PAUSED"))
        _ = ModelSample.keys(&model, .character("p"))
        ModelSample.show(&model, ModelSample.snapshot(endpoints: []))
        #expect(model.endpoints.isEmpty)
    }

    @Test func plusAndMinusChangeTheIntervalWithinWhatTheDaemonTakes() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("+"))
        #expect(model.wanted.intervalMs == 1000)
        for _ in 0..<20 { _ = ModelSample.keys(&model, .character("-")) }
        #expect(model.intervalMs == 100)
        for _ in 0..<20 { _ = ModelSample.keys(&model, .character("+")) }
        #expect(model.intervalMs == 60_000)
    }

    @Test func aResizeRepaintsAndF5Refreshes() {
        var model = ModelSample.model()
        #expect(update(&model, .resize(Size(columns: 20, rows: 10))) == [.repaint])
        #expect(model.size == Size(columns: 20, rows: 10))
        #expect(ModelSample.keys(&model, .function(5)) == [.refresh])
        #expect(ModelSample.keys(&model, .character("\u{1A}")) == [.suspend])
    }

    @Test func onlyWhatTheViewShowsIsAskedFor() {
        var model = ModelSample.model()
        #expect(model.wanted.topics == [.events])
        let expected: [(View, Set<SnapshotTopic>)] = [
            (.models, [.events, .models]), (.requests, [.events, .requests]), (.queue, [.events, .queue]), (.cache, [.events]),
        ]
        for (view, topics) in expected {
            model.go(to: view)
            #expect(model.wanted.topics == topics, "\(view)")
        }
        // What a picture does not bring stays as it was.
        ModelSample.show(&model, SnapshotInfo(sequence: 9, atMs: 1, status: Sample.status, requests: []), topics: [.events])
        #expect(model.requests.count == 3 && model.models.count == 2 && model.queue.count == 1)
        model.go(to: .tokens)
        #expect(model.wanted.tokensS == 3600)
        _ = ModelSample.keys(&model, .character("t"))
        #expect(model.wanted.tokensS == 86_400)
    }
}
