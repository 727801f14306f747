// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// What a command needs to run: the daemon at the other end, and where the answer goes.
struct Session {
    let client: ControlClient
    let output: Output
    let path: String
    /// How long `ROUTERCTL_TIMEOUT` says that an answer may take; nil where it says nothing.
    let chosenTimeoutMs: Int?

    /// Connects, and warns if the daemon speaks another version of the protocol.
    init(_ options: GlobalOptions) throws(Failure) {
        let environment = ProcessInfo.processInfo.environment
        output = Output(json: options.json, environment: environment)
        chosenTimeoutMs = Self.chosenTimeoutMs(environment)
        path = SocketPath.find(option: options.socket, environment: environment)
        do {
            client = try Self.connect(path, environment: environment)
            let patience = client.timeoutMs
            // Someone may have to type a password first.
            if SSHAddress.names(path) { client.timeoutMs = max(patience, Self.mayAsk ? 120_000 : 30_000) }
            let hello = try client.hello()
            client.timeoutMs = patience
            if let warning = Self.mismatch(hello) { Output.warn(warning) }
        } catch {
            throw Diagnosis.failure(error, option: options.socket)
        }
    }

    static func connect(_ path: String, environment: [String: String]) throws(ControlError) -> ControlClient {
        let client = try ControlClient(path: path, mayAsk: mayAsk)
        if let patience = chosenTimeoutMs(environment) { client.timeoutMs = patience }
        return client
    }

    private static func chosenTimeoutMs(_ environment: [String: String]) -> Int? {
        environment["ROUTERCTL_TIMEOUT"].flatMap(Duration.init).map(\.milliseconds).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Whether somebody is there to answer questions.
    static var mayAsk: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// A call to the daemon, with its failure put into words.
    func ask<Answer>(_ call: (ControlClient) throws(ControlError) -> Answer) throws(Failure) -> Answer {
        do {
            return try call(client)
        } catch {
            throw Diagnosis.failure(error)
        }
    }

    /// As `ask`; where the daemon knows no such name, the nearest that it knows is suggested.
    func ask<Answer>(about name: Named, _ call: (ControlClient) throws(ControlError) -> Answer) throws(Failure) -> Answer {
        do {
            return try call(client)
        } catch {
            var failure = Diagnosis.failure(error)
            if failure.status == .notFound { failure.advice += suggestion(for: name) }
            throw failure
        }
    }

    /// What a name on the command line means.
    enum Named {
        case endpoint(String)
        case model(String)
        /// A model, and the endpoint that it is to be on.
        case both(model: String, endpoint: String?)
    }

    func suggestion(for name: Named) -> [String] {
        var near: [String?] = []
        if let endpoint = name.endpoint, let known = try? client.endpoints().endpoints.map(\.name), !known.contains(endpoint) {
            near.append(Suggestion.nearest(to: endpoint, among: known))
        }
        if let model = name.model, let known = try? client.models().models.flatMap({ [$0.name] + $0.aliases }), !known.contains(model) {
            near.append(Suggestion.nearest(to: model, among: known))
        }
        return near.compactMap { $0 }.map { "Did you mean '\($0)'?" }
    }

    static func mismatch(_ hello: HelloInfo) -> String? {
        guard hello.controlProtocol != ProductVersion.controlProtocol else { return nil }
        return """
            warning: routerd \(hello.version) speaks control protocol \(hello.controlProtocol), this routerctl \
            \(ProductVersion.current) speaks \(ProductVersion.controlProtocol): what it shows may be wrong
            """
    }
}

extension Session.Named {
    fileprivate var endpoint: String? {
        switch self {
        case .endpoint(let name): name
        case .model: nil
        case .both(_, let endpoint): endpoint
        }
    }

    fileprivate var model: String? {
        switch self {
        case .endpoint: nil
        case .model(let name): name
        case .both(let model, _): model
        }
    }
}
