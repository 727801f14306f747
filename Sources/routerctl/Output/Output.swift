// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import JSON
import Console
import Protocol

/// Where answers go: the answer itself on standard output, everything else on standard error.
struct Output {
    var json: Bool
    /// Columns of the terminal; nil when standard output is none, and text is tab-separated.
    var width: Int?
    var style: Style

    /// As the surroundings are: terminal or not, its width, `NO_COLOR`, the locale.
    init(json: Bool, environment: [String: String]) {
        self.json = json
        let isTerminal = isatty(STDOUT_FILENO) == 1
        width = isTerminal ? Self.terminalWidth(environment: environment) : nil
        let noColour = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        style = Style(colour: isTerminal && !noColour && environment["TERM"] != "dumb", ascii: !Self.isUTF8(environment: environment))
    }

    init(json: Bool, width: Int?, style: Style) {
        self.json = json
        self.width = width
        self.style = style
    }

    /// Prints the value as JSON, or what `text` makes of it.
    func show(_ value: some Encodable, text: (Page) -> Void) throws {
        try StandardOutput.write(lines: try render(value, text: text))
    }

    /// The lines that `show` prints.
    func render(_ value: some Encodable, text: (Page) -> Void) throws -> [String] {
        if json { return [try Self.encode(value)] }
        let page = Page(width: width, style: style)
        text(page)
        return page.lines
    }

    func report(_ failure: Failure) {
        for line in lines(of: failure) { StandardError.write(line: line) }
    }

    func lines(of failure: Failure) -> [String] {
        if json {
            let body = ErrorBody(error: .init(code: failure.code, message: failure.message))
            return [(try? Self.encode(body)) ?? ""]
        }
        // A message of several lines (`file:line:col: ...`) stands as the daemon wrote it, for editors to read.
        let lines = failure.message.split(whereSeparator: \.isNewline).map { DisplayText.clean(String($0)) }
        let text = lines.count > 1 ? lines : ["routerctl: \(lines.first ?? failure.code)"]
        return text + failure.advice.map { "  \(DisplayText.clean($0))" }
    }

    static func warn(_ text: String) {
        StandardError.write(line: "routerctl: \(DisplayText.clean(text))")
    }

    /// JSON as the protocol spells it, without characters that a terminal obeys.
    static func encode(_ value: some Encodable, pretty: Bool = true) throws -> String {
        let text = String(decoding: try Wire.encode(value, pretty: pretty), as: UTF8.self)
        // The encoder escapes what JSON demands; delete, the C1 controls and direction marks it leaves as they are.
        return JSONText.escaping(text) { $0.value > 0x7E && !DisplayText.isPrintable($0) }
    }

    private static func terminalWidth(environment: [String: String]) -> Int {
        if let columns = environment["COLUMNS"].flatMap(Int.init), columns > 0 { return columns }
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return 80
    }

    /// Whether the locale's character set is UTF-8, by the same variables as the C library reads.
    static func isUTF8(environment: [String: String]) -> Bool {
        let name = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? "C"
        let lower = name.lowercased()
        return lower.contains("utf-8") || lower.contains("utf8")
    }

    private struct ErrorBody: Encodable {
        struct Detail: Encodable {
            let code: String
            let message: String
        }
        var schema = ProductVersion.schema
        let error: Detail
    }
}
