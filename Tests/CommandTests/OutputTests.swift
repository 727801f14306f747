// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console
import Foundation
import Testing

@testable import FakeControl
@testable import Protocol
@testable import routerctl

/// Durations, tables, diagnosis: what needs no process.
@Suite struct OutputTests {
    private let plain = Style(colour: false, ascii: false)

    @Test(arguments: [
        ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("10", 10_000), ("0", 0), ("1.5s", 1500), ("0.25", 250),
        ("2d", 172_800_000),
    ])
    func aLengthOfTimeIsReadWithItsUnitSecondsWithoutOne(text: String, milliseconds: Int) {
        #expect(Duration(text) == Duration(milliseconds: milliseconds))
    }

    @Test(arguments: ["", "s", "ms", "-1", "+1", "1w", "1 s", "1e3", "inf", "nan", "0x10", "1.2.3", "٣s", "99999999999999999999h"])
    func whatIsNoLengthOfTimeIsRefused(text: String) {
        #expect(Duration(text) == nil)
    }

    @Test(arguments: [20, 30, 40, 60, 80, 100, 120, 200])
    func noLineOfATableIsWiderThanTheTerminal(width: Int) {
        let tables = [
            EndpointsCommand.table(Sample.endpoints), ModelsCommand.table(Sample.models), ModelsCommand.places(Sample.models),
            RequestsCommand.table(Sample.requests),
        ]
        for table in tables {
            for line in table.aligned(width: width, style: plain) {
                #expect(DisplayText.width(line) <= width, "\(line)")
            }
        }
    }

    @Test func aWideTerminalShowsEveryColumnANarrowOneTheImportantOnes() {
        let table = EndpointsCommand.table(Sample.endpoints)
        let wide = table.aligned(width: 200, style: plain)
        #expect(wide[0].contains("URL") && wide[0].contains("KIND") && wide[0].contains("REASON"))
        #expect(wide[3].contains("connection refused"))
        let narrow = table.aligned(width: 40, style: plain)
        #expect(narrow[0].contains("NAME") && narrow[0].contains("STATE") && narrow[0].contains("IN FLIGHT"))
        #expect(!narrow[0].contains("URL"))
    }

    @Test func onAPipeColumnsAreSeparatedByTabsAndNothingIsCut() {
        var endpoint = Sample.endpoints[0]
        endpoint.name = String(repeating: "long", count: 100)
        endpoint.reason = "a\tb\nc\u{1B}[31m"
        let lines = EndpointsCommand.table([endpoint]).separated()
        let columns = lines[1].split(separator: "\t", omittingEmptySubsequences: false)
        #expect(lines[0] == "name\tstate\tin_flight\tslots\twaiting\tloaded\tkind\tversion\turl\treason")
        #expect(columns.count == 10)
        #expect(columns[0].count == 400)
        #expect(columns[9] == "a\u{FFFD}b\u{FFFD}c\u{FFFD}[31m")
    }

    @Test func coloursAppearOnlyWhereTheyAreAllowed() {
        let table = EndpointsCommand.table(Sample.endpoints)
        let coloured = table.aligned(width: 120, style: Style(colour: true, ascii: false)).joined()
        let mono = table.aligned(width: 120, style: plain).joined()
        #expect(coloured.contains("\u{1B}[32mup"))
        #expect(!mono.contains("\u{1B}"))
    }

    @Test func withoutAUTF8LocaleOnlyASCIIIsPrinted() {
        var endpoint = Sample.endpoints[0]
        endpoint.name = "größe-漢字"
        let lines = EndpointsCommand.table([endpoint]).aligned(width: 50, style: Style(colour: false, ascii: true))
        #expect(lines.joined().utf8.allSatisfy { $0 < 0x80 })
    }

