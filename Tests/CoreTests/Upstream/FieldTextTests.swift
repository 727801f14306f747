// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without it: a field is taken for another one, and a hop-by-hop field or a key goes on to an endpoint.
@Suite struct FieldTextTests {
    static let name: StaticString = "proxy-authorization-2"

    @Test func lettersMatchInEitherCase() {
        for text in ["proxy-authorization-2", "PROXY-AUTHORIZATION-2", "Proxy-Authorization-2", "pROXY-aUTHORIZATION-2"] {
            #expect(text.equalsIgnoringCase(Self.name))
        }
        #expect("TE".equalsIgnoringCase("te") && "Host".equalsIgnoringCase("host") && "".equalsIgnoringCase(""))
        #expect(!"tee".equalsIgnoringCase("te") && !"t".equalsIgnoringCase("te"))
    }

    /// Every byte in every place: nothing but the letter in its other case is the same. Digits and hyphens have no other case.
    @Test(arguments: ["proxy-authorization-2", "x-api-key", "expect-1", "te"] as [String])
    func nothingElseMatches(_ name: String) {
        let texts: [String: StaticString] = [
            "proxy-authorization-2": "proxy-authorization-2", "x-api-key": "x-api-key", "expect-1": "expect-1", "te": "te",
        ]
        guard let text = texts[name] else { return #expect(Bool(false), "no such name") }
        for place in name.utf8.indices {
            for byte in UInt8.min...UInt8.max {
                var bytes = Array(name.utf8)
                let offset = name.utf8.distance(from: name.utf8.startIndex, to: place)
                let original = bytes[offset]
                bytes[offset] = byte
                let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(original)
                let expected = byte == original || isLetter && byte == original - 0x20
                #expect(bytes.withUnsafeBytes { $0.equalsIgnoringCase(text) } == expected)
            }
        }
    }
}
