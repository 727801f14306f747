// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// What a configuration needs of the machine that it is for: folders, files, groups. `--check`, the start and a reload ask the same.
///
/// It looks, and changes nothing. Only what was given is looked at: what the defaults lack shows itself, and is told, as the daemon runs.
public enum Preflight {
    public struct Finding: Sendable, CustomStringConvertible {
        public enum Consequence: Sendable {
            /// The daemon cannot start.
            case noStart
            /// It serves without.
            case serves
        }

        public var consequence: Consequence
        public var error: ConfigError

        /// `config.yaml:3:13: message`.
        public var description: String { error.description }
    }

    /// - Parameters:
    ///   - controlPath: where the socket will be.
    ///   - controlOption: the option that names it, if one does.
    public static func findings(_ config: Config, controlPath: String, controlOption: String? = nil) -> [Finding] {
        var findings: [Finding] = []
        func find(_ consequence: Finding.Consequence, _ place: ConfigError.Place, _ message: String?) {
            if let message { findings.append(Finding(consequence: consequence, error: ConfigError(place, message))) }
        }
        func given(_ key: String, _ consequence: Finding.Consequence, _ problem: () -> String?) {
            guard let place = config.origins.places[key] else { return }
            // A variable or an option names itself.
            if case .file = place { find(consequence, place, problem().map { "\(key): \($0)" }) } else { find(consequence, place, problem()) }
        }
        if controlOption != nil {
            find(.noStart, .option("--control"), socket(controlPath))
        } else {
            given("control_socket", .noStart) { socket(controlPath) }
        }
        given("control_group", .noStart) { config.control.group.flatMap(group) }
        given("control_read_group", .noStart) { config.control.readGroup.flatMap(group) }
        given("access_log", .serves) {
            config.accessLog.path.flatMap { $0 == "-" ? nil : file($0, what: "the access log") }
        }
        given("db_path", .serves) { database(config.databasePath, what: "token counts") }
        let cache = config.cache
        if cache.isEnabled, cache.backend == .sqlite {
            given("cache_db_path", .serves) { database(cache.databasePath, what: "the cache") }
        }
        if cache.comparesMeanings, cache.embeddingModel == nil {
            do throws(ModelFolder.Fault) {
                _ = try ModelFolder.find(cache.modelPath)
            } catch {
                let places = config.origins.places
                find(
                    .serves, places["cache_model_path"] ?? places["cache_similarity"] ?? .file(config.origins.file, line: 0, column: 0),
                    error.description)
            }
        }
        return findings
    }

    // MARK: What is wrong with each

    private static func group(_ name: String) -> String? {
        (try? AccessRules.groupID(name)) == nil ? "the system knows no group \(ValueReader.quoted(name))" : nil
    }

    private static func socket(_ path: String) -> String? {
        var status = stat()
        // One that a daemon left, or listens on, is for the start to judge.
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK { return "the control socket \(path): there is a file that is no socket" }
        return folder(of: path).map { "the control socket \(path): \($0)" }
    }

    private static func file(_ path: String, what: String) -> String? {
        problem(path).map { "\(what) \(path) cannot be written: \($0)" }
    }

    /// SQLite makes files beside the one that it is given.
    private static func database(_ path: String, what: String) -> String? {
        guard !path.isEmpty, path != ":memory:" else { return nil }
        return (problem(path) ?? folder(of: path)).map { "the database of \(what), \(path), cannot be written: \($0)" }
    }

    private static func problem(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == ENOENT ? folder(of: path) : String(cString: strerror(errno)) }
        if status.st_mode & S_IFMT == S_IFDIR { return "it is a folder" }
        return access(path, W_OK) == 0 ? nil : String(cString: strerror(errno))
    }

    /// Why no file can be made beside this one.
    private static func folder(of path: String) -> String? {
        var folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if folder.isEmpty { folder = "/" }
        var status = stat()
        guard stat(folder, &status) == 0 else {
            return errno == ENOENT ? "there is no folder \(folder)" : "\(folder): \(String(cString: strerror(errno)))"
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "\(folder) is no folder" }
        guard access(folder, W_OK | X_OK) == 0 else { return "no file can be made in \(folder): \(String(cString: strerror(errno)))" }
        var space = statvfs()
        if statvfs(folder, &space) == 0, space.f_blocks > 0, space.f_bavail == 0 { return "the disk of \(folder) is full" }
        return nil
    }
}
