// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// What a request's body says that the router has to know, read in one pass and without a tree.
///
/// Read as Ollama reads it (Go's encoding/json): keys match in any case, the last of several wins, `null` says nothing,
/// what follows the first value is ignored. An endpoint may still refuse what is accepted here; its answer is then the client's.
struct RequestFacts: Equatable {
    /// The model as the client named it; empty where the body names none and need not.
    var model: String
    /// Where its value stands in the body, quotes included: what is replaced if the endpoint knows the model under another name.
    var modelRange: Range<Int>
    /// Nil where the body does not say.
    var stream: Bool?
    /// What makes an OpenAI stream tell its token counts; nil where the client has asked for them itself.
    var usageEdit: BodyEdit?
    /// The body has a member that is for the router alone.
    var hasRouterMember = false
    /// What that member says of the cache; nil where it says nothing.
    var cacheWish: Bool?
    /// The name stands in a form, without quotes.
    var isForm = false
    /// Of a request on one of Ollama's own routes; nil where it sets none.
    var runnerOptions: RunnerOptions?
    /// It has nothing to say, and wants its model to leave memory.
    var isUnload = false
    /// Where another `num_ctx` would stand; nil where the body has no `options`, or the route knows no such thing.
    var contextPlace: ContextPlace?

    /// - Parameter operation: what the body is for; nil where only the model matters.
    /// - Throws: `missingBody`, `invalidJSON`, `missingModel`.
    static func read(_ body: ByteBuffer?, for operation: Operation? = nil) throws(RouterError) -> RequestFacts {
        guard let body, body.readableBytes > 0 else { throw .missingBody }
        let result = body.withUnsafeReadableBytes { bytes -> Result<RequestFacts, RouterError> in
            do throws(RouterError) {
                return .success(try read(bytes, for: operation))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, for operation: Operation?) throws(RouterError) -> RequestFacts {
        let cursor = JSONCursor(bytes)
        let takesOptions = operation?.takesRunnerOptions ?? false
        var unload = operation.flatMap(UnloadReading.init)
        var model: JSONCursor.Value?
        var name: JSONCursor.Value?
        var stream: Bool?
        var streamOptions: JSONCursor.Value?
        var options: RunnerOptions?
        var contextPlace: ContextPlace?
        var hasRouterMember = false
        let saysNothing: Bool
        do throws(JSONError) {
            // `null` is a body that says nothing.
            saysNothing = try cursor.peek() == .null
            var members = saysNothing ? nil : try cursor.members()
            while let member = try members?.next() {
                if cursor.keyMatches(member, "stream_options") { streamOptions = member.value }
                if cursor.keyMatches(member, "nomyo") { hasRouterMember = true }
                if takesOptions, cursor.keyMatches(member, "options") {
                    // Of several Go takes each into the same map, and `null` empties it.
                    var all = member.value.kind == .null ? .unset : options ?? .unset
                    contextPlace = ContextPlace(options: member.value, value: all.read(cursor, member.value), before: contextPlace)
                    options = all
                }
                unload?.read(cursor, member)
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
            if !text.isEmpty {
                let usage = stream == true ? usageEdit(cursor, streamOptions) : nil
                var facts = RequestFacts(
                    model: text, modelRange: value.range, stream: stream, usageEdit: usage, hasRouterMember: hasRouterMember)
                if let options, options != .unset { facts.runnerOptions = options }
                facts.contextPlace = contextPlace
                facts.isUnload = unload?.isUnload ?? false
                return facts
            }
        }
        throw .missingModel
    }

    /// Asks for `stream_options.include_usage` where the client has not.
    private static func usageEdit(_ cursor: JSONCursor, _ options: JSONCursor.Value?) -> BodyEdit? {
        guard let options, options.kind != .null else {
            if let options { return BodyEdit(range: options.range, text: #"{"include_usage":true}"#) }
            guard let brace = cursor.bytes.firstIndex(of: UInt8(ascii: "{")) else { return nil }
            return BodyEdit(range: brace + 1..<brace + 1, text: #""stream_options":{"include_usage":true},"#)
        }
        guard options.kind == .object, var members = try? cursor.members(of: options) else { return nil }
        var isEmpty = true
        var wish: JSONCursor.Value?
        while let member = try? members.next() {
            isEmpty = false
            if cursor.keyMatches(member, "include_usage") { wish = member.value }
        }
        if let wish { return cursor.bool(wish) == true ? nil : BodyEdit(range: wish.range, text: "true") }
        let inside = options.range.lowerBound + 1
        return BodyEdit(range: inside..<inside, text: #""include_usage":true"# + (isEmpty ? "" : ","))
    }

    private static func isBlank(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 }
    }
}

/// Where in a request's body its `num_ctx` stands, or would stand.
struct ContextPlace: Equatable {
    /// The last `options` of the body.
    private var options: Range<Int>
    /// The value of the `num_ctx` in it that is in force.
    private var value: RunnerOptions.ContextValue

    /// The server is going to refuse the request for what it says: nothing is put in its place.
    var isRefused: Bool { value == .refused }

    /// - Parameter before: of the `options` before these, which are in force where these say nothing. What was refused stays refused.
    fileprivate init(options: JSONCursor.Value, value: RunnerOptions.ContextValue, before: ContextPlace?) {
        self.options = options.range
        let staysRefused = before?.isRefused ?? false && value == .absent && options.kind == .object
        self.value = staysRefused ? .refused : value
    }

    /// What makes the request ask for this context, and for all else as before.
    ///
    /// - Parameters:
    ///   - place: as the facts of the request have it; nil for a body without `options`.
    /// - Returns: nil for a body that is no object, and for one that is refused as it is.
    static func edit(_ place: ContextPlace?, _ body: ByteBuffer, context: Int32) -> BodyEdit? {
        body.withUnsafeReadableBytes { bytes in
            switch place?.value {
            case .at(let value)?: return BodyEdit(range: value, text: "\(context)")
            case .refused?: return nil
            case .absent?, nil: break
            }
            guard let place else {
                guard let brace = bytes.firstIndex(of: UInt8(ascii: "{")) else { return nil }
                return BodyEdit(range: brace + 1..<brace + 1, text: #""options":{"num_ctx":\#(context)},"#)
            }
            // `options` may be null.
            guard var members = try? JSONCursor(bytes, at: place.options.lowerBound).members() else {
                return BodyEdit(range: place.options, text: #"{"num_ctx":\#(context)}"#)
            }
            let isEmpty = (try? members.next()) == nil
            let end = place.options.upperBound - 1
            return BodyEdit(range: end..<end, text: #"\#(isEmpty ? "" : ",")"num_ctx":\#(context)"#)
        }
    }
}

/// A place of a request's body that goes on as something else; all around it goes on byte for byte.
struct BodyEdit: Equatable {
    /// Counted from the body's first byte; empty where something is put in.
    var range: Range<Int>
    var text: String

    /// The body with all of them in force; they do not overlap.
    static func apply(_ edits: [BodyEdit], to body: ByteBuffer) -> ByteBuffer {
        if edits.isEmpty { return body }
        var result = ByteBufferAllocator().buffer(capacity: body.readableBytes + edits.reduce(0) { $0 + $1.text.utf8.count })
        var position = 0
        for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            if let slice = body.getSlice(at: body.readerIndex + position, length: edit.range.lowerBound - position) {
                result.writeImmutableBuffer(slice)
            }
            result.writeString(edit.text)
            position = edit.range.upperBound
        }
        if let slice = body.getSlice(at: body.readerIndex + position, length: body.readableBytes - position) { result.writeImmutableBuffer(slice) }
        return result
    }
}
