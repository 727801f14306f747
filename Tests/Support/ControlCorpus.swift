// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// Lines for the control socket, good and bad, and ways to make them worse.
public enum ControlCorpus {
    /// Those of Tests/Fixtures/control: put there what once did harm.
    public static func lines() throws -> [[UInt8]] {
        let folder = Checkout.root + "/Tests/Fixtures/control"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().flatMap { name in
            try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")).split(separator: 0x0a).map { Array($0) }
        }
    }

    /// One line, spoilt in up to four ways; sometimes not at all. It has no newline unless one got in.
    public static func spoil(_ line: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var line = line
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let place = line.isEmpty ? 0 : Int.random(in: 0..<line.count, using: &random)
            switch Int.random(in: 0..<9, using: &random) {
            case 0: if !line.isEmpty { line[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
            case 1: line = Array(line[..<place])
            case 2: line.insert(UInt8.random(in: 0...255, using: &random), at: place)
            case 3: if !line.isEmpty { line.remove(at: place) }
            case 4:
                let end = Int.random(in: place...line.count, using: &random)
                line.insert(contentsOf: line[place..<end], at: place)
            case 5: line.insert(contentsOf: Array(repeating: UInt8(ascii: "["), count: Int.random(in: 1...200, using: &random)), at: place)
            case 6:
                let tokens = [#""a":"#, "null", "{", "}", "]", ",", ":", #"\u"#, "1e999", "-", "true", #""id":3,"#, "\u{0}", "\r"]
                line.insert(contentsOf: Array((tokens.randomElement(using: &random) ?? "").utf8), at: place)
            case 7: line.insert(contentsOf: (0..<20).map { _ in UInt8.random(in: 0...255, using: &random) }, at: place)
            default: line.insert(contentsOf: Array(repeating: UInt8(ascii: "x"), count: Int.random(in: 1...5000, using: &random)), at: place)
            }
        }
        return line
    }
}
