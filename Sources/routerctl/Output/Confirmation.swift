// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Asks before something that cannot be taken back, or that clients would feel.
enum Confirmation {
    /// Returns if it is to be done.
    ///
    /// - Parameters:
    ///   - what: completes the question "... ?", such as `Cancel r-101`.
    ///   - warnings: printed before the question.
    ///   - yes: the answer, given on the command line.
    static func require(_ what: String, warnings: [String] = [], yes: Bool) throws(Failure) {
        if yes { return }
        guard Session.mayAsk else {
            throw Failure(
                status: .usage, code: "confirmation", message: (["not done: this wants a yes: \(what)"] + warnings).joined(separator: "; "),
                advice: ["Add --yes to do it."])
        }
        for warning in warnings { StandardError.write(line: DisplayText.clean("warning: \(warning)")) }
        StandardError.write(Array("\(DisplayText.clean(what))? [y/N] ".utf8))
        let answer = readLine(strippingNewline: true)
        // Whoever ends the input, or types only Return, has not said yes.
        if answer == nil { StandardError.write(line: "") }
        guard isYes(answer ?? "") else {
            throw Failure(status: .failed, code: "declined", message: "nothing was done")
        }
    }

    static func isYes(_ answer: String) -> Bool {
        ["y", "yes"].contains(answer.lowercased().filter { !$0.isWhitespace })
    }
}
