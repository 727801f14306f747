// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Answer to `config.show`: the configuration in force.
public struct ConfigInfo: Codable, Sendable, Equatable {
    public struct Setting: Codable, Sendable, Equatable {
        public var name: String
        /// As the file would say it; secrets are `***`.
        public var value: String
        public var isDefault: Bool
        /// A change of it comes into force with a restart only.
        public var needsRestart: Bool

        public init(name: String, value: String, isDefault: Bool, needsRestart: Bool) {
            self.name = name
            self.value = value
            self.isDefault = isDefault
            self.needsRestart = needsRestart
        }
    }

    public var schema = ProductVersion.schema
    public var path: String
    public var settings: [Setting]

    public init(path: String, settings: [Setting]) {
        self.path = path
        self.settings = settings
    }
}

/// Parameters of `config.check`: a text that is not in force, and what to call it in errors.
public struct ConfigCheckParams: Codable, Sendable {
    public var text: String
    public var path: String

    public init(text: String, path: String) {
        self.text = text
        self.path = path
    }
}

/// Answer to `config.check`.
public struct ConfigCheckInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    /// `file:line:column: what is wrong`, one each; empty where all is well.
    public var errors: [String]
    /// What is worth a warning though it is no error.
    public var notices: [String]
    /// What bringing it into force would change.
    public var changes: [String]
    public var needsRestart: [String]

    public init(errors: [String] = [], notices: [String] = [], changes: [String] = [], needsRestart: [String] = []) {
        self.errors = errors
        self.notices = notices
        self.changes = changes
        self.needsRestart = needsRestart
    }
}
