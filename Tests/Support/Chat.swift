// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// Bodies and crowds of chat requests for model `m`.
public enum Chat {
    public static func body(_ prompt: String = "hi", stream: Bool = false, model: String = "m") -> String {
        #"{"model":"\#(model)","stream":\#(stream),"messages":[{"role":"user","content":"\#(prompt)"}]}"#
    }

    /// Sends `count` requests, `atOnce` at a time, each on a connection of its own.
    ///
    /// - Returns: all answers, in no order. One that did not come is an error.
    public static func crowd(
        port: Int, _ count: Int, atOnce: Int, path: String = "/api/chat", stream: Bool = false, within seconds: Double = 30
    ) throws -> [RawResponse] {
        let left = NIOLockedValueBox(count)
        let answers = NIOLockedValueBox<[Result<RawResponse, any Error>]>([])
        for _ in 0..<atOnce {
            Thread.detachNewThread {
                while let number = left.withLockedValue({ left -> Int? in
                    left -= 1
                    return left >= 0 ? left : nil
                }) {
                    let answer = Result { try RawClient.post(port: port, path, body("prompt \(number)", stream: stream), within: seconds) }
                    answers.withLockedValue { $0.append(answer) }
                }
            }
        }
        try eventually("\(count) answers", within: seconds + 30) { answers.withLockedValue { $0.count } == count }
        return try answers.withLockedValue { $0 }.map { try $0.get() }
    }

    /// One request on a thread of its own.
    public final class Pending: Sendable {
        private let result = NIOLockedValueBox<Result<RawResponse, any Error>?>(nil)
        public let started = ContinuousClock.now

        public init(port: Int, path: String = "/api/chat", _ body: String = Chat.body(), within seconds: Double = 30) {
            Thread.detachNewThread { [result] in
                let answer = Result { try RawClient.post(port: port, path, body, within: seconds) }
                result.withLockedValue { $0 = answer }
            }
        }

        /// Whether the answer is there, or why it will not come.
        public var isOver: Bool { result.withLockedValue { $0 != nil } }

        public func answer(within seconds: Double = 30) throws -> RawResponse {
            try eventualValue("an answer", within: seconds) { result.withLockedValue { $0 } }.get()
        }
    }
}

/// How long something took.
public struct Stopwatch: Sendable {
    private let start = ContinuousClock.now
    public init() {}
    public var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }
}
