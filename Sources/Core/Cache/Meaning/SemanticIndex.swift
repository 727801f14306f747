// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import CKernels
import NIOConcurrencyHelpers

#if canImport(Dispatch)
    import Dispatch
#endif

/// Vectors of what is kept, by namespace and fingerprint, and exact search among them: bytes first, as they are a quarter of the
/// memory that has to be read, with a bound on what that loses, then the few that may be near enough in 16 bits.
final class SemanticIndex: Sendable {
    struct Match: Sendable, Equatable {
        var key: Digest
        var similarity: Float
        var question: String
        var history: String
    }

    /// Requests that may be answered by each other.
    struct Group: Hashable, Sendable {
        var namespace: String
        var fingerprint: Digest
        /// Components of the vectors.
        var width: Int
    }

    private struct Item: Sendable {
        var key: Digest
        var question: String
        var history: String
        /// Unix milliseconds; nil for never.
        var expires: Int?
    }

    /// Some vectors in a row. Small enough to be copied when one is added while another thread searches.
    private struct Block: Sendable {
        static let capacity = 1024
        var items: [Item] = []
        /// What one step of a byte of the vector is worth, and the length of what rounding to bytes took away. Apart from the items, as
        /// a search reads them of all and the rest of few.
        var scales: [Float] = []
        var losses: [Float] = []
        var bytes: [Int8] = []
        var halves: [Int16] = []
    }

    private struct State {
        var groups: [Group: [Block]] = [:]
        var places: [Digest: Group] = [:]
    }

    private let state = NIOLockedValueBox(State())
    nonisolated(unsafe) private let kernels: UnsafePointer<Kernels> = kernels_best()

    /// The most that a search looks at more closely.
    private static let shortList = 64

    var keys: Set<Digest> { state.withLockedValue { Set($0.places.keys) } }

    var count: Int { state.withLockedValue { $0.places.count } }

    // MARK: Content

    /// Replaces what was there under the key.
    func add(_ key: Digest, namespace: String, _ meaning: Meaning, expires: Int?) {
        let vector = Self.padded(meaning.vector)
        let (bytes, scale, loss) = Self.bytes(vector)
        let item = Item(key: key, question: meaning.question, history: meaning.history, expires: expires)
        let halves = Self.halves(vector)
        let group = Group(namespace: namespace, fingerprint: meaning.fingerprint, width: meaning.vector.count)
        state.withLockedValue { state in
            Self.remove(key, from: &state)
            state.places[key] = group
            if state.groups[group]?.last?.items.count ?? Block.capacity >= Block.capacity { state.groups[group, default: []].append(Block()) }
            guard let last = state.groups[group]?.indices.last else { return }
            state.groups[group]?[last].items.append(item)
            state.groups[group]?[last].scales.append(scale)
            state.groups[group]?[last].losses.append(loss)
            state.groups[group]?[last].bytes += bytes
            state.groups[group]?[last].halves += halves
        }
    }

    func remove(_ keys: some Sequence<Digest>) {
        state.withLockedValue { state in for key in keys { Self.remove(key, from: &state) } }
    }

    func removeAll() { state.withLockedValue { $0 = State() } }

    private static func remove(_ key: Digest, from state: inout State) {
        guard let group = state.places.removeValue(forKey: key), var blocks = state.groups.removeValue(forKey: group) else { return }
        defer { if !blocks.isEmpty { state.groups[group] = blocks } }
        guard let block = blocks.firstIndex(where: { $0.items.contains { $0.key == key } }),
            let index = blocks[block].items.firstIndex(where: { $0.key == key })
        else { return }
        // The last of the block takes its place.
        let last = blocks[block].items.count - 1
        blocks[block].items.swapAt(index, last)
        blocks[block].items.removeLast()
        blocks[block].scales.swapAt(index, last)
        blocks[block].scales.removeLast()
        blocks[block].losses.swapAt(index, last)
        blocks[block].losses.removeLast()
        let width = blocks[block].bytes.count / (last + 1)
        for offset in 0..<width {
            blocks[block].bytes[index * width + offset] = blocks[block].bytes[last * width + offset]
            blocks[block].halves[index * width + offset] = blocks[block].halves[last * width + offset]
        }
        blocks[block].bytes.removeLast(width)
        blocks[block].halves.removeLast(width)
        if blocks[block].items.isEmpty { blocks.remove(at: block) }
    }

