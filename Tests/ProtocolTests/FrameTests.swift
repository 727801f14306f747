// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import Testing

/// Frames must come out whole wherever the stream is cut.
@Suite struct FrameTests {
    private let stream = Array("{\"a\":1}\n\n{\"b\":\"\u{e9}\u{1F600}\"}\r\n{}\n{\"rest\"".utf8)
    private let frames = ["{\"a\":1}", "{\"b\":\"\u{e9}\u{1F600}\"}", "{}"]

    private func read(_ parts: [ArraySlice<UInt8>]) throws -> [String] {
        var reader = FrameReader()
        var found: [String] = []
        for part in parts {
            reader.append(part)
            while let frame = try reader.next() { found.append(String(decoding: frame, as: UTF8.self)) }
        }
        return found
    }

    @Test func framesAreFoundAtEverySplit() throws {
        for first in 0...stream.count {
            for second in first...stream.count {
                let found = try read([stream[..<first], stream[first..<second], stream[second...]])
                #expect(found == frames, "split at \(first) and \(second)")
            }
        }
    }

    @Test func framesAreFoundByteByByte() throws {
        let found = try read(stream.indices.map { stream[$0...$0] })
        #expect(found == frames)
    }

    @Test func aLineWithoutAnEndIsRefusedBeforeItFillsTheMemory() throws {
        var reader = FrameReader()
        reader.append([UInt8](repeating: 0x20, count: FrameReader.maximumLength))
        let nothing = try reader.next()
        #expect(nothing == nil)
        reader.append([0x20])
        #expect(throws: FrameReader.Failure.lineTooLong) { try reader.next() }
    }

    @Test func aFrameIsOneLineWhateverIsInIt() throws {
        let frame = try Wire.frame(["text": "a\nb\r\n\u{2028}"])
        #expect(frame.last == 0x0A)
        #expect(!frame.dropLast().contains(0x0A))
    }
}
