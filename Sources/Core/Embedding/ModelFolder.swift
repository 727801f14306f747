// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// Where the model's files are: `model.safetensors` and `vocab.txt`, as `make model` installs them.
package enum ModelFolder {
    /// What is wrong with the files, and what to do.
    package struct Fault: Error, Equatable, CustomStringConvertible {
        package var description: String
    }

    /// SHA-256 of the only weights that are known to give the right vectors.
    private static let digests = [
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    ]
    private static let name = "routerd/all-minilm-l6-v2"

    /// Where it is looked for if the configuration does not say, in order.
    static var usual: [String] {
        var roots: [String] = []
        if let home = getenv("XDG_DATA_HOME").map({ String(cString: $0) }), !home.isEmpty { roots.append(home) }
        if let home = getenv("HOME").map({ String(cString: $0) }), !home.isEmpty { roots.append(home + "/.local/share") }
        return (roots + ["/usr/local/share", "/usr/share"]).map { "\($0)/\(name)" }
    }

    /// The folder that has the files; whether they are sound is found out when they are read.
    static func find(_ path: String?) throws(Fault) -> String {
        let folders = path.map { [$0] } ?? usual
        if let folder = folders.first(where: { folder in digests.keys.allSatisfy { access("\(folder)/\($0)", R_OK) == 0 } }) { return folder }
        throw Fault(
            description:
                "the sentence model is not in \(folders.joined(separator: ", ")): `make model` installs it (cache_model_path names another folder)")
    }

    /// Whether the files are what they should be.
    static func check(_ folder: String) throws(Fault) {
        for (name, digest) in digests {
            let found: Digest
            do {
                found = try Digest(of: Array(Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"), options: .alwaysMapped)))
            } catch {
                throw Fault(description: "\(folder)/\(name) cannot be read: \(error)")
            }
            guard found.hex == digest else { throw damaged(folder, name) }
        }
    }

    /// Reads and checks the files. Takes a fraction of a second.
    package static func load(_ folder: String, portable: Bool = false) throws(Fault) -> MiniLM {
        do {
            let weights = try SafeTensors(path: folder + "/model.safetensors")
            guard weights.digest.hex == digests["model.safetensors"] else { throw damaged(folder, "model.safetensors") }
            let vocabulary = try Data(contentsOf: URL(fileURLWithPath: folder + "/vocab.txt"))
            guard Digest(of: Array(vocabulary)).hex == digests["vocab.txt"] else { throw damaged(folder, "vocab.txt") }
            return try MiniLM(weights, vocabulary: String(decoding: vocabulary, as: UTF8.self), portable: portable)
        } catch let fault as Fault {
            throw fault
        } catch {
            throw Fault(description: "the sentence model cannot be read: \(error)")
        }
    }

    private static func damaged(_ folder: String, _ file: String) -> Fault {
        Fault(description: "\(folder)/\(file) is not what it should be (its checksum differs): `make model` installs it anew")
    }
}