    // MARK: Search

    /// What is at least `threshold` near, the nearest first.
    func search(_ group: Group, _ vector: [Float], threshold: Float, now: Int) -> [Match] {
        guard let blocks = state.withLockedValue({ $0.groups[group] }) else { return [] }
        let vector = Self.padded(vector)
        let query = Query(vector: vector, threshold: threshold, now: now)
        guard blocks.count >= Self.manyBlocks else {
            return Self.nearest(blocks.flatMap { matches(in: $0, query) })
        }
        // Reading tens of megabytes is worth a second thread.
        let halves = NIOLockedValueBox<[[Match]]>([[], []])
        DispatchQueue.concurrentPerform(iterations: 2) { half in
            let part = half == 0 ? blocks[..<(blocks.count / 2)] : blocks[(blocks.count / 2)...]
            let found = part.flatMap { matches(in: $0, query) }
            halves.withLockedValue { $0[half] = found }
        }
        return Self.nearest(halves.withLockedValue { $0 }.flatMap { $0 })
    }

    /// Blocks from which on two threads search.
    private static let manyBlocks = 16

    private static func nearest(_ found: [Match]) -> [Match] {
        Array(found.sorted { $0.similarity > $1.similarity }.prefix(shortList))
    }

    private struct Query: Sendable {
        let bytes: [Int8]
        let halves: [Int16]
        let scale: Float
        let loss: Float
        let threshold: Float
        let now: Int

        init(vector: [Float], threshold: Float, now: Int) {
            (bytes, scale, loss) = SemanticIndex.bytes(vector)
            halves = SemanticIndex.halves(vector)
            self.threshold = threshold
            self.now = now
        }
    }

    private func matches(in block: Block, _ query: Query) -> [Match] {
        let width = query.bytes.count
        var found: [Match] = []
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: Block.capacity) { scores in
            kernels.pointee.scan_i8(block.bytes, block.items.count, Int32(width), query.bytes, scores.baseAddress)
            block.scales.withUnsafeBufferPointer { scales in
                block.losses.withUnsafeBufferPointer { losses in
                    for index in scales.indices {
                        // What rounding may have taken: |q v - q' v'| <= |q - q'| |v| + |q'| |v - v'|.
                        let near = Float(scores[index]) * query.scale * scales[index]
                        guard near + query.loss + (1 + query.loss) * losses[index] >= query.threshold else { continue }
                        if let match = match(block, index, query) { found.append(match) }
                    }
                }
            }
        }
        return found
    }

    /// One that may be near enough, looked at closely.
    private func match(_ block: Block, _ index: Int, _ query: Query) -> Match? {
        let item = block.items[index]
        let width = query.halves.count
        guard item.expires.map({ $0 > query.now }) ?? true else { return nil }
        let exact = block.halves.withUnsafeBufferPointer { stored -> Float in
            guard let base = stored.baseAddress else { return 0 }
            return Float(kernels.pointee.dot_i16(base + index * width, query.halves, Int32(width))) / (32767 * 32767)
        }
        guard exact >= query.threshold else { return nil }
        return Match(key: item.key, similarity: min(exact, 1), question: item.question, history: item.history)
    }

    // MARK: Numbers

    /// As the kernels want it: a multiple of 32 components.
    private static func padded(_ vector: [Float]) -> [Float] {
        vector + [Float](repeating: 0, count: (32 - vector.count % 32) % 32)
    }

    /// The vector in bytes, what one step of a byte is worth, and the length of the rest.
    static func bytes(_ vector: [Float]) -> (bytes: [Int8], scale: Float, loss: Float) {
        let largest = vector.reduce(0) { max($0, abs($1)) }
        guard largest > 0 else { return ([Int8](repeating: 0, count: vector.count), 0, 0) }
        let scale = largest / 127
        let bytes = vector.map { Int8(($0 / scale).rounded()) }
        let loss = zip(vector, bytes).reduce(Float(0)) { sum, pair in
            let rest = pair.0 - Float(pair.1) * scale
            return sum + rest * rest
        }
        return (bytes, scale, loss.squareRoot())
    }

    private static func halves(_ vector: [Float]) -> [Int16] { vector.map { Int16((max(-1, min(1, $0)) * 32767).rounded()) } }
}
