// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Protocol

/// What a command needs to run: the daemon at the other end, and where the answer goes.
struct Session {
    let client: ControlClient
    let output: Output
    let path: String

    /// Connects, and warns if the daemon speaks another version of the protocol.
    init(_ options: GlobalOptions) throws(Failure) {
        let environment = ProcessInfo.processInfo.environment
        output = Output(json: options.json, environment: environment)
        path = SocketPath.find(option: options.socket, environment: environment)
        do {
            client = try ControlClient(path: path)
            let hello = try client.hello()
            if let warning = Self.mismatch(hello) { Output.warn(warning) }
        } catch {
            throw Diagnosis.failure(error, option: options.socket)
        }
    }

    /// A call to the daemon, with its failure put into words.
    func ask<Answer>(_ call: (ControlClient) throws(ControlError) -> Answer) throws(Failure) -> Answer {
        do {
            return try call(client)
        } catch {
            throw Diagnosis.failure(error)
        }
    }

    static func mismatch(_ hello: HelloInfo) -> String? {
        guard hello.controlProtocol != ProductVersion.controlProtocol else { return nil }
        return """
            warning: routerd \(hello.version) speaks control protocol \(hello.controlProtocol), this routerctl \
            \(ProductVersion.current) speaks \(ProductVersion.controlProtocol): what it shows may be wrong
            """
    }
}
