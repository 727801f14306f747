// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// `/api/embed` and `/api/embeddings` by way of `/v1/embeddings`.
struct OllamaEmbeddings: BodyTranslation {
    let model: String
    /// `/api/embed`: several inputs, counts. Else the older route: one prompt, one vector.
    let isBatch: Bool
    /// Vectors that must come back.
    let count: Int

    static func embed(_ body: JSONValue, model: String) throws(TranslationError) -> TranslatedCall {
        let asked = body["model"]?.string ?? model
        let input = body["input"].given ?? ""
        let count: Int
        switch input {
        case .string(let text): count = text.isEmpty ? 0 : 1
        case .array(let list):
            for (index, text) in list.enumerated() where text.string == nil {
                throw .malformed("input[\(index)]", "an input must be a string, not \(text.kind)")
            }
            count = list.count
        default: throw .malformed("input", "input must be a string or an array of strings, not \(input.kind)")
        }
        // Without input, Ollama loads the model and says so by an empty list.
        if count == 0 { return .immediate(["model": .string(asked), "embeddings": []]) }
        return .request(
            TranslatedRequest(
                path: "/v1/embeddings",
                body: [
                    "model": .string(model), "input": input, "dimensions": body["dimensions"].given, "encoding_format": "float",
                ],
                answer: .body(OllamaEmbeddings(model: asked, isBatch: true, count: count))))
    }

    static func embeddings(_ body: JSONValue, model: String) throws(TranslationError) -> TranslatedCall {
        let asked = body["model"]?.string ?? model
        let prompt = body["prompt"].given ?? ""
        guard let text = prompt.string else { throw .malformed("prompt", "prompt must be a string, not \(prompt.kind)") }
        if text.isEmpty { return .immediate(["embedding": []]) }
        return .request(
            TranslatedRequest(
                path: "/v1/embeddings", body: ["model": .string(model), "input": .string(text), "encoding_format": "float"],
                answer: .body(OllamaEmbeddings(model: asked, isBatch: false, count: 1))))
    }

    func translate(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue {
        guard let data = answer["data"]?.array else {
            throw .badAnswer("data", "the endpoint's answer has no data")
        }
        // In the order of the inputs, whatever the order of the answer.
        let ordered = data.enumerated().sorted { ($0.element["index"]?.integer ?? $0.offset) < ($1.element["index"]?.integer ?? $1.offset) }
        let vectors = ordered.map { JSONValue.array(($0.element["embedding"]?.array ?? []).map(Self.finite)) }
        guard vectors.count == count else {
            throw .badAnswer("data", "the endpoint gave \(vectors.count) embeddings for \(count) inputs")
        }
        if !isBatch { return ["embedding": vectors.first ?? []] }
        return [
            "model": .string(model), "embeddings": .array(vectors), "total_duration": .integer(time.total),
            "prompt_eval_count": answer["usage"]?["prompt_tokens"].given,
        ]
    }

    /// JSON has no NaN: servers write null, or the bare word (which `LenientNumbers` has made null). A zero keeps the vector usable.
    private static func finite(_ value: JSONValue) -> JSONValue {
        guard case .number(let text) = value, Double(text)?.isFinite == true else { return .number("0.0") }
        return value
    }
}

/// Python's JSON writes `NaN`, `Infinity` and `-Infinity`, which are no JSON.
enum LenientNumbers {
    private static let words = ["-Infinity", "Infinity", "NaN"].map { Array($0.utf8) }

    /// The document with null in their place. Strings are left as they are.
    static func nulled(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        var isInString = false
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if byte == UInt8(ascii: "\\"), index + 1 < bytes.count {
                    result += [byte, bytes[index + 1]]
                    index += 2
                    continue
                }
                isInString = byte != UInt8(ascii: "\"")
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if let word = words.first(where: { bytes[index...].starts(with: $0) }) {
                result += Array("null".utf8)
                index += word.count
                continue
            }
            result.append(byte)
            index += 1
        }
        return result
    }
}
