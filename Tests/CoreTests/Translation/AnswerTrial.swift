// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import Testing

@testable import Core

/// Brings an endpoint's answer to a client of another dialect, and reads what the client gets.
struct AnswerTrial {
    /// What an answer says, whatever dialect it is told in.
    struct Told: Equatable, CustomStringConvertible {
        var text = ""
        var thinking = ""
        /// "name(arguments)"
        var calls: [String] = []
        /// `stop`, `length`, `calls`, `refusal`, or "failed: why".
        var end = ""

        var description: String { "text '\(text)', thinking '\(thinking)', calls \(calls), \(end)" }
    }

    enum Client: CaseIterable {
        case ollama, chat, messages, responses

        var operation: Core.Operation {
            switch self {
            case .ollama: .ollamaChat
            case .chat: .chat
            case .messages: .messages
            case .responses: .responses
            }
        }

        func request(stream: Bool, more: String = "") -> String {
            let question = self == .responses ? #""input":"x""# : #""messages":[{"role":"user","content":"x"}]"#
            return #"{"model":"asked",\#(question),"stream":\#(stream)\#(more)}"#
        }
    }

    static let time = AnswerTime(total: 9000, sinceFirstItem: nil, now: "T")

    var client: Client
    var stream: Bool
    var kind = EndpointKind.openAI
    /// Members of the request.
    var more = ""

    func answer(status: Int = 200, framing: StreamFraming? = nil, key: Secret? = nil) throws -> TranslatedAnswer {
        let translation = RequestTranslation(model: "m", words: EndpointWords(kind), id: "1", unixSeconds: 5)
        let body = try JSONValue(unchecked: client.request(stream: stream, more: more))
        guard case .request(let request) = try translation.make(client.operation, body) else { throw TranslationError.malformed("", "no request") }
        let answer = TranslatedAnswer(request.answer, lineLimit: 10_000, key: key)
        answer.begin(status: status, framing: framing)
        return answer
    }

