// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Requests to endpoints that speak another dialect: the request is rewritten, the answer goes through `TranslatedAnswer`.
extension ExchangeHandler {
    /// Rewrites the request for the endpoint.
    ///
    /// - Returns: false if it has been answered instead: with an error, or with what the router knows itself.
    func translate(_ exchange: Exchange, for endpoint: Endpoint) -> Bool {
        guard case .forward(let operation) = exchange.route.action, let placement = exchange.placement, let body = exchange.body else { return false }
        do throws(TranslationError) {
            if let mixture = exchange.mixture {
                return take(
                    try mixture.request.final(
                        mixture.outcome.choice, model: placement.model, words: EndpointWords(placement.kind), spent: mixture.outcome.spent), exchange)
            }
            let json: JSONValue
            do throws(JSONError) {
                json = try body.withUnsafeReadableBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
            } catch {
                throw .malformed("", "invalid JSON in the request's body: \(error)")
            }
            if operation == .ollamaShow {
                exchange.release(.completed, now: .now())
                answer(worker.shared.pages.show(placement, on: endpoint))
                return false
            }
            let call = try RequestTranslation.make(
                operation, json, model: placement.model, words: EndpointWords(placement.kind), id: worker.name(exchange.id),
                unixSeconds: WallClock.unixSeconds())
            return take(call, exchange)
        } catch {
            exchange.release(.completed, now: .now())
            answer(.untranslatable(TranslationFault(error)))
            return false
        }
    }

    private func take(_ call: TranslatedCall, _ exchange: Exchange) -> Bool {
        switch call {
        case .immediate(let value):
            exchange.release(.completed, now: .now())
            answer(.json(ByteBuffer(string: value.text)))
            return false
        case .request(let request):
            exchange.detour.outgoing = (request.path, ByteBuffer(string: request.body.text))
            exchange.detour.translated = TranslatedAnswer(request.answer, lineLimit: worker.settings.limits.maxLineBytes)
            return true
        }
    }

    func beginTranslated(_ exchange: Exchange, _ head: ResponseHead) {
        exchange.existingDetour?.translated?.begin(status: head.status, isEventStream: head.streamFraming == .serverSentEvents)
        if exchange.fill != nil { beginRecording(exchange, head) }
        guard exchange.translated?.mode == .stream, let type = exchange.translated?.streamType else { return }
        let version = exchange.head.version
        exchange.status = 200
        machine.beginAnswer()
        framing = version.knowsChunks ? .chunked : .none
        if framing == .none { machine.endAfterThis() }
        LocalAnswer(status: .ok, contentType: type, body: ByteBuffer())
            .writeHead(version: version, framing: framing, closes: !machine.keepsAlive, into: &out) { buffer in
                writeAnswerFields(exchange, into: &buffer)
            }
    }

    func writeTranslated(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        let now = NIODeadline.now()
        let text = exchange.existingDetour?.translated?.feed(bytes) { isItem in
            if isItem, exchange.detour.firstItemAt == nil { exchange.detour.firstItemAt = now }
            return Self.time(exchange, now)
        }
        write(text ?? "", exchange)
    }

    func endTranslated(_ exchange: Exchange) {
        switch exchange.existingDetour?.translated?.finish(Self.time(exchange, .now())) {
        case .text(let text, let isWhole)?:
            write(text, exchange)
            if framing == .chunked { ResponseSerializer.writeLastChunk(trailers: nil, into: &out) }
            if exchange.fill != nil { finishRecording(exchange, isWhole: isWhole) }
            finishExchange(isWhole ? .completed : .failed)
        case .answer(let value)?:
            let text = value.text
            exchange.fill?.flight.append(text.utf8)
            if exchange.fill != nil { finishRecording(exchange, isWhole: true) }
            answer(.json(ByteBuffer(string: text)))
        case .error(let status, let message)?: answer(.endpointRefused(status: status, message: message))
        case nil: break
        }
    }

    private func write(_ text: String, _ exchange: Exchange) {
        guard !text.isEmpty else { return }
        let bytes = ByteBuffer(string: text)
        exchange.fill?.flight.append(text.utf8)
        exchange.bytesSent += bytes.readableBytes
        writeBody(bytes)
    }

    private static func time(_ exchange: Exchange, _ now: NIODeadline) -> AnswerTime {
        AnswerTime(
            total: Int((now - exchange.started).nanoseconds), sinceFirstItem: exchange.detour.firstItemAt.map { Int((now - $0).nanoseconds) },
            now: WallClock.rfc3339())
    }
}
