// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One fault of a configuration: where it is, what is wrong, and what would be right. Never holds the value of a secret.
public struct ConfigError: Sendable, Hashable, CustomStringConvertible {
    public enum Place: Sendable, Hashable {
        /// Lines and columns count from one; zero where the fault is the file's as a whole.
        case file(String, line: Int, column: Int)
        /// An environment variable that overrides the file.
        case variable(String)
        /// A command line option.
        case option(String)
    }

    public var place: Place
    public var message: String

    public init(_ place: Place, _ message: String) {
        self.place = place
        self.message = message
    }

    /// `config.yaml:3:7: message`, as compilers print and editors understand it.
    public var description: String {
        switch place {
        case .file(let name, line: 0, column: _): "\(name): \(message)"
        case .file(let name, let line, let column): "\(name):\(line):\(column): \(message)"
        case .variable(let name): "$\(name): \(message)"
        case .option(let name): "\(name): \(message)"
        }
    }
}

/// All faults of a configuration, in the order of the file: nobody should have to mend them one run at a time.
public struct ConfigErrors: Error, Sendable, Equatable, CustomStringConvertible {
    public var errors: [ConfigError]

    public init(_ errors: [ConfigError]) {
        self.errors = errors
    }

    public var description: String {
        errors.map(\.description).joined(separator: "\n")
    }
}
