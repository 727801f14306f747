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
        held.withUnsafeBytes { held in
            // What is held begins where an event begins.
            var events = EventReader(limit: Self.limit)
            var rest = held
            while let item = events.next(&rest) {
                let end = held.count - rest.count
                if !Self.isUsage(item) { out += held[start..<end] }
                start = end
            }
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
        return held.withUnsafeBytes(Self.isUsage) ? [] : held
    }

    private static let limit = 16 * 1024

    private static func isUsage(_ item: EventReader.Item) -> Bool {
        guard case .event(let event) = item else { return false }
        return event.data.withBytes(isUsage)
    }

    private static func isUsage(_ data: UnsafeRawBufferPointer) -> Bool {
        (data.contains("\"choices\":[]") || data.contains("\"choices\": []")) && data.contains("\"usage\":") && !data.contains("\"usage\":null")
    }
}
