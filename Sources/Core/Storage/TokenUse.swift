// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Whose tokens are counted together.
struct TokenKey: Hashable, Sendable, Comparable {
    /// The endpoint's URL.
    var endpoint: String
    var model: String

    static func < (left: TokenKey, right: TokenKey) -> Bool {
        left.endpoint != right.endpoint ? left.endpoint < right.endpoint : left.model < right.model
    }
}

/// Tokens of prompts and of answers.
struct TokenSum: Hashable, Sendable {
    var input = 0
    var output = 0

    var total: Int { input + output }

    static func + (left: TokenSum, right: TokenSum) -> TokenSum {
        TokenSum(input: left.input + right.input, output: left.output + right.output)
    }

    static func += (left: inout TokenSum, right: TokenSum) {
        left.input += right.input
        left.output += right.output
    }
}

/// One minute's (or, after folding, one day's) tokens.
struct TokenPoint: Hashable, Sendable {
    var key: TokenKey
    /// Unix seconds of the full minute, UTC.
    var timestamp: Int
    var sum: TokenSum
}
