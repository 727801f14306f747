// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Core
import Logging
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// Logs go to standard error, a line each.
enum LogSetup {
    /// - Parameter events: gets what is worth an operator's eye, whatever `level` says.
    static func start(level: Logger.Level, format: LogFormat, events: EventLog) {
        LoggingSystem.bootstrap { label in
            MultiplexLogHandler([writer(label, level, format), EventLogHandler(events)])
        }
    }

    private static func writer(_ label: String, _ level: Logger.Level, _ format: LogFormat) -> any LogHandler {
        switch format {
        case .text:
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        case .json:
            return JSONLogHandler(label: label, logLevel: level)
        }
    }
}

/// One JSON object per line: `time`, `level`, `message`, and each fact as a member of its own.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(label: String, logLevel: Logger.Level) {
        self.label = label
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members = metadata.merging(event.metadata ?? [:]) { _, new in new }.mapValues { "\($0)" }
        members["time"] = Date().formatted(.iso8601)
        members["level"] = event.level.rawValue
        members["message"] = "\(event.message)"
        guard let line = try? Wire.frame(members) else { return }
        line.withUnsafeBytes { bytes in
            _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
