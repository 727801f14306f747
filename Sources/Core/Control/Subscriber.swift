// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Synchronization

/// One connection that gets snapshots. It holds at most one frame that the peer has not taken yet.
final class Subscriber: Sendable {
    let channel: any Channel
    let wantsDeltas: Bool
    private let isPending = Atomic(false)

    init(channel: any Channel, wantsDeltas: Bool) {
        self.channel = channel
        self.wantsDeltas = wantsDeltas
    }

    /// Whether the peer has taken all that it was sent.
    var isReady: Bool { !isPending.load(ordering: .acquiring) && channel.isWritable }

    var isOpen: Bool { channel.isActive }

    func willSend() { isPending.store(true, ordering: .releasing) }

    /// On the channel's event loop. A frame that cannot be written ends the connection.
    func send(_ frame: ByteBuffer) {
        channel.writeAndFlush(frame).whenComplete { [self] result in
            isPending.store(false, ordering: .releasing)
            if case .failure = result { channel.close(promise: nil) }
        }
    }
}