    @Test(
        arguments: [
            (["LANG": "en_US.UTF-8"], true), (["LANG": "C.utf8"], true), (["LANG": "en_US.UTF-8", "LC_ALL": "C"], false), ([:], false),
            (["LC_CTYPE": "de_DE.UTF-8"], true), (["LC_ALL": "", "LANG": "en_US.UTF-8"], true),
        ] as [([String: String], Bool)])
    func theLocalesVariablesAreReadInTheOrderOfTheCLibrary(environment: [String: String], utf8: Bool) {
        #expect(Output.isUTF8(environment: environment) == utf8)
    }

    @Test func jsonCarriesNoCharacterThatATerminalObeys() throws {
        var endpoint = Sample.endpoints[0]
        endpoint.name = "a\u{1B}b\u{9B}c\u{7F}d\u{202E}e"
        let text = try Output.encode(EndpointList(endpoints: [endpoint]))
        #expect(text.contains(#""a\u001bb\u009bc\u007fd\u202ee""#) || text.contains(#""a\u001Bb\u009bc\u007fd\u202ee""#), "\(text)")
        let back = try Wire.decode(EndpointList.self, from: .init(text.utf8))
        #expect(back.endpoints[0].name == endpoint.name)
    }

    @Test(arguments: [
        (ControlError.noDaemon(path: "/x", missing: true), Protocol.ExitStatus.noDaemon, "no_daemon"),
        (.noDaemon(path: "/x", missing: false), .noDaemon, "no_daemon"), (.notAllowed(path: "/x"), .notAllowed, "not_allowed"),
        (.timedOut, .timedOut, "timed_out"), (.closed, .noDaemon, "no_daemon"), (.badReply("?"), .failed, "bad_reply"),
        (.remote(RPCError(.refused, "no")), .failed, "refused"), (.remote(RPCError(.notAllowed, "no")), .notAllowed, "not_allowed"),
        (.remote(RPCError(.notFound, "no")), .notFound, "not_found"), (.remote(RPCError(.methodNotFound, "no")), .failed, "unknown_method"),
        (.remote(RPCError(.invalidParams, "no")), .failed, "invalid_params"), (.remote(RPCError(.internalError, "no")), .failed, "internal_error"),
    ])
    func eachFailureOfACallHasItsExitStatusAndCode(error: ControlError, status: Protocol.ExitStatus, code: String) {
        let failure = Diagnosis.failure(error)
        #expect(failure.status == status)
        #expect(failure.code == code)
        #expect(!failure.message.isEmpty)
    }

    @Test func theExitStatusesAreTheDocumentedNumbers() {
        #expect(Protocol.ExitStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test func theProgressLineFitsOneLineWhateverTheNamesAre() {
        var endpoint = Sample.endpoints[0]
        endpoint.name = String(repeating: "x", count: 300)
        let text = Progress.text([endpoint, Sample.endpoints[1]], waitedMs: 2500)
        #expect(text.hasPrefix("4 in flight, 2s: 3 on xxx"))
        #expect(DisplayText.width(text) <= 79)
    }

    @Test func aReloadTellsChangesAndWhatNeedsARestart() throws {
        let info = ReloadInfo(applied: true, changes: ["endpoint a added"], needsRestart: ["threads: 1 to 2"])
        let terminal = try Output(json: false, width: 80, style: plain).render(info) { ReloadCommand.print(info, dryRun: false, on: $0) }
        #expect(terminal == ["Changed:", "  endpoint a added", "Needs a restart of routerd:", "  threads: 1 to 2"])
        let pipe = try Output(json: false, width: nil, style: plain).render(info) { ReloadCommand.print(info, dryRun: false, on: $0) }
        #expect(pipe == ["change\tendpoint a added", "needs_restart\tthreads: 1 to 2"])
        let nothing = ReloadInfo(applied: false, changes: [], needsRestart: [])
        let dry = try Output(json: false, width: 80, style: plain).render(nothing) { ReloadCommand.print(nothing, dryRun: true, on: $0) }
        #expect(dry == ["Nothing would change."])
    }
}
