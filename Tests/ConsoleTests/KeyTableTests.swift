// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Console

/// The key table is the only list of keys: without that the help and the bar would promise what no key does.
@Suite struct KeyTableTests {
    @Test(arguments: View.allCases)
    func everyKeyOfTheViewIsInItsHelpAndNoOther(view: View) {
        let model = ModelSample.model(view)
        for ascii in [false, true] {
            let help = HelpPage.lines(model, ascii: ascii)
            for binding in KeyTable.bindings {
                for key in binding.keys {
                    let name = KeyTable.name(key, ascii: ascii)
                    let isListed = help.contains { $0.text == binding.help && $0.key.split(separator: " ").contains(Substring(name)) }
                    #expect(isListed == (binding.views?.contains(view) ?? true), "\(name)")
                }
            }
        }
    }

    @Test(arguments: View.allCases)
    func noKeyMeansTwoThingsInAView(view: View) {
        let keys = KeyTable.bindings.filter { $0.views?.contains(view) ?? true }.flatMap(\.keys)
        #expect(Set(keys).count == keys.count)
    }

    @Test func everyAskHasAKeyAndEveryHelpCanBeScrolledToItsEndOnASmallScreen() {
        let actions = Set(KeyTable.bindings.map(\.action))
        #expect(actions.isSuperset(of: Ask.allCases.map { Action.ask($0) }))
        #expect(actions.isSuperset(of: View.allCases.map { Action.go($0) }))
        for view in View.allCases {
            var model = ModelSample.model(view, columns: 20, rows: 10)
            _ = ModelSample.keys(&model, .character("?"), .end)
            let end = HelpPage.styled(model, columns: 20, ModelSample.theme).last?.text ?? "?"
            #expect(ModelSample.lines(model).contains { $0 == end }, "\(view)")
        }
    }

    @Test func functionKeysAreThoseOfHtop() {
        let model = ModelSample.model(.requests)
        let expected: [(Int, Action)] = [
            (1, .help), (3, .search), (4, .filter), (5, .refresh), (6, .sort), (9, .ask(.cancel)), (10, .quit),
        ]
        for (number, action) in expected { #expect(KeyTable.binding(for: .function(number), in: model)?.action == action, "F\(number)") }
    }

    @Test func aPageSaysHowToScrollAndToLeaveItAndNothingActsBelowIt() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("?"))
        #expect(ModelSample.lines(model).last == " ↑ ↓ Scroll  PgUp PgDn Page  q Close")
        #expect(ModelSample.keys(&model, .character("d"), .character("R")) == [] && model.dialog == nil)
        _ = ModelSample.keys(&model, .escape, .enter)
        #expect(ModelSample.lines(model).last?.contains("q Back") == true)
        #expect(ModelSample.lines(model).last?.contains("↑ ↓ Scroll") == true)
    }

    @Test func theBarShowsOnlyWhatCanBeDone() {
        var model = ModelSample.model(columns: 200, rows: 24)
        #expect(ModelSample.lines(model).last?.contains("d Drain") == true)
        model.isReadOnly = true
        #expect(ModelSample.lines(model).last?.contains("Drain") == false)
        #expect(ModelSample.lines(model).last?.contains("q Quit") == true)
        let narrow = ModelSample.lines(ModelSample.model(columns: 80)).last ?? ""
        for key in ["d Drain", "m Maint", "e Resume", "Enter Open", "/ Filter", "? Help", "q Quit"] { #expect(narrow.contains(key), "\(key)") }
    }
}
