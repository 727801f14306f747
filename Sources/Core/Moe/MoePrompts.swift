// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What models are told when several answers are made of one question and one is made of them.
enum MoePrompts {
    static let models = "moe-"
    static let answers = 3

    static func critique(question: String, answer: String) -> String {
        """
        Judge the answer below to the question below. Name its strengths and its weaknesses in a few sentences: is it right, is it \
        complete, is it clear, does it do what was asked? Do not answer the question yourself.

        <question>
        \(question)
        </question>

        <answer>
        \(answer)
        </answer>
        """
    }

    static func choice(question: String, candidates: [(answer: String, critique: String)]) -> String {
        let list = candidates.enumerated().map { index, candidate in
            """
            <candidate number="\(index + 1)">
            \(candidate.answer)
            </candidate>
            """
                + (candidate.critique.isEmpty ? "" : "\n<critique number=\"\(index + 1)\">\n\(candidate.critique)\n</critique>")
        }.joined(separator: "\n\n")
        return """
            Below are a question, candidate answers to it, and critiques of these. Write the best final answer: take the best candidate, \
            and mend it where its critique or another candidate shows how. Answer in the language of the question. Write the answer alone, \
            as if it were the only one: do not speak of candidates, critiques or this task.

            <question>
            \(question)
            </question>

            \(list)
            """
    }
}