    /// What the client gets, in pieces of this many bytes.
    func run(_ bytes: [UInt8], framing: StreamFraming? = .serverSentEvents, piece: Int = 100_000) throws -> (
        out: String, ending: TranslatedAnswer.Ending
    ) {
        let answer = try answer(framing: framing)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            out += Array(bytes[start..<min(start + piece, bytes.count)]).withUnsafeBytes { answer.feed($0) { _ in Self.time } }
        }
        let ending = answer.finish(Self.time)
        switch ending {
        case .stream(let rest, _), .answer(let rest, _): out += rest
        case .error: break
        }
        return (String(decoding: out, as: UTF8.self), ending)
    }

    func told(_ bytes: [UInt8], framing: StreamFraming? = .serverSentEvents, piece: Int = 100_000) throws -> Told {
        let (out, ending) = try run(bytes, framing: framing, piece: piece)
        if case .error(_, let message) = ending { return Told(end: "failed: \(message)") }
        return try read(out)
    }

    // MARK: Reading as a client does

    func read(_ out: String) throws -> Told {
        switch client {
        case .ollama: return try read(out, OllamaStreamReader(id: "x"), lines: out.split(separator: "\n").map(String.init))
        case .chat:
            let events = Self.events(out).map(\.data)
            return try read(out, ChatStreamReader(id: "x"), lines: events)
        case .messages: return try stream ? messages(Self.events(out)) : message(try JSONValue(unchecked: out))
        case .responses:
            guard stream else { return try response(try JSONValue(unchecked: out)) }
            let last = try #require(Self.events(out).last)
            try checkItems(Self.events(out))
            return try response(try JSONValue(unchecked: last.data)["response"] ?? [:])
        }
    }

    static func events(_ out: String) -> [(name: String, data: String)] {
        out.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { event in
            let lines = event.components(separatedBy: "\n")
            let name = lines.first { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) } ?? ""
            return (name, lines.first { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) } ?? "")
        }
    }

    private func read(_ out: String, _ reader: some AnswerEventReader, lines: [String]) throws -> Told {
        var reader = reader
        var gathered = GatheredAnswer()
        if stream {
            for line in lines { Array(line.utf8).withUnsafeBytes { reader.read($0, isError: false, into: &gathered) } }
            reader.end(into: &gathered)
        } else {
            reader.read(whole: try JSONValue(unchecked: out), into: &gathered)
        }
        return Told(gathered)
    }

    private func message(_ message: JSONValue) throws -> Told {
        var told = Told()
        for block in message["content"]?.array ?? [] {
            switch block["type"] {
            case "text"?: told.text += block["text"]?.string ?? ""
            case "thinking"?: told.thinking += block["thinking"]?.string ?? ""
            default: told.calls.append("\(block["name"]?.string ?? "")(\(block["input"]?.text ?? ""))")
            }
        }
        told.end = Self.end(message["stop_reason"]?.string)
        return told
    }

    private static func end(_ reason: String?) -> String {
        ["end_turn": "stop", "max_tokens": "length", "tool_use": "calls", "refusal": "refusal"][reason ?? ""] ?? "odd: \(reason ?? "nil")"
    }

    /// Checks the order, too: blocks are begun, filled and ended one after the other.
    private func messages(_ events: [(name: String, data: String)]) throws -> Told {
        var told = Told(end: "cut")
        var open: Int?
        var next = 0
        for (name, text) in events {
            let data = try JSONValue(unchecked: text)
            #expect(data["type"]?.string == name)
            switch name {
            case "content_block_start":
                #expect(open == nil && data["index"]?.integer == next)
                open = next
                if data["content_block"]?["type"] == "tool_use" { told.calls.append("\(data["content_block"]?["name"]?.string ?? "")(") }
            case "content_block_delta":
                #expect(open != nil && data["index"]?.integer == open)
                told.text += data["delta"]?["text"]?.string ?? ""
                told.thinking += data["delta"]?["thinking"]?.string ?? ""
                if let part = data["delta"]?["partial_json"]?.string { told.calls[told.calls.count - 1] += part }
            case "content_block_stop":
                #expect(open != nil)
                open = nil
                next += 1
            case "message_delta": told.end = Self.end(data["delta"]?["stop_reason"]?.string)
            case "error": told.end = "failed: \(data["error"]?["message"]?.string ?? "")"
            default: break
            }
        }
        told.calls = told.calls.map { $0.hasSuffix("(") ? $0 + "{})" : $0 + ")" }
        return told
    }

    /// Events are numbered, and all that are about one item call it by one id, from its beginning to the response that holds it.
    private func checkItems(_ events: [(name: String, data: String)]) throws {
        var ids: [Int: String] = [:]
        for (number, event) in events.enumerated() {
            let data = try JSONValue(unchecked: event.data)
            #expect(data["type"]?.string == event.name && data["sequence_number"]?.integer == number)
            for (index, item) in (data["response"]?["output"]?.array ?? []).enumerated() { #expect(item["id"]?.string == ids[index], "\(event)") }
            guard let index = data["output_index"]?.integer else { continue }
            let id = data["item_id"]?.string ?? data["item"]?["id"]?.string
            if event.name == "response.output_item.added" {
                #expect(ids[index] == nil && index == ids.count, "\(event)")
                ids[index] = id
            }
            #expect(id != nil && id == ids[index], "\(event)")
        }
        #expect(Set(ids.values).count == ids.count)
    }

    private func response(_ response: JSONValue) throws -> Told {
        var told = Told()
        for item in response["output"]?.array ?? [] {
            switch item["type"] {
            case "message"?: for part in item["content"]?.array ?? [] { told.text += (part["text"] ?? part["refusal"])?.string ?? "" }
            case "reasoning"?: for part in item["content"]?.array ?? [] { told.thinking += part["text"]?.string ?? "" }
            default: told.calls.append("\(item["name"]?.string ?? "")(\(item["arguments"]?.string ?? item["input"]?.string ?? ""))")
            }
        }
        switch response["status"] {
        case "completed"?: told.end = told.calls.isEmpty ? "stop" : "calls"
        case "incomplete"?: told.end = response["incomplete_details"]?["reason"] == "content_filter" ? "refusal" : "length"
        case "failed"?: told.end = "failed: \(response["error"]?["message"]?.string ?? "")"
        default: told.end = "odd"
        }
        return told
    }
}

extension AnswerTrial.Told {
    init(_ answer: GatheredAnswer) {
        for item in answer.items {
            switch item {
            case .text(let piece), .refusal(let piece): text += EscapedText.decoded(piece)
            case .thinking(let piece): thinking += EscapedText.decoded(piece)
            case .call(_, let name, let arguments): calls.append("\(name)(\(arguments.isEmpty ? "{}" : EscapedText.decoded(arguments)))")
            }
        }
        end = answer.error.map { "failed: \($0.message)" } ?? answer.reason.map { "\($0)" } ?? "cut"
    }
}
