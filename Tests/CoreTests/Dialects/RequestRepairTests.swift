// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// What breaks without these: a conversation loses what must stay, or a refusal is taken for another.
@Suite struct RequestRepairTests {
    private static func messages(_ roles: String) -> [JSONValue] {
        roles.enumerated().map { index, role in
            let name = ["s": "system", "u": "user", "a": "assistant", "t": "tool"][String(role)] ?? ""
            return ["role": .string(name), "content": .string("\(role)\(index)")]
        }
    }

    @Test(
        arguments: [
            ("suauau", 1, "suau"), ("uauau", 10, "uau"), ("suatau", 1, "su"), ("su", 100, nil), ("u", 100, nil), ("ssuau", 100, "ssu"),
            ("uuu", 1, "uu"),
            ("suauau", 0, nil),
        ] as [(String, Int, String?)])
    func theOldestGoAndWhatHangsOnThem(_ roles: String, _ shed: Int, _ left: String?) {
        let counts = Dictionary(uniqueKeysWithValues: (0..<roles.count).map { ($0, 5) })
        let result = ContextTrimming.trimmed(Self.messages(roles), shed: shed, tokens: counts)
        #expect(result.map { $0.messages.map { String(($0["content"]?.string ?? "").prefix(1)) }.joined() } == left)
        if let result { #expect(result.messages.last?["content"]?.string == "\(roles.last ?? "x")\(roles.count - 1)") }
    }

    @Test func aQuarterIsLeftForTheAnswer() {
        #expect(ContextTrimming.target(context: 4096) == 3072)
        #expect(ContextTrimming.shed(prompt: 3072, context: 4096) == 0)
        #expect(ContextTrimming.shed(prompt: 4072, context: 4096) == 1200)
    }

    @Test(arguments: [
        (400, #"{"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":900,"n_ctx":512,"message":"x"}}"#, 512, 900),
        (
            400,
            #"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.","code":"context_length_exceeded"}}"#,
            8192, 9001
        ),
        (400, #"{"error":"the prompt is too long"}"#, 0, 0),
    ])
    func excessIsReadAsEachServerTellsIt(_ status: Int, _ body: String, _ context: Int, _ prompt: Int) {
        #expect(ContextTrimming.excess(status: status, body: Array(body.utf8)) == .init(context: context, prompt: prompt))
    }

    @Test func otherRefusalsAreNone() {
        for body in [#"{"error":"model not found"}"#, "oops", "{}", #"{"error":{"message":"context"}}"#] {
            #expect(ContextTrimming.excess(status: 400, body: Array(body.utf8)) == nil)
        }
        #expect(ContextTrimming.excess(status: 200, body: Array(#"{"error":"the prompt is too long"}"#.utf8)) == nil)
    }

    @Test func eachStepIsTakenAtMostOnce() throws {
        var repair = RequestRepair(contextShift: true, retryWithout: [.images, .tools])
        let body = try JSONValue(
            unchecked:
                #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"data:"}}]}],"tools":[{}]}"#
        )
        let tooLong = Array(#"{"error":"the prompt is too long"}"#.utf8)
        let excess = ContextTrimming.Excess(context: 0, prompt: 0)
        #expect(repair.next(status: 400, answer: tooLong, body: body) == .trim(excess))
        #expect(repair.next(status: 400, answer: tooLong, body: body) == .trim(excess))
        #expect(repair.next(status: 400, answer: tooLong, body: body) == .dropTools(why: "the conversation is too long"))
        #expect(repair.next(status: 400, answer: tooLong, body: body) == nil)
        let noTools = Array(#"{"error":"\"m\" does not support tools"}"#.utf8)
        #expect(repair.next(status: 400, answer: noTools, body: body) == nil, "they are gone already")
        let noImages = Array(#"{"error":{"message":"image input is not supported - hint: you may need to provide the mmproj"}}"#.utf8)
        #expect(repair.next(status: 500, answer: noImages, body: body) == .dropImages)
        #expect(repair.next(status: 500, answer: noImages, body: body) == nil)
    }

    @Test func nothingIsDoneThatIsNotConfigured() throws {
        var repair = RequestRepair(contextShift: false, retryWithout: [])
        let body: JSONValue = ["tools": [[:]], "images": ["x"], "messages": .array(Self.messages("uau"))]
        for text in ["the prompt is too long", "does not support tools", "does not support images"] {
            #expect(repair.next(status: 400, answer: Array("{\"error\":\"\(text)\"}".utf8), body: body) == nil)
        }
    }

    @Test func imagesAndToolsGoWhereverTheyStand() throws {
        let body = try JSONValue(
            unchecked:
                #"{"model":"m","images":["a"],"messages":[{"role":"user","content":"x","images":["b"]},{"role":"user","content":[{"type":"image_url"}]},{"role":"user","content":[{"type":"image"},{"type":"text","text":"y"}]}],"tools":[1],"tool_choice":"auto"}"#
        )
        #expect(
            RequestRepair.withoutTools(RequestRepair.withoutImages(body)).text
                == #"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"user","content":""},{"role":"user","content":[{"type":"text","text":"y"}]}]}"#
        )
    }
}
