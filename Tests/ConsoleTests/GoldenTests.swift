// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import Testing

@testable import Console

/// Whole frames as text, in `Screens/`: what changes on the screen shows in a review.
///
/// `ROUTERD_UPDATE_GOLDEN=1 swift test --filter GoldenTests` writes them anew, and the frames of README.md too; look at each as a person
/// would before committing it.
@Suite struct GoldenTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let isUpdating = ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1"

    static let sizes = [(40, 12), (80, 24), (120, 40), (200, 60)]

    private func check(_ model: Model, _ name: String, theme: Theme = ModelSample.theme) throws {
        let text = ModelSample.lines(model, theme).joined(separator: "\n") + "\n"
        let file = Self.root.appendingPathComponent("Screens/\(name).txt")
        if Self.isUpdating { try Data(text.utf8).write(to: file) }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "differs from \(name).txt")
    }

    @Test(arguments: View.allCases, sizes)
    func everyViewAtEverySize(view: View, size: (columns: Int, rows: Int)) throws {
        try check(
            SimulatedFleet.model(view, columns: size.columns, rows: size.rows), "\(view.title.lowercased())-\(size.columns)x\(size.rows)")
    }

    @Test(arguments: View.allCases)
    func everyViewInASCII(view: View) throws {
        try check(SimulatedFleet.model(view), "\(view.title.lowercased())-ascii", theme: Theme(hasColours: false, isASCII: true))
    }

    @Test func theSmallestScreens() throws {
        for view in [View.endpoints, .requests] {
            try check(SimulatedFleet.model(view, columns: 20, rows: 10), "\(view.title.lowercased())-20x10")
        }
    }

    @Test(arguments: [View.endpoints, .models, .requests, .queue])
    func theSelectedRowsOwnPage(view: View) throws {
        var model = SimulatedFleet.model(view)
        _ = ModelSample.keys(&model, .enter)
        try check(model, "\(view.title.lowercased())-page")
    }

    @Test func marksFilterAndOrder() throws {
        var model = SimulatedFleet.model(.requests)
        _ = ModelSample.type(&model, "/!gpt")
        _ = ModelSample.keys(&model, .enter, .character(" "), .character(" "))
        model.sort(by: RequestTable.columns.firstIndex { $0.column.title == "TOKENS" })
        try check(model, "requests-sorted")
        _ = ModelSample.keys(&model, .character("s"))
        try check(model, "sort-chooser")
    }

    @Test func aQuestionAStalePictureAndTheHelp() throws {
        var model = SimulatedFleet.model()
        _ = ModelSample.keys(&model, .character("d"))
        ModelSample.prepared(&model, ["warning: gpu-1 is the last endpoint that serves qwen2.5-coder:14b"])
        try check(model, "question")
        _ = ModelSample.keys(&model, .character("n"), .character("R"))
        ModelSample.prepared(&model, (1...30).map { "endpoint gpu-\($0) added" } + ["only with a restart: listen: 127.0.0.1:1 to 127.0.0.1:2"])
        try check(model, "reload")
        _ = ModelSample.keys(&model, .escape, .character("w"))
        _ = ModelSample.type(&model, "2.5")
        try check(model, "prompt")
        _ = ModelSample.keys(&model, .escape)
        _ = update(&model, .lost("no routerd at /run/routerd/control.sock: there is no such socket"))
        _ = update(&model, .tick(nowMs: model.snapshotMs + 12_000, wallS: SimulatedFleet.wallS + 12))
        try check(model, "stale")
        #expect(ModelSample.lines(model)[0].hasSuffix("STALE 12s"))
        _ = ModelSample.keys(&model, .character("?"))
        try check(model, "help")
    }

    @Test func aPullShowsHowFarItIs() throws {
        var model = SimulatedFleet.model(.models)
        _ = ModelSample.keys(&model, .character("P"))
        _ = ModelSample.type(&model, "llama3.1:8b")
        _ = ModelSample.keys(&model, .enter, .character("y"))
        let job = model.jobs[0].id
        _ = update(
            &model,
            .progress(job: job, ModelProgress(endpoint: "gpu-1", status: "pulling 8eeb52dfb3bb", completed: 2_100_000_000, total: 4_700_000_000)))
        try check(model, "pull")
    }

    /// Frames in README.md stand between `<!-- frame NAME -->` and the end of the code block that follows.
    @Test func theFramesOfTheReadmeAreWhatTheConsoleShows() throws {
        let file = Self.root.appendingPathComponent("../../README.md").standardizedFileURL
        var readme = try String(contentsOf: file, encoding: .utf8)
        var question = SimulatedFleet.model(columns: 110, rows: 18)
        _ = ModelSample.keys(&question, .character("d"))
        ModelSample.prepared(&question, ["warning: gpu-1 is the last endpoint that serves qwen2.5-coder:14b"])
        let frames = [
            ("endpoints", SimulatedFleet.model(.endpoints, columns: 110, rows: 18)),
            ("requests", SimulatedFleet.model(.requests, columns: 110, rows: 18)), ("drain", question),
        ]
        for (name, model) in frames {
            let frame = ModelSample.lines(model).joined(separator: "\n")
            let start = "<!-- frame \(name) -->\n```text\n"
            let opening = try #require(readme.range(of: start), "README.md has no frame \(name)")
            let closing = try #require(readme.range(of: "\n```", range: opening.upperBound..<readme.endIndex))
            if Self.isUpdating { readme.replaceSubrange(opening.upperBound..<closing.lowerBound, with: frame) }
            let shown = Self.isUpdating ? frame : String(readme[opening.upperBound..<closing.lowerBound])
            #expect(shown == frame, "the frame \(name) of README.md is not up to date")
        }
        if Self.isUpdating { try Data(readme.utf8).write(to: file) }
    }
}
