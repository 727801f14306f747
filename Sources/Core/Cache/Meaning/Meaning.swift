// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What an entry says besides its answer, for requests that mean the same in other words.
struct Meaning: Sendable, Equatable {
    /// Everything but question and history: it must be equal.
    var fingerprint: Digest
    var question: String
    /// `HistoryWeights.mark` of what was said before the question; empty where nothing was.
    var history: String
    var vector: [Float]

    /// JSON, the vector as 16-bit numbers.
    var encoded: [UInt8] {
        let bytes = vector.flatMap { value in
            withUnsafeBytes(of: Int16(max(-1, min(1, value)) * 32767).littleEndian) { Array($0) }
        }
        let json: JSONValue = [
            "fingerprint": .string(fingerprint.hex), "question": .string(question), "history": .string(history),
            "vector": .string(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()),
        ]
        return json.bytes
    }

    init(fingerprint: Digest, question: String, history: String, vector: [Float]) {
        self.fingerprint = fingerprint
        self.question = question
        self.history = history
        self.vector = vector
    }

    /// Nil for what is damaged.
    init?(encoded: [UInt8]) {
        guard let json = try? JSONValue(parsing: encoded), let fingerprint = json["fingerprint"]?.string.flatMap({ Digest(hex: $0) }),
            let question = json["question"]?.string, let history = json["history"]?.string,
            let digits = json["vector"]?.string.map({ Array($0.utf8) }),
            !digits.isEmpty, digits.count.isMultiple(of: 4)
        else { return nil }
        var vector: [Float] = []
        for index in stride(from: 0, to: digits.count, by: 4) {
            guard let low = Self.byte(digits[index], digits[index + 1]), let high = Self.byte(digits[index + 2], digits[index + 3]) else {
                return nil
            }
            vector.append(Float(Int16(bitPattern: UInt16(high) << 8 | UInt16(low))) / 32767)
        }
        self.init(fingerprint: fingerprint, question: question, history: history, vector: vector)
    }

    private static func byte(_ high: UInt8, _ low: UInt8) -> UInt8? {
        guard let high = nibble(high), let low = nibble(low) else { return nil }
        return high << 4 | low
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
