// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// A program with a file of our own in the place of /etc/hosts, so that a name can change its address under it.
public enum MountNamespace {
    /// Without root it takes a user namespace, which not every system gives.
    private static let unshare = geteuid() == 0 ? ["/usr/bin/unshare", "-m"] : ["/usr/bin/unshare", "-r", "-m"]

    /// Whether this system lets us.
    public static let isAvailable: Bool = {
        guard let folder = try? TemporaryFolder(), (try? folder.write("127.0.0.1 localhost\n", to: "hosts")) != nil else { return false }
        let trial = command(["/bin/true"], hosts: folder.path + "/hosts")
        return (try? ChildProcess.run(trial[0], Array(trial.dropFirst()), within: 10))?.status == 0
    }()

    /// The same process becomes `command`, so that signals reach it.
    static func command(_ command: [String], hosts: String) -> [String] {
        unshare + ["/bin/sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\"", hosts] + command
    }

    /// Writes into the file that is mounted: another one in its place would not be seen.
    public static func rewrite(_ hosts: String, _ text: String) throws {
        guard let file = FileHandle(forWritingAtPath: hosts) else { throw TestFailure("cannot open \(hosts)") }
        defer { try? file.close() }
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(text.utf8))
    }
}
