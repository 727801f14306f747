// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What a request's body says that the router has to know, read in one pass and without a tree.
///
/// Read as Ollama reads it (Go's encoding/json): keys match in any case, the last of several wins, `null` says nothing,
/// what follows the first value is ignored. An endpoint may still refuse what is accepted here; its answer is then the client's.
struct RequestFacts: Equatable {
    /// The model as the client named it; never empty.
    var model: String
    /// Where its value stands in the body, quotes included: what is replaced if the endpoint knows the model under another name.
    var modelRange: Range<Int>
    /// Nil where the body does not say.
    var stream: Bool?

    /// - Throws: `missingBody`, `invalidJSON`, `missingModel`.
    static func read(_ body: ByteBuffer?) throws(RouterError) -> RequestFacts {
        guard let body, body.readableBytes > 0 else { throw .missingBody }
        let result = body.withUnsafeReadableBytes { bytes -> Result<RequestFacts, RouterError> in
            do throws(RouterError) {
                return .success(try read(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(RouterError) -> RequestFacts {
        let cursor = JSONCursor(bytes)
        var model: JSONCursor.Value?
        var name: JSONCursor.Value?
        var stream: Bool?
        let saysNothing: Bool
        do throws(JSONError) {
            // `null` is a body that says nothing.
            saysNothing = try cursor.peek() == .null
            var members = saysNothing ? nil : try cursor.members()
            while let member = try members?.next() {
                guard member.value.kind != .null else { continue }
                if cursor.keyMatches(member, "model") {
                    model = member.value
                } else if cursor.keyMatches(member, "name") {
                    name = member.value
                } else if cursor.keyMatches(member, "stream") {
                    stream = cursor.bool(member.value) ?? stream
                }
            }
        } catch {
            throw isBlank(bytes) ? .missingBody : .invalidJSON("\(error)")
        }
        // An empty `model` counts as absent, as in Ollama's handlers that take `name`.
        for value in [model, name] {
            guard let value else { continue }
            guard let text = cursor.string(value) else { throw .invalidJSON("model is no string (at byte \(value.range.lowerBound))") }
            if !text.isEmpty { return RequestFacts(model: text, modelRange: value.range, stream: stream) }
        }
        throw .missingModel
    }

    private static func isBlank(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 }
    }
}
