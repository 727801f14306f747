// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

@testable import Core

/// What breaks without these: routerd-translation(7) says of a field something else than what becomes of it.
///
/// `ROUTERD_UPDATE_GOLDEN=1` writes the tables anew.
@Suite(.serialized) struct FieldManualTests {
    private static let page = Checkout.root + "/man/routerd-translation.7"

    @Test(arguments: FieldTable.all.map(\.route)) func theManualHasEachField(_ route: String) throws {
        let table = try #require(FieldTable.all.first { $0.route == route }?.table)
        let rows = table.manual.map { ".It \($0.name) Ta \($0.verdict) Ta \($0.why)".trimmingCharacters(in: .whitespaces) }
        let wanted = ".Ss \(route)\n.Bl -column \"parallel_tool_calls\" \"left out\" \"why\"\n" + rows.joined(separator: "\n") + "\n.El\n"
        var page = try String(contentsOfFile: Self.page, encoding: .utf8)
        if ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1" {
            let start = try #require(page.range(of: ".Ss \(route)\n"))
            let end = try #require(page.range(of: ".El\n", range: start.upperBound..<page.endIndex))
            page.replaceSubrange(start.lowerBound..<end.upperBound, with: wanted)
            try page.write(toFile: Self.page, atomically: true, encoding: .utf8)
        }
        #expect(page.contains(wanted))
    }
}
