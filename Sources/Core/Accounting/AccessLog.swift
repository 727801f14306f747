// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#endif
#if canImport(Dispatch)
    import Dispatch
#endif

/// Where lines of the access log go. Event loops hand over what has gathered a few times a second; a queue of its own writes,
/// so that no request waits for the disk.
///
/// A reload makes another one, which opens the file anew: that is how a log is rotated.
final class AccessLog: Sendable {
    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    struct Settings: Sendable, Equatable {
        /// A path, `-` for standard output; nil writes nothing.
        var path: String?
        var format = Format.text
    }

    /// The open file, which belongs to `queue`.
    private struct File {
        var descriptor: Int32?
        /// A write broke off within a line: the next line must not go on in it.
        var isMidLine = false
    }

    private struct Failure: Error {
        let reason = String(cString: strerror(errno))
    }

    let settings: Settings
    private let health: AccessLogHealth
    private let queue = DispatchQueue(label: "routerd.access-log")
    private let file = NIOLockedValueBox(File())
    /// Bytes that wait to be written; a disk that cannot keep up costs lines, not memory.
    private let waiting = NIOLockedValueBox(0)
    private static let waitingLimit = 16 * 1024 * 1024
    /// Milliseconds that a pipe without room is waited for.
    private static let patience: Int32 = 1000

    init(_ settings: Settings, health: AccessLogHealth) {
        self.settings = settings
        self.health = health
    }

    deinit { closeFile() }

    var isOn: Bool { settings.path != nil }

    /// - Parameter lines: whole ones.
    func write(_ lines: [UInt8]) {
        guard !lines.isEmpty, let path = settings.path else { return }
        let fits = waiting.withLockedValue { waiting in
            guard waiting + lines.count <= Self.waitingLimit else { return false }
            waiting += lines.count
            return true
        }
        guard fits else { return health.lost(Self.count(lines[...]), of: path, "the disk does not keep up") }
        queue.async {
            self.put(lines, path)
            self.waiting.withLockedValue { $0 -= lines.count }
        }
    }

    /// Returns when everything handed over has been written.
    func flush() { queue.sync {} }

    private func put(_ lines: [UInt8], _ path: String) {
        var rest = lines[...]
        do throws(Failure) {
            let descriptor = try open(path)
            if file.withLockedValue({ $0.isMidLine }) {
                var newline = [UInt8(ascii: "\n")][...]
                try write(&newline, to: descriptor)
                file.withLockedValue { $0.isMidLine = false }
            }
            try write(&rest, to: descriptor)
            health.wrote(to: path)
        } catch {
            if rest.startIndex > lines.startIndex, lines[rest.startIndex - 1] != UInt8(ascii: "\n") { file.withLockedValue { $0.isMidLine = true } }
            // Opened again with the next lines: the disk may come back.
            closeFile()
            health.lost(Self.count(rest), of: path, error.reason)
        }
    }

    private func open(_ path: String) throws(Failure) -> Int32 {
        if let descriptor = file.withLockedValue({ $0.descriptor }) { return descriptor }
        let descriptor = path == "-" ? STDOUT_FILENO : Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw Failure() }
        file.withLockedValue { $0.descriptor = descriptor }
        return descriptor
    }

    /// - Parameter rest: what is left when it fails.
    private func write(_ rest: inout ArraySlice<UInt8>, to descriptor: Int32) throws(Failure) {
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var wish = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&wish, 1, Self.patience) > 0 else { throw Failure() }
            } else if errno != EINTR {
                throw Failure()
            }
        }
    }

    private func closeFile() {
        let old = file.withLockedValue { file in
            defer { file.descriptor = nil }
            return file.descriptor
        }
        if let old, old > 2 { close(old) }
    }

    private static func count(_ lines: ArraySlice<UInt8>) -> Int { lines.count { $0 == UInt8(ascii: "\n") } }
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
    /// What happened at endpoints that it was tried at before.
    var retries = ""
    /// The label of the error that it ended by; empty for a good answer, and for an endpoint's own refusal.
    var fault = ""

    func line(_ format: AccessLog.Format) -> String {
        switch format {
        case .text:
            func shown(_ text: String) -> String { text.isEmpty ? "-" : text.contains(where: \.isWhitespace) ? JSONText.quoted(text) : text }
            return
                "\(time) \(id) \(shown(peer)) \(shown(keyName)) \"\(method) \(Self.printable(path))\" \(status) model=\(shown(Self.printable(model))) "
                + "endpoint=\(shown(endpoint)) why=\(shown(why)) bytes=\(bytes) wait_ms=\(waitMs) first_byte_ms=\(firstByteMs.map(String.init) ?? "-") "
                + "first_token_ms=\(firstTokenMs.map(String.init) ?? "-") "
                + "duration_ms=\(durationMs) tokens=\(tokens.input)/\(tokens.output) cache=\(shown(cache)) "
                + "retries=\(shown(Self.printable(retries))) fault=\(shown(fault))\n"
        case .json:
            let value: JSONValue = [
                "time": .string(time), "id": .string(id), "peer": .string(peer), "key": .string(keyName), "method": .string(method),
                "path": .string(path), "model": .string(model), "endpoint": .string(endpoint), "why": .string(why), "status": .integer(status),
                "bytes": .integer(bytes), "wait_ms": .integer(waitMs), "first_byte_ms": firstByteMs.map(JSONValue.integer),
                "first_token_ms": firstTokenMs.map(JSONValue.integer),
                "duration_ms": .integer(durationMs), "prompt_tokens": .integer(tokens.input), "answer_tokens": .integer(tokens.output),
                "cache": .string(cache), "retries": .string(retries), "fault": .string(fault),
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
