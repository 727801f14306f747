// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import CKernels

#if canImport(Dispatch)
    import Dispatch
#endif

/// all-MiniLM-L6-v2: a sentence to a vector of length 1 whose direction is its meaning (Reimers and Gurevych, "Sentence-BERT", 2019;
/// the six-layer student of Wang et al., "MiniLM", 2020). Weights are held in half precision, sums are single.
package final class MiniLM: Sendable {
    static let width = 384
    /// Tokens that are read of a text, both marks included; the model was trained on no more.
    static let tokenLimit = 256
    private static let layerCount = 6
    private static let heads = 12
    private static let inner = 1536
    private static let words = 30522
    private static let positions = 512
    private static let epsilon: Float = 1e-12
    /// From this many tokens on, matrix products are worth a second thread.
    private static let longText = 24
    private static let linearScratch = 16 * inner

    /// A matrix as the kernels want it, and its bias.
    private struct Linear: Sendable {
        let packed: [UInt16]
        let bias: [Float]
        let inputs: Int

        init(_ weights: [Float], _ bias: [Float], inputs: Int) {
            self.bias = bias
            self.inputs = inputs
            packed = [UInt16](unsafeUninitializedCapacity: weights.count) { buffer, count in
                kernels_pack(weights, Int32(bias.count), Int32(inputs), buffer.baseAddress)
                count = weights.count
            }
        }
    }

    private struct Norm: Sendable {
        let gamma: [Float]
        let beta: [Float]
    }

    private struct Layer: Sendable {
        let queryKeyValue: Linear
        let attentionOutput: Linear
        let attentionNorm: Norm
        let intermediate: Linear
        let output: Linear
        let outputNorm: Norm
    }

    private let tokenizer: WordPiece
    private let wordTable: [UInt16]
    /// Each position's vector, and that of the only kind of sentence there is.
    private let positionTable: [Float]
    private let embeddingNorm: Norm
    private let layers: [Layer]
    nonisolated(unsafe) private let kernels: UnsafePointer<Kernels>

    /// - Parameter portable: without what only this processor can.
    /// - Throws: `SafeTensors.Unreadable`, `WordPiece.BadVocabulary`.
    init(_ file: SafeTensors, vocabulary: some StringProtocol, portable: Bool = false) throws {
        func norm(_ name: String) throws -> Norm {
            Norm(gamma: try file.values(name + ".weight", count: Self.width), beta: try file.values(name + ".bias", count: Self.width))
        }
        func linear(_ names: [String], outputs: Int, inputs: Int) throws -> Linear {
            var weights: [Float] = []
            var bias: [Float] = []
            for name in names {
                weights += try file.values(name + ".weight", count: outputs * inputs)
                bias += try file.values(name + ".bias", count: outputs)
            }
            return Linear(weights, bias, inputs: inputs)
        }
        tokenizer = try WordPiece(vocabulary: vocabulary)
        let table = try file.values("embeddings.word_embeddings.weight", count: Self.words * Self.width)
        wordTable = [UInt16](unsafeUninitializedCapacity: table.count) { buffer, count in
            kernels_to_half(table, buffer.baseAddress, table.count)
            count = table.count
        }
        var positions = try file.values("embeddings.position_embeddings.weight", count: Self.positions * Self.width)
        let kind = try file.values("embeddings.token_type_embeddings.weight", count: 2 * Self.width)
        for index in positions.indices { positions[index] += kind[index % Self.width] }
        positionTable = positions
        embeddingNorm = try norm("embeddings.LayerNorm")
        layers = try (0..<Self.layerCount).map { index in
            let name = "encoder.layer.\(index)."
            return Layer(
                queryKeyValue: try linear(
                    ["query", "key", "value"].map { name + "attention.self." + $0 }, outputs: Self.width, inputs: Self.width),
                attentionOutput: try linear([name + "attention.output.dense"], outputs: Self.width, inputs: Self.width),
                attentionNorm: try norm(name + "attention.output.LayerNorm"),
                intermediate: try linear([name + "intermediate.dense"], outputs: Self.inner, inputs: Self.width),
                output: try linear([name + "output.dense"], outputs: Self.width, inputs: Self.inner),
                outputNorm: try norm(name + "output.LayerNorm"))
        }
        kernels = portable ? kernels_portable() : kernels_best()
    }

    package func tokens(_ text: String) -> [Int32] { tokenizer.tokens(text, limit: Self.tokenLimit) }

    /// 384 numbers, of length 1. Takes milliseconds: not for an event loop.
    package func embed(_ text: String) -> [Float] { embed(tokens: tokens(text)) }

    func embed(tokens: [Int32]) -> [Float] {
        let count = min(tokens.count, Self.positions)
        let size = count * Self.width
        // One block for all that is needed in between.
        let scratchLength = max(2 * Self.linearScratch, count + 2 * count * Self.width / Self.heads)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * size + count * max(3 * Self.width, Self.inner) + scratchLength) { block in
            guard let state = block.baseAddress else { return [] }
            let attended = state + size
            let projected = attended + size
            let wide = projected + size
            let scratch = wide + count * max(3 * Self.width, Self.inner)
            look(up: tokens.prefix(count), into: state)
            normalise(state, nil, rows: count, embeddingNorm)
            for layer in layers {
                multiply(state, rows: count, layer.queryKeyValue, into: wide, scratch)
                kernels.pointee.attention(wide, Int32(count), Int32(Self.heads), Int32(Self.width / Self.heads), attended, scratch)
                multiply(attended, rows: count, layer.attentionOutput, into: projected, scratch)
                normalise(projected, state, rows: count, layer.attentionNorm)
                multiply(projected, rows: count, layer.intermediate, into: wide, scratch)
                kernels.pointee.gelu(wide, count * Self.inner)
                multiply(wide, rows: count, layer.output, into: state, scratch)
                normalise(state, projected, rows: count, layer.outputNorm)
            }
            return Self.mean(state, rows: count)
        }
    }

    private func look(up tokens: some Sequence<Int32>, into state: UnsafeMutablePointer<Float>) {
        wordTable.withUnsafeBufferPointer { table in
            for (row, token) in tokens.enumerated() {
                guard let base = table.baseAddress, (0..<Int32(Self.words)).contains(token) else { continue }
                let target = state + row * Self.width
                kernels.pointee.unpack(base + Int(token) * Self.width, target, Self.width)
                for index in 0..<Self.width { target[index] += positionTable[row * Self.width + index] }
            }
        }
    }

    private func multiply(
        _ input: UnsafePointer<Float>, rows: Int, _ linear: Linear, into output: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
    ) {
        let (inputs, outputs) = (linear.inputs, linear.bias.count)
        // Each half has its own rows of the output and its own scratch.
        nonisolated(unsafe) let (input, output, scratch) = (input, output, scratch)
        @Sendable func part(_ from: Int, _ to: Int, _ scratch: UnsafeMutablePointer<Float>) {
            kernels.pointee.linear(
                input + from * inputs, Int32(to - from), Int32(inputs), linear.packed, linear.bias, Int32(outputs), output + from * outputs, scratch)
        }
        guard rows >= Self.longText else { return part(0, rows, scratch) }
        DispatchQueue.concurrentPerform(iterations: 2) { half in
            if half == 0 { part(0, rows / 2, scratch) } else { part(rows / 2, rows, scratch + Self.linearScratch) }
        }
    }

    private func normalise(_ state: UnsafeMutablePointer<Float>, _ residual: UnsafePointer<Float>?, rows: Int, _ norm: Norm) {
        kernels.pointee.layer_norm(state, residual, Int32(rows), Int32(Self.width), norm.gamma, norm.beta, Self.epsilon)
    }

    private static func mean(_ state: UnsafePointer<Float>, rows: Int) -> [Float] {
        var sum = [Float](repeating: 0, count: width)
        for row in 0..<rows { for index in 0..<width { sum[index] += state[row * width + index] } }
        return normalised(sum)
    }

    /// Of length 1; a vector of nothing stays as it is.
    static func normalised(_ vector: [Float]) -> [Float] {
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? vector.map { $0 / length } : vector
    }
}
