// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: a stranger gets in, a friend does not, or the key goes on to an endpoint.
@Suite struct RouterKeysTests {
    let keys = RouterKeys(Secret("s3cret&é"))

    @Test(
        arguments: [
            (["Authorization": "Bearer s3cret&é"], nil, RouterKeys.Verdict.allowed),
            (["authorization": "bearer   s3cret&é"], nil, .allowed),
            (["Authorization": "Bearer s3cret"], nil, .wrong),
            (["Authorization": "Bearer "], nil, .missing),
            (["Authorization": "Basic s3cret&é"], nil, .missing),
            ([:], nil, .missing),
            ([:], "api_key=s3cret%26%C3%A9", .allowed),
            ([:], "a=b&api_key=s3cret%26%c3%a9&c=d", .allowed),
            ([:], "api_key=wrong", .wrong),
            ([:], "xapi_key=s3cret", .missing),
            (["Authorization": "Bearer wrong"], "api_key=s3cret%26%C3%A9", .wrong),
        ] as [(HTTPHeaders, Substring?, RouterKeys.Verdict)])
    func judges(_ headers: HTTPHeaders, _ query: Substring?, _ verdict: RouterKeys.Verdict) {
        #expect(keys.judge(headers: headers, query: query) == verdict)
    }

    @Test func withoutAKeyAllMayEnter() {
        #expect(RouterKeys(nil).judge(headers: [:], query: nil) == .allowed)
        #expect(RouterKeys(Secret("")).judge(headers: [:], query: nil) == .allowed)
        #expect(!RouterKeys(Secret("")).isRequired)
    }

    @Test(arguments: [("api_key=x", nil), ("a=1&api_key=x", "a=1"), ("api_key=x&a=1&b", "a=1&b"), ("a=1", "a=1")] as [(Substring, String?)])
    func theKeyIsTakenOutOfTheQuery(_ query: Substring, _ rest: String?) {
        #expect(QueryText.removing(["api_key"], from: query) == rest)
    }

    @Test func aSecretDoesNotPrint() {
        let secret = Secret("s3cret")
        #expect("\(secret) \(String(reflecting: secret)) \([secret])" == "*** *** [***]")
    }
}
