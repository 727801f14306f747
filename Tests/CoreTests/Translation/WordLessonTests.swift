// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// What breaks without these: a service refuses each request for a word of the router's, or loses a word for a refusal that is about
/// something else.
@Suite struct WordLessonTests {
    private static let everything = SaidFields(optional: Set(OptionalField.allCases), limit: true, thinking: nil)

    private func lesson(_ status: Int, _ body: String, said: SaidFields = everything, _ settings: WordSettings? = nil) -> WordSettings? {
        WordLesson.of(status: status, Array(body.utf8), said: said, words: EndpointWords(.openAI, configured: settings))
    }

    @Test(arguments: [
        (
            422,
            #"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{"user":"x"}}]}"#,
            WordSettings(refused: [.streamOptions])
        ),
        (
            422,
            #"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"no"},{"type":"extra_forbidden","loc":["body","prompt_cache_key"],"msg":"no"}]}"#,
            WordSettings(refused: [.streamOptions, .cacheKey])
        ),
        (400, #"{"error":{"message":"Unknown parameter: 'user'.","param":"user"}}"#, WordSettings(refused: [.user])),
        (400, #"{"error":{"message":"Unrecognized request argument supplied: user"}}"#, WordSettings(refused: [.user])),
        (400, #"{"error":{"message":"Unrecognized request arguments supplied: strict, user"}}"#, WordSettings(refused: [.user, .strict])),
        (400, #"{"error":{"message":"Unsupported parameter: user."}}"#, WordSettings(refused: [.user])),
        (400, #"{"error":{"message":"user: Extra inputs are not permitted"}}"#, WordSettings(refused: [.user])),
        (400, #"{"error":{"message":"tools.0.function.strict: Extra inputs are not permitted"}}"#, WordSettings(refused: [.strict])),
        (
            400, #"{"error":{"message":"1 validation error for Request\nuser\n  Extra inputs are not permitted"}}"#, WordSettings(refused: [.user])
        ),
        (400, #"{"error":{"message":"Unrecognized request argument supplied: reasoning_effort"}}"#, WordSettings(refused: [.reasoningEffort])),
        (
            400,
            #"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
            WordSettings(limit: .maxCompletionTokens)
        ),
        (
            400, #"{"error":{"message":"The reasoning_content in the thinking mode must be passed back to the API."}}"#,
            WordSettings(thinking: .demanded(.reasoningContent))
        ),
        (400, #"{"error":"\"m\" does not support thinking"}"#, WordSettings(refused: [.think])),
        (400, #"{"error":"think value \"low\" is not supported for this model"}"#, WordSettings(refused: [.think])),
    ])
    func aRefusalThatNamesAWordTeaches(_ status: Int, _ body: String, _ wanted: WordSettings) {
        #expect(lesson(status, body) == wanted)
    }

    @Test func thoughtsThatAreNotWantedAreLeftOut() {
        let said = SaidFields(thinking: .reasoning)
        let words = WordSettings(thinking: .handed(.reasoning))
        let body = #"{"error":{"message":"Extra inputs are not permitted: \"reasoning\""}}"#
        #expect(lesson(400, body, said: said, words) == WordSettings(thinking: .leftOut))
    }

    @Test func systemMessagesGoToTheFrontWhereTheTemplateSaysSo() {
        let body = #"{"error":{"code":500,"message":"System message must be at the beginning.","type":"server_error"}}"#
        #expect(lesson(500, body, WordSettings(system: .anywhere)) == WordSettings(system: .first))
        #expect(lesson(500, body) == nil, "they were there already")
    }

    @Test(arguments: [
        (400, #"{"error":{"message":"the user message is too long"}}"#), (400, #"{"error":{"message":"user: the quota is used up"}}"#),
        (400, #"{"error":{"message":"Invalid parameter: messages must begin with a user turn"}}"#), (400, #"{"error":{"message":"bad image"}}"#),
        (400, ""),
        (404, #"{"error":{"message":"stream_options"}}"#), (500, #"{"error":{"message":"stream_options"}}"#),
        (422, #"{"detail":[{"loc":["body","messages"],"msg":"field required","input":{"stream_options":{}}}]}"#),
    ])
    func aRefusalOfSomethingElseTeachesNothing(_ status: Int, _ body: String) {
        #expect(lesson(status, body) == nil)
    }

    @Test(arguments: [
        (404, #"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#, true), (404, #"{"detail":"Not Found"}"#, true),
        (404, "404 page not found", true), (405, "", true), (501, "", true), (404, #"{"error":"model 'x' not found"}"#, false),
        (400, #"{"error":"no such route"}"#, false), (500, "", false),
    ])
    func aRouteThatIsNotThereIsToldFromAModel(_ status: Int, _ body: String, _ lacks: Bool) {
        #expect(WordLesson.lacksRoute(status: status, Array(body.utf8)) == lacks)
    }

    @Test func whatWasNotSaidIsNotLearned() {
        #expect(lesson(400, #"{"error":{"message":"stream_options"}}"#, said: SaidFields()) == nil)
    }

    @Test func whatIsLeftOutIsTold() {
        #expect(FieldNote.text(["speed", "novel\r\nX-Evil: 1"]) == "left out: speed, novel??X-Evil: 1")
        #expect(FieldNote.text((0..<30).map { "f\($0)" }).hasSuffix("f19 and 10 more"))
    }

    @Test func theOperatorsWordCounts() {
        let learned = WordSettings(limit: .maxCompletionTokens, refused: [.user])
        let words = EndpointWords(.openAI, learned: learned, configured: WordSettings(limit: .maxTokens))
        #expect(words.limit == .maxTokens && words.refused == [.user])
        #expect(learned.text == "max_tokens: max_completion_tokens; refuses: [user]")
        #expect(WordSettings(speaksMessages: false).corrected([.chat, .messages]) == [.chat])
    }
}
