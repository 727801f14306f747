// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Keys while something is being asked.
func answerDialog(_ model: inout Model, _ key: Key) -> [Effect] {
    switch key {
    case .character("\u{03}"), .function(10): return [.quit]
    case .character("\u{0C}"): return [.repaint]
    case .character("\u{1A}"): return [.suspend]
    default: break
    }
    switch model.dialog {
    case .question(let question): return answer(&model, question, key)
    case .prompt(let prompt): return write(&model, prompt, key)
    case .sort(let place):
        choose(&model, place, key)
        return []
    case nil: return []
    }
}

private func answer(_ model: inout Model, _ question: Question, _ key: Key) -> [Effect] {
    switch key {
    case .character("y"), .character("Y"):
        // Before the daemon has said what would come of it there is nothing to say yes to.
        guard !question.isPreparing else { return [] }
        model.dialog = nil
        if case .lost = model.connection {
            model.refuse(Model.notConnected)
            return []
        }
        return model.run(question.commands)
    case .character("n"), .character("N"), .character("q"), .escape:
        model.dialog = nil
    case .up, .down, .pageUp, .pageDown:
        let page = max(1, noteRows(question, model.size))
        var question = question
        question.scroll(by: key == .up ? -1 : key == .down ? 1 : key == .pageUp ? -page : page, size: model.size)
        model.dialog = .question(question)
    // Anything else may be a slip of the finger, and is no answer.
    default: break
    }
    return []
}

extension Question {
    mutating func scroll(by rows: Int, size: Size) {
        offset = max(0, min(offset + rows, noteLines(self, columns: size.columns).count - noteRows(self, size)))
    }
}

private func write(_ model: inout Model, _ prompt: Prompt, _ key: Key) -> [Effect] {
    var prompt = prompt
    switch key {
    case .enter:
        model.dialog = nil
        return model.finish(prompt)
    case .escape:
        model.dialog = nil
        if case .filter = prompt.purpose {
            model.table.filter = .init()
            model.arrange()
        }
        return []
    case .backspace:
        if prompt.text.isEmpty {
            model.dialog = nil
            return []
        }
        prompt.text.removeLast()
    case .character("\u{15}"), .character("\u{17}"): prompt.text = ""
    case .tab, .backTab:
        guard prompt.complete(backwards: key == .backTab) else { return [] }
        model.dialog = .prompt(prompt)
        return []
    case .character(let character):
        guard character.unicodeScalars.allSatisfy(DisplayText.isPrintable), prompt.text.count < 200 else { return [] }
        prompt.text.append(character)
    case .down, .function(3):
        if case .search = prompt.purpose { model.search(prompt.text, from: 1) }
        if case .filter = prompt.purpose { model.move(by: 1) }
        return []
    case .up:
        if case .filter = prompt.purpose { model.move(by: -1) }
        return []
    default: return []
    }
    prompt.stem = nil
    model.dialog = .prompt(prompt)
    switch prompt.purpose {
    case .filter:
        model.table.filter = .init(typed: prompt.text)
        model.arrange()
    case .search: model.search(prompt.text, from: 0)
    case .weight, .model, .copy: break
    }
    return []
}

extension Model {
    /// What was written becomes a command, after its own question.
    fileprivate mutating func finish(_ prompt: Prompt) -> [Effect] {
        let text = prompt.text.split(separator: " ").joined(separator: " ")
        switch prompt.purpose {
        case .filter, .search: return []
        case .weight(let names):
            guard let weight = WeightChoice(text) else {
                refuse("A weight is a number from 0 to 1000, or default, not \"\(text)\"")
                return []
            }
            let what = weight == .configured ? "what the configuration says" : weight.words
            return ask(
                names.map { .weight($0, weight) }, "Set the weight of \(Self.list(names)) to \(what)",
                weight == .configured ? "" : "until it is set to default")
        case .model(let action, let endpoint):
            guard !text.isEmpty else { return [] }
            return askModel(action, [text], endpoint: endpoint)
        case .copy(let model):
            guard !text.isEmpty else { return [] }
            let command = Command.model("copy", ModelActionParams(model: model, destination: text))
            return ask([command], "Copy \(model) to \(text)", "on the endpoints that have it")
        }
    }
}

private func choose(_ model: inout Model, _ place: Int, _ key: Key) {
    let sortable = model.rows(of: model.view).sortable
    switch key {
    case .up, .character("k"): model.dialog = .sort(place: max(0, place - 1))
    case .down, .character("j"), .tab: model.dialog = .sort(place: min(sortable.count, place + 1))
    case .home, .pageUp, .character("g"): model.dialog = .sort(place: 0)
    case .end, .pageDown, .character("G"): model.dialog = .sort(place: sortable.count)
    case .enter, .character(" "):
        model.dialog = nil
        let column = place == 0 ? nil : sortable[place - 1]
        if column != model.table.sort { model.sort(by: column) }
    case .escape, .character("q"), .character("s"), .function(6): model.dialog = nil
    default: break
    }
}

/// The daemon's word on what would come of the commands that are being asked about.
func prepared(_ model: inout Model, _ commands: [Command], _ answer: Result<[String], AnswerFailure>) {
    guard case .question(var question)? = model.dialog, question.commands == commands, question.isPreparing else { return }
    switch answer {
    case .success(let notes):
        question.isPreparing = false
        question.notes += notes
        model.dialog = .question(question)
    case .failure(let failure):
        // A configuration that is wrong has a line for each mistake: all of them are worth reading.
        let lines = failure.message.split(whereSeparator: \.isNewline).map(String.init)
        model.dialog = nil
        if lines.count > 1 {
            model.page = .text(title: "Refused: \(Command.line(commands))", lines: lines)
            model.pageOffset = 0
        }
        model.refuse("\(commands.first?.summary ?? ""): \(lines.joined(separator: " / "))")
    }
}
