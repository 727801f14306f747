// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The query of a request: `a=1&b=2`.
enum QueryText {
    /// A parameter's value, decoded; nil if it is not there.
    static func value(_ name: String, in query: Substring) -> String? {
        for pair in query.split(separator: "&") where isNamed(name, pair) {
            return PercentEncoding.decode(pair.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// The query without these parameters; nil if nothing is left.
    static func removing(_ names: [String], from query: Substring) -> String? {
        let kept = query.split(separator: "&", omittingEmptySubsequences: false).filter { pair in !names.contains { isNamed($0, pair) } }
        return kept.isEmpty ? nil : kept.joined(separator: "&")
    }

    private static func isNamed(_ name: String, _ pair: Substring) -> Bool {
        pair.hasPrefix(name) && pair.dropFirst(name.count).first == "="
    }
}
