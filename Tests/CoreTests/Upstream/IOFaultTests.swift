// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import Testing

@testable import Core

@Suite struct IOFaultTests {
    /// Breaks when endpoints are marked down, one after the other, because the router ran out of something.
    @Test(arguments: [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL]) func whatWeLackIsOurs(errno: CInt) {
        #expect(IOFault(IOError(errnoCode: errno, reason: "connect")).isOurs)
    }

    @Test(arguments: [ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EPIPE]) func whatItDoesIsTheEndpoints(errno: CInt) {
        let fault = IOFault(IOError(errnoCode: errno, reason: "connect"))
        #expect(!fault.isOurs && !fault.reason.isEmpty)
    }

    @Test func anythingElseIsTheEndpoints() {
        #expect(IOFault(ChannelError.connectTimeout(.seconds(5))) == .endpoint("no connection within 5000 ms (connect_timeout)"))
        #expect(IOFault(TLSError.truncated) == .endpoint("the TLS connection was cut off"))
    }
}
