// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// What a request's body says of its prompt, as far as it tells where the beginning of it may be known already: one hash for each
/// message (or each block of a text) and all before it. Pure, one pass, no tree and no decoding.
///
/// The values are hashed as they are written, without the white space between them: a client that sends a conversation again sends
/// what was there before in the same words. A spelling that differs costs a warm beginning, nothing else.
struct PromptReading: Equatable {
    var prefix = PrefixChain()
    /// A hash of what the body calls the conversation (`prompt_cache_key`, `conversation`); nil where it does not.
    var session: UInt64?
    /// About how many tokens all of the prompt has.
    var tokens = 0

    /// A text is divided into blocks of so many bytes.
    static let block = 1024
    /// English text and code have about four bytes a token; a guess is enough to weigh a prompt.
    static let bytesPerToken = 4
    /// Objects and arrays within a message that are looked into; what is deeper is hashed as it is written.
    private static let depth = 6

    /// - Parameters:
    ///   - model: as the client named it: the same words to another model are another beginning.
    ///   - seed: of this daemon, so that nobody can make collisions beforehand.
    init(_ operation: Operation, body: ByteBuffer, model: String, seed: UInt64) {
        guard let list = Self.list(of: operation) else { return }
        body.withUnsafeReadableBytes { bytes in
            // What is no JSON has been refused before; what is left unread here is left out.
            try? read(JSONCursor(bytes), list, model, seed)
        }
    }

    /// Where the messages or the text are, and what comes before them in the model's template.
    private struct Place {
        var name: StaticString
        var before: [StaticString]
    }

    private static func list(of operation: Operation) -> Place? {
        switch operation {
        case .ollamaChat, .chat: Place(name: "messages", before: ["tools"])
        case .messages: Place(name: "messages", before: ["tools", "system"])
        case .responses: Place(name: "input", before: ["tools", "instructions"])
        case .ollamaGenerate: Place(name: "prompt", before: ["system", "template", "context"])
        case .completions: Place(name: "prompt", before: [])
        default: nil
        }
    }

    private mutating func read(_ cursor: JSONCursor, _ place: Place, _ model: String, _ seed: UInt64) throws(JSONError) {
        var list: JSONCursor.Value?
        var before = [JSONCursor.Value?](repeating: nil, count: place.before.count)
        var name: JSONCursor.Value?
        var members = try cursor.members()
        while let member = try members.next() {
            guard member.value.kind != .null else { continue }
            if cursor.keyMatches(member, place.name) {
                list = member.value
            } else if cursor.keyMatches(member, "prompt_cache_key") || (name == nil && cursor.keyMatches(member, "conversation")) {
                name = member.value
            } else if let index = place.before.firstIndex(where: { cursor.keyMatches(member, $0) }) {
                before[index] = member.value
            }
        }
        if let name {
            var hash = PrefixHash(seed: seed)
            Self.add(name, cursor, to: &hash, depth: 2)
            session = hash.value
        }
        var hash = PrefixHash(seed: seed)
        hash.add(model)
        var size = 0
        for value in before {
            // An absent part leaves its mark too: it must not look like the one after it.
            hash.add(value == nil ? 0 : 1)
            guard let value else { continue }
            Self.add(value, cursor, to: &hash, depth: Self.depth)
            size += value.range.count
        }
        guard let list else { return }
        switch list.kind {
        case .array:
            var elements = try cursor.elements(of: list)
            while let message = try elements.next() {
                Self.add(message, cursor, to: &hash, depth: Self.depth)
                size += message.range.count
                prefix.append(.init(hash: hash.value, tokens: size / Self.bytesPerToken))
            }
        case .string:
            // The next prompt goes on where this one ends, so that only whole blocks are worth remembering.
            var rest = list.range.dropFirst().dropLast()
            while rest.count >= Self.block {
                hash.add(UnsafeRawBufferPointer(rebasing: cursor.bytes[rest.prefix(Self.block)]))
                rest = rest.dropFirst(Self.block)
                size += Self.block
                prefix.append(.init(hash: hash.value, tokens: size / Self.bytesPerToken))
            }
            size += rest.count
        default: return
        }
        tokens = size / Self.bytesPerToken
    }

    /// A value without the white space in it, and without what says only how it is to be cached: clients move that from turn to turn.
    private static func add(_ value: JSONCursor.Value, _ cursor: JSONCursor, to hash: inout PrefixHash, depth: Int) {
        hash.add(UInt64(value.kind.rawValue))
        if depth > 0, value.kind == .object, var members = try? cursor.members(of: value) {
            while let member = try? members.next() {
                if cursor.keyMatches(member, "cache_control") { continue }
                hash.add(UnsafeRawBufferPointer(rebasing: cursor.bytes[member.key]))
                add(member.value, cursor, to: &hash, depth: depth - 1)
            }
        } else if depth > 0, value.kind == .array, var elements = try? cursor.elements(of: value) {
            while let element = try? elements.next() { add(element, cursor, to: &hash, depth: depth - 1) }
        } else {
            hash.add(UnsafeRawBufferPointer(rebasing: cursor.bytes[value.range]))
        }
    }

    /// A hash of a conversation's name from a header.
    static func session(_ name: String, seed: UInt64) -> UInt64 {
        var hash = PrefixHash(seed: seed)
        hash.add(name)
        return hash.value
    }
}

/// Hashes bytes eight at a time: multiply and fold, as wyhash does (Wang Yi, https://github.com/wangyi-fudan/wyhash). Not for
/// secrets: a collision sends a conversation to an endpoint that does not know it.
struct PrefixHash {
    private var state: UInt64

    init(seed: UInt64) { state = seed ^ 0x9e37_79b9_7f4a_7c15 }

    var value: UInt64 { Self.fold(state ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db) }

    mutating func add(_ word: UInt64) { state = Self.fold(state ^ word, 0x8ebc_6af0_9c88_c6e3) }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// The length is hashed too: what follows cannot be taken for a part of it.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 8 <= bytes.count {
            add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var last: UInt64 = 0
        while offset < bytes.count {
            last = last << 8 | UInt64(bytes[offset])
            offset += 1
        }
        add(last)
        add(UInt64(truncatingIfNeeded: bytes.count))
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
