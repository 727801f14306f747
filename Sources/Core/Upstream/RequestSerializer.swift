// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Puts requests on the wire, next to the socket.
///
/// `HTTPResponseDecoder` has to see each request's head pass, to know which answers have no body. The bytes of the
/// head come behind it, already serialised: one buffer and one write, where the stock encoder takes several.
final class RequestSerializer: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    private static let post = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")

    /// The head that the decoder sees: only its method matters.
    static func marker(_ method: HTTPMethod) -> HTTPRequestHead {
        method == .POST ? post : HTTPRequestHead(version: .http1_1, method: method, uri: "/")
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            promise?.succeed()
        case .body(.byteBuffer(let bytes)):
            context.write(wrapOutboundOut(bytes), promise: promise)
        case .body, .end:
            promise?.succeed()
        }
    }
}
