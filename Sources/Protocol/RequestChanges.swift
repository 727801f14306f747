// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Parameters of `cancel`.
public struct CancelParams: Codable, Sendable {
    /// As `requests` tells it.
    public var id: String

    public init(id: String) {
        self.id = id
    }
}

/// Answer to `cancel`: the request as it was. Its client got an error, its slot is back.
public struct CancelInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var cancelled: RequestInfo

    public init(cancelled: RequestInfo) {
        self.cancelled = cancelled
    }
}

/// Parameters of `weight`. It holds until the operator takes it back, or the daemon ends.
public struct WeightParams: Codable, Sendable {
    public var endpoint: String
    public var weight: WeightChoice

    public init(endpoint: String, weight: WeightChoice) {
        self.endpoint = endpoint
        self.weight = weight
    }
}

/// A weight, or the word `default` for that of the configuration.
public enum WeightChoice: Codable, Sendable, Equatable {
    /// From 0 to 1000.
    case number(Double)
    case configured

    private static let word = "default"

    /// As it is written; nil for what is neither.
    public init?(_ text: String) {
        if text == Self.word {
            self = .configured
        } else if let number = Double(text), (0...1000).contains(number) {
            self = .number(number)
        } else {
            return nil
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let word = try? container.decode(String.self) {
            guard word == Self.word else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a number or \"default\"")
            }
            self = .configured
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .configured: try container.encode(Self.word)
        }
    }
}
