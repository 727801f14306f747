// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Ctrl-C in `routerctl pull`, with the real daemon between it and the endpoint. Without this, forty gigabytes would go on coming that
/// nobody wants any more.
@Suite struct InterruptedPullTests {
    /// Tells of a little progress, and then is at it until its client goes.
    private static let endless: FakeEndpoint.Script = { connection, _ in
        connection.startStream()
        connection.sendChunk(#"{"status":"pulling 6a0746a1ec1a","digest":"sha256:6a","total":1000,"completed":10}"# + "\n")
        connection.waitForPeerToLeave(within: 60)
    }

    @Test func ctrlCStopsItAtTheEndpoint() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], script: Self.endless)
        try RunningDaemon.run([endpoint]) { daemon in
            let (out, err) = (daemon.folder.path + "/out", daemon.folder.path + "/err")
            let pull = try ChildProcess(
                Checkout.binary("routerctl"), ["--socket", daemon.socketPath, "pull", "new:70b", "--endpoint", "gpu"], output: out, errors: err)
            try eventually("the pull goes on") { daemon.folder.read("err").contains("pulling 6a0746a1ec1a") && endpoint.active == 1 }
            pull.signal(SIGINT)
            let status = try pull.waitForExit(within: 10)
            #expect(status == 130, "128 and the number of the signal, as the shell has it")
            #expect(daemon.folder.read("err").hasSuffix("routerctl: interrupted: routerd stops the pull\n"), "\(daemon.folder.read("err"))")
            #expect(daemon.folder.read("out").isEmpty)
            try eventually("the endpoint's request has ended") { endpoint.active == 0 && endpoint.peersThatLeft == 1 }
            // The daemon is as it was.
            try #expect(daemon.endpoint("gpu").state == "up")
        }
    }
}
