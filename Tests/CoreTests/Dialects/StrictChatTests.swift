// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// The strict service of the tests with agents refuses what strict services refuse. What breaks without these: it takes everything, and the
/// tests that stand on it are content with any translation.
@Suite struct StrictChatTests {
    private static let call = #"{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}"#
    private static let asked = #"{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[\#(call)]}"#
    private static let answered = asked + #",{"role":"tool","tool_call_id":"c1","content":"ok"}"#

    private static func refusal(_ members: String, thinking: StrictChat.Thinking = .refused) throws -> String? {
        let body = try JSONSerialization.jsonObject(with: Data(#"{"model":"m",\#(members)}"#.utf8)) as? [String: Any]
        return StrictChat(thinking: thinking).refusal(of: try #require(body))
    }

    @Test(arguments: [
        #""messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}"#,
        #""messages":[{"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":[{"type":"text","text":"a"},"#
            + #"{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ==","detail":"high"}}]}]"#,
        #""messages":[\#(answered)],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"auto""#,
    ]) func takesWhatIsRight(_ members: String) throws {
        let refusal = try Self.refusal(members)
        #expect(refusal == nil)
    }

    @Test(arguments: [
        (#""messages":[{"role":"user","content":"hi"}],"context_management":{}"#, "unknown field 'context_management'"),
        (#""messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}"#, "only with stream"),
        (#""messages":[{"role":"user","content":"hi"}],"tools":[]"#, "at least one tool"),
        (#""messages":[{"role":"user","content":"hi"}],"tool_choice":"auto""#, "only with tools"),
        (#""messages":[{"role":"user","content":"hi"}],"tools":[{"type":"web_search"}]"#, "no function"),
        (#""messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"a.b"}}]"#, "name a.b"),
        (#""messages":[{"role":"user","content":"hi"},{"role":"system","content":"s"},{"role":"user","content":"hi"}]"#, "at the beginning"),
        (#""messages":[{"role":"developer","content":"s"},{"role":"user","content":"hi"}]"#, "role 'developer'"),
        (#""messages":[\#(asked)]"#, "have no result"),
        (#""messages":[\#(asked),{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c1","content":"ok"}]"#, "have no result"),
        (#""messages":[\#(answered),{"role":"tool","tool_call_id":"c1","content":"ok"}]"#, "of no call"),
        (#""messages":[{"role":"tool","tool_call_id":"c1","content":"ok"}]"#, "of no call"),
        (#""messages":[\#(asked),{"role":"tool","tool_call_id":"c1","content":[]}]"#, "no list of parts"),
        (
            #""messages":[\#(asked),{"role":"tool","tool_call_id":"c1","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}]}]"#,
            "a part of type image_url"
        ),
        (#""messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x"}]"#, "the last message"),
        (
            #""messages":[{"role":"user","content":"a"},{"role":"assistant","content":"x","reasoning_content":"r"},{"role":"user","content":"b"}]"#,
            "unknown field"
        ),
    ]) func refusesWhatIsWrong(_ members: String, _ words: String) throws {
        let refusal = try Self.refusal(members)
        #expect(refusal?.contains(words) == true, "\(refusal ?? "taken")")
    }

    @Test func demandsThinkingWhereItIsTheKindThatDoes() throws {
        let without = try Self.refusal(#""messages":[\#(Self.answered)]"#, thinking: .demanded)
        #expect(without?.contains("must be passed back") == true)
        let thoughtful = Self.answered.replacingOccurrences(of: #""content":null"#, with: #""content":null,"reasoning_content":"r""#)
        let with = try Self.refusal(#""messages":[\#(thoughtful)]"#, thinking: .demanded)
        #expect(with == nil)
    }
}
