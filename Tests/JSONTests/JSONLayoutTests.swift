// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import TestSupport
import Testing

/// What breaks without these: `model show` and the console's detail page show something else than the endpoint said.
@Suite struct JSONLayoutTests {
    private func text(_ json: String) -> String { JSONLayout.lines(json).map(\.text).joined(separator: "\n") }

    @Test func documentsAreIndentedInTheirOrder() {
        let shown = text(#"{"b" : [1,-2.5e3], "a":{"x":"q\"{,}"},"e": { },"n":null,"l":[ ]}"#)
        let expected = """
            {
              "b": [
                1,
                -2.5e3
              ],
              "a": {
                "x": "q\\"{,}"
              },
              "e": {},
              "n": null,
              "l": []
            }
            """
        #expect(shown == expected)
    }

    @Test(arguments: [#"{"a":[1,{"b":"c\\"}],"d":"e\"f","g":{}}"#, "[]", "7", #""text: {}""#])
    func layingOutChangesNothing(json: String) throws {
        let before = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed) as? NSObject
        let after = try JSONSerialization.jsonObject(with: Data(text(json).utf8), options: .fragmentsAllowed) as? NSObject
        #expect(before == after)
    }

    /// Breaks when garbage traps or takes more than a line's room for each bracket.
    @Test func garbageComesThroughInWhole() {
        var random = SplitMix(seed: 3)
        for _ in 0..<3000 {
            let garbage = String((0..<40).map { _ in "{}[]:,\"\\ a1".randomElement(using: &random) ?? " " })
            let shown = text(garbage)
            #expect(shown.filter { !$0.isWhitespace } == garbage.filter { !$0.isWhitespace } || garbage.contains("\""), "\(garbage)")
        }
        #expect(text(String(repeating: "[", count: 5000)).utf8.count < 5000 * (2 * JSONLayout.maxDepth + 3))
    }
}
