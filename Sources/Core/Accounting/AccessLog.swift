// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#endif
#if canImport(Dispatch)
    import Dispatch
#endif

/// Where lines of the access log go. Event loops hand over what has gathered a few times a second; a queue of its own writes,
/// so that no request waits for the disk.
final class AccessLog: Sendable {
    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    struct Settings: Sendable, Equatable {
        /// A path, `-` for standard output; nil writes nothing.
        var path: String?
        var format = Format.text
    }

    let settings: Settings
    private let queue = DispatchQueue(label: "routerd.access-log")
    private let descriptor = NIOLockedValueBox<Int32?>(nil)
    /// Bytes that wait to be written; a disk that cannot keep up costs lines, not memory.
    private let waiting = NIOLockedValueBox(0)
    private static let waitingLimit = 16 * 1024 * 1024

    init(_ settings: Settings) {
        self.settings = settings
    }

    deinit {
        if let open = descriptor.withLockedValue({ $0 }), open > 2 { close(open) }
    }

    var isOn: Bool { settings.path != nil }

    /// Opens the file anew with the next lines: what a log rotation asks for by a reload.
    func reopen() {
        queue.async {
            let old = self.descriptor.withLockedValue { descriptor in
                defer { descriptor = nil }
                return descriptor
            }
            if let old, old > 2 { close(old) }
        }
    }

    func write(_ lines: [UInt8]) {
        guard !lines.isEmpty, let path = settings.path else { return }
        let fits = waiting.withLockedValue { waiting in
            guard waiting + lines.count <= Self.waitingLimit else { return false }
            waiting += lines.count
            return true
        }
        guard fits else { return }
        queue.async {
            self.put(lines, path)
            self.waiting.withLockedValue { $0 -= lines.count }
        }
    }

    /// Returns when everything handed over has been written.
    func flush() { queue.sync {} }

    private func put(_ lines: [UInt8], _ path: String) {
        let open = descriptor.withLockedValue { descriptor -> Int32 in
            if let descriptor { return descriptor }
            let made = path == "-" ? STDOUT_FILENO : Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            // Tried again with the next lines: the disk may come back.
            descriptor = made >= 0 ? made : nil
            return made
        }
        guard open >= 0 else { return }
        lines.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(open, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard count > 0 || (count < 0 && errno == EINTR) else { return }
                rest = rest.dropFirst(max(0, count))
            }
        }
    }
}

/// One request as the access log tells it.
struct AccessRecord: Sendable {
    var time: String
    var id: String
    var peer: String
    /// The name of the key that it came with; empty without one.
    var keyName = ""
    var method: String
    /// Without the parts that are secret.
    var path: String
    var model: String
    var endpoint: String
    /// Why that endpoint.
    var why: String
    /// 499 for a client that left.
    var status: Int
    var bytes: Int
    var waitMs: Int
    /// To the head of the answer, and to the first token of a streamed one.
    var firstByteMs: Int?
    var firstTokenMs: Int?
    var durationMs: Int
    var tokens: TokenSum
    var cache = ""

    func line(_ format: AccessLog.Format) -> String {
        switch format {
        case .text:
            func shown(_ text: String) -> String { text.isEmpty ? "-" : text.contains(where: \.isWhitespace) ? JSONText.quoted(text) : text }
            return
                "\(time) \(id) \(shown(peer)) \(shown(keyName)) \"\(method) \(Self.printable(path))\" \(status) model=\(shown(Self.printable(model))) "
                + "endpoint=\(shown(endpoint)) why=\(shown(why)) bytes=\(bytes) wait_ms=\(waitMs) first_byte_ms=\(firstByteMs.map(String.init) ?? "-") "
                + "first_token_ms=\(firstTokenMs.map(String.init) ?? "-") "
                + "duration_ms=\(durationMs) tokens=\(tokens.input)/\(tokens.output) cache=\(shown(cache))\n"
        case .json:
            let value: JSONValue = [
                "time": .string(time), "id": .string(id), "peer": .string(peer), "key": .string(keyName), "method": .string(method),
                "path": .string(path), "model": .string(model), "endpoint": .string(endpoint), "why": .string(why), "status": .integer(status),
                "bytes": .integer(bytes), "wait_ms": .integer(waitMs), "first_byte_ms": firstByteMs.map(JSONValue.integer),
                "first_token_ms": firstTokenMs.map(JSONValue.integer),
                "duration_ms": .integer(durationMs), "prompt_tokens": .integer(tokens.input), "answer_tokens": .integer(tokens.output),
                "cache": .string(cache),
            ]
            return value.text + "\n"
        }
    }

    /// A client's own text must not make lines of its own.
    private static func printable(_ text: String) -> String {
        text.unicodeScalars.contains { $0.value < 0x20 || $0 == "\"" || $0.value == 0x7f }
            ? String(JSONText.quoted(text).dropFirst().dropLast()) : text
    }
}
