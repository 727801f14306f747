// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

@testable import Core

/// The vectors are those of the reference implementation (PyTorch), token for token and number for number.
@Suite(.serialized) struct MiniLMTests {
    struct Sample: Decodable {
        let text: String
        let tokens: Int
        let crc: UInt32
        let scale: Double
        let vector: String

        /// Two in three bytes, twelve bits each.
        var components: [Float] {
            let bytes = Data(base64Encoded: vector).map(Array.init) ?? []
            return stride(from: 0, to: bytes.count - 2, by: 3).flatMap { index in
                let pair = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
                return [pair >> 12, pair & 0xfff].map { Float(Double($0 - 2047) * scale / 2047) }
            }
        }
    }

    static let samples: [Sample] = {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Reference/sentences.jsonl")
        let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Sample.self, from: Data($0.utf8)) }
    }()

    /// Where `make test` installs the model.
    static let folder = Checkout.root + "/.build/model"
    static let model = Result { try ModelFolder.load(ModelFolder.find(folder)) }

    static func cosine(_ left: [Float], _ right: [Float]) -> Double {
        func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        return dot(left, right) / (dot(left, left) * dot(right, right)).squareRoot()
    }

    static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xedb8_8320 : 0) }
        }
    }

    @Test func tokensAreTheReferences() throws {
        let model = try Self.model.get()
        #expect(Self.samples.count == 1000)
        for sample in Self.samples {
            let tokens = model.tokens(sample.text)
            let bytes = tokens.flatMap { token in withUnsafeBytes(of: token.littleEndian) { Array($0) } }
            #expect(
                tokens.count == sample.tokens && Self.crc32(bytes) == sample.crc, "\(sample.text.debugDescription.prefix(80)) \(tokens.prefix(20))")
        }
    }

    @Test func vectorsAreTheReferences() throws {
        let model = try Self.model.get()
        var worst = 1.0
        for sample in Self.samples {
            let cosine = Self.cosine(model.embed(sample.text), sample.components)
            worst = min(worst, cosine)
            #expect(cosine >= 0.9999, "\(sample.text.debugDescription.prefix(60)): \(cosine)")
        }
        print("worst cosine of \(Self.samples.count): \(worst)")
    }

    /// What processors without AVX2 compute is the same.
    @Test func thePortableKernelsAgree() throws {
        let portable = try ModelFolder.load(Self.folder, portable: true)
        let model = try Self.model.get()
        for sample in Self.samples.filter({ $0.tokens < 40 }).prefix(60) {
            let cosine = Self.cosine(model.embed(sample.text), portable.embed(sample.text))
            #expect(cosine >= 0.99999, "\(sample.text.debugDescription): \(cosine)")
        }
    }

    @Test func theFirstNumbersAreKnown() throws {
        let model = try Self.model.get()
        #expect(model.tokens("What is the capital of France?") == [101, 2054, 2003, 1996, 3007, 1997, 2605, 1029, 102])
        let vector = model.embed("What is the capital of France?")
        for (value, known) in zip(vector, [0.082048, 0.036055, -0.003893, -0.004881, 0.025651, -0.057143]) {
            #expect(abs(Double(value) - known) < 1e-3)
        }
        #expect(abs(Self.cosine(vector, vector) - 1) < 1e-6 && abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    }

    /// Missing or damaged files are told with what to do.
    @Test func badFilesAreSaid() throws {
        let folder = try TemporaryFolder()
        #expect(throws: ModelFolder.Fault.self) { try ModelFolder.find(folder.path) }
        try folder.write("garbage that is longer than eight bytes", to: "model.safetensors")
        try folder.write("[UNK]\n", to: "vocab.txt")
        let found = try ModelFolder.find(folder.path)
        do {
            _ = try ModelFolder.load(found)
            Issue.record("garbage was taken for a model")
        } catch {
            #expect("\(error)".contains("no file of tensors"))
        }
        // One byte is another.
        var vocabulary = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/vocab.txt"))
        vocabulary[100] ^= 1
        try vocabulary.write(to: URL(fileURLWithPath: folder.path + "/vocab.txt"))
        try FileManager.default.removeItem(atPath: folder.path + "/model.safetensors")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/model.safetensors", withDestinationPath: Self.folder + "/model.safetensors")
        do {
            _ = try ModelFolder.load(folder.path)
            Issue.record("a damaged vocabulary was taken")
        } catch {
            #expect("\(error)".contains("vocab.txt is not what it should be"))
        }
    }
}
