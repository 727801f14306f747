// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// The Python clients that applications use, in the virtual environment that `scripts/test-setup.sh` makes.
public enum PythonClient {
    /// Runs a script of `Tests/Clients`.
    ///
    /// - Throws: with all that it printed, if it ends with another status than 0, or if the environment is missing.
    public static func run(_ script: String, _ arguments: [String]) throws {
        let venv = ProcessInfo.processInfo.environment["ROUTERD_TEST_VENV"] ?? Checkout.root + "/.build/test-venv"
        let python = venv + "/bin/python"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestFailure("\(python) is missing: `make test` makes it, or scripts/test-setup.sh")
        }
        // Proxies of the machine have no business here.
        let result = try ChildProcess.run(
            python, [Checkout.root + "/Tests/Clients/" + script] + arguments, environment: ["NO_PROXY": "*", "no_proxy": "*"], within: 120)
        guard result.status == 0 else { throw TestFailure("\(script) ended with status \(result.status):\n\(result.output)\(result.errors)") }
    }
}
