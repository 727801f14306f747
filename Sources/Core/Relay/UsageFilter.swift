// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Keeps from the client the event with which an OpenAI stream tells its token counts (`"choices":[]`), where the router has
/// asked for it and the client has not.
///
/// Servers send each event in a chunk of its own, so that nearly every chunk passes untouched after one look; what is split
/// over chunks is put together first.
struct UsageFilter: Sendable {
    enum Verdict: Equatable {
        /// As it came.
        case pass
        /// These bytes instead; may be empty.
        case replace([UInt8])
    }

    /// The beginning of an event whose end has not come.
    private var held: [UInt8] = []

    mutating func judge(_ payload: UnsafeRawBufferPointer) -> Verdict {
        if held.isEmpty, payload.hasSuffix("\n\n"), !payload.contains("\"choices\":[]"), !payload.contains("\"choices\": []") { return .pass }
        held += payload
        var out: [UInt8] = []
        var start = 0
        var index = 0
        while index + 1 < held.count {
            let width = Self.blankLine(held, at: index)
            guard width > 0 else {
                index += 1
                continue
            }
            let event = held[start..<index + width]
            if !Self.isUsage(event) { out += event }
            index += width
            start = index
        }
        held.removeFirst(start)
        // An event of this size is no count of tokens.
        if held.count > Self.limit {
            out += held
            held = []
        }
        return .replace(out)
    }

    /// What is still held when the stream ends.
    mutating func finish() -> [UInt8] {
        defer { held = [] }
        return Self.isUsage(held[...]) ? [] : held
    }

    /// The length of an event's end at `index`, which some servers write with carriage returns; 0 if there is none.
    private static func blankLine(_ bytes: [UInt8], at index: Int) -> Int {
        guard bytes[index] == 0x0a else { return 0 }
        if bytes[index + 1] == 0x0a { return 2 }
        return index + 2 < bytes.count && bytes[index + 1] == 0x0d && bytes[index + 2] == 0x0a ? 3 : 0
    }

    private static let limit = 16 * 1024

    private static func isUsage(_ event: ArraySlice<UInt8>) -> Bool {
        event.withUnsafeBytes { event in
            (event.contains("\"choices\":[]") || event.contains("\"choices\": []")) && event.contains("\"usage\":")
                && !event.contains("\"usage\":null")
        }
    }
}
