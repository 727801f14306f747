// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Yams

/// `tls:` of a server that the router connects to: how its certificate is judged, and which one it is shown.
enum TLSSection {
    private static let keys = ["ca_file", "certificate", "key", "insecure_skip_verify", "server_name"]

    /// - Parameter server: for the warning about one that is not checked.
    static func read(_ node: Node, for server: String, with reader: inout ValueReader) -> TLSClientSettings {
        var tls = TLSClientSettings()
        guard let members = reader.members(node, known: Self.keys, of: "tls") else { return tls }
        let file = "expected the path of a PEM file"
        if let node = members["ca_file"] { tls.caFile = reader.text(node, file) }
        if let node = members["certificate"] { tls.certificate = reader.text(node, file) }
        if let node = members["key"] { tls.key = reader.text(node, file) }
        if (members["certificate"] == nil) != (members["key"] == nil) { reader.fault(node, "certificate and key belong together") }
        if tls.caFile != nil || tls.certificate != nil, reader.errors.isEmpty {
            do {
                _ = try TLSContext(client: tls)
            } catch {
                reader.fault(node, "\(error)")
            }
        }
        if let node = members["server_name"] { tls.serverName = reader.text(node, "expected a host name") }
        if let node = members["insecure_skip_verify"], let skips = reader.bool(node) {
            tls.insecureSkipVerify = skips
            if skips { reader.notice(node, "certificates of \(server) are not checked: whoever is on the way can read its key") }
        }
        return tls
    }
}
