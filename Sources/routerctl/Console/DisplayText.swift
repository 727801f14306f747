// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Text from outside made fit for a terminal: nothing in it can move the cursor, and its width is known.
///
/// Names come from configuration files and model servers; an escape sequence in one of them must
/// not be obeyed by the operator's terminal.
public enum DisplayText {
    /// Stands for what cannot be shown.
    private static let replacement: Unicode.Scalar = "\u{FFFD}"

    /// Whether a terminal shows the scalar, or adds it to the one before, and does nothing else with it.
    public static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value >= 0x20 }
        if isBlock(scalar) { return true }
        switch scalar.properties.generalCategory {
        // Format characters are the ones that reverse the writing direction or join; both make a lie of a column.
        case .control, .format, .surrogate, .unassigned, .privateUse, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }

    /// `text` with a replacement for every scalar that could do harm. With `ascii`, everything else than ASCII is `?`.
    public static func clean(_ text: String, ascii: Bool = false) -> String {
        if isPlain(text) || (!ascii && text.unicodeScalars.allSatisfy(isPrintable)) { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if ascii {
                if width(of: scalar) == 0, scalar.value > 0x7F, isPrintable(scalar) { continue }
                result.append(scalar.value < 0x7F && scalar.value >= 0x20 ? scalar : "?")
            } else {
                result.append(isPrintable(scalar) ? scalar : replacement)
            }
        }
        return String(result)
    }

    /// Whether each byte is a character of its own that a terminal shows in one column: what most text is made of.
    static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

    static func isPlain(_ text: String) -> Bool { text.utf8.withContiguousStorageIfAvailable(isPlain) ?? false }

    /// Columns that the scalar takes: 0 for combining marks, 2 for wide characters.
    ///
    /// A table of our own and not `wcwidth`, which knows nothing outside a UTF-8 locale and would make
    /// the layout (and its tests) depend on the environment. Same rules: East Asian Wide and Fullwidth are 2.
    public static func width(of scalar: Unicode.Scalar) -> Int {
        let value = scalar.value
        if value < 0x300 || isBlock(scalar) { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        // Hangul vowels and final consonants join the syllable before.
        if (0x1160...0x11FF).contains(value) { return 0 }
        return wideRanges.contains { $0.contains(value) } ? 2 : 1
    }

    /// Lines, blocks and geometric shapes of one column: all that charts are made of. Thousands of them are on a screen, and looking up
    /// each in the tables would be most of a frame's cost.
    private static func isBlock(_ scalar: Unicode.Scalar) -> Bool {
        (0x2500..<0x25FD).contains(scalar.value)
    }

    /// Columns that a clean text takes.
    public static func width(_ text: String) -> Int {
        if isPlain(text) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
    }

    /// The text cut to at most `columns`, with `ellipsis` at the end where something was cut.
    public static func truncate(_ text: String, to columns: Int, ellipsis: String = "…") -> String {
        if width(text) <= columns { return text }
        let room = columns - width(ellipsis)
        guard room > 0 else { return String(repeating: ".", count: max(0, min(columns, 1))) }
        return prefix(text, room) + ellipsis
    }

    /// The text cut to `columns` and filled with blanks up to there.
    public static func pad(_ text: String, to columns: Int, right: Bool = false, ellipsis: String = "…") -> String {
        let cut = truncate(text, to: columns, ellipsis: ellipsis)
        let fill = String(repeating: " ", count: max(0, columns - width(cut)))
        return right ? fill + cut : cut + fill
    }

    private static func prefix(_ text: String, _ columns: Int) -> String {
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            used += width(of: scalar)
            if used > columns { break }
            result.append(scalar)
        }
        return String(result)
    }

    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3, 0x25FD...0x25FE,
        0x2614...0x2615, 0x2648...0x2653, 0x267F...0x267F, 0x2693...0x2693, 0x26A1...0x26A1, 0x26AA...0x26AB, 0x26BD...0x26BE,
        0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4, 0x26EA...0x26EA, 0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA,
        0x26FD...0x26FD, 0x2705...0x2705, 0x270A...0x270B, 0x2728...0x2728, 0x274C...0x274C, 0x274E...0x274E, 0x2753...0x2755,
        0x2757...0x2757, 0x2795...0x2797, 0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50, 0x2B55...0x2B55,
        0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF,
        0x1F004...0x1F004, 0x1F0CF...0x1F0CF, 0x1F18E...0x1F18E, 0x1F191...0x1F19A, 0x1F200...0x1F320, 0x1F32D...0x1F335,
        0x1F337...0x1F37C, 0x1F37E...0x1F393, 0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4,
        0x1F3F8...0x1F43E, 0x1F440...0x1F440, 0x1F442...0x1F4FC, 0x1F4FF...0x1F53D, 0x1F54B...0x1F54E, 0x1F550...0x1F567,
        0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F, 0x1F680...0x1F6C5, 0x1F6CC...0x1F6CC,
        0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF, 0x1F6EB...0x1F6EC, 0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7EB,
        0x1F7F0...0x1F7F0, 0x1F90C...0x1F93A, 0x1F93C...0x1F945, 0x1F947...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]
}
