// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Commands as calls to the daemon. Blocks.
struct Caller: Sendable {
    /// Loading and pulling tell how they go, so this is a long silence even for them, milliseconds.
    static let modelSilenceMs = 600_000

    let path: String
    /// Turns a failed call into words.
    let describe: @Sendable (ControlError) -> String

    func call(_ command: Command, onProgress: (ModelProgress) -> Void) -> Result<Answer, AnswerFailure> {
        do throws(ControlError) {
            let client = try ControlClient(path: path, timeoutMs: Feed.silenceMs)
            switch command {
            case .drain(let name): return named(try client.drain(name))
            case .maintenance(let name): return named(try client.maintenance(name))
            case .resume(let name): return named(try client.resume(name))
            case .weight(let name, let weight): return named(try client.setWeight(name, to: weight))
            case .cancel(let id): return .success(.cancelled(try client.cancel(id).cancelled))
            case .model(let action, let params):
                client.timeoutMs = Self.modelSilenceMs
                return .success(.model(try client.model(action, params, onProgress: onProgress)))
            case .invalidate(let params): return .success(.invalidated(try client.cacheInvalidate(params)))
            case .reload: return .success(.reload(try client.reload()))
            }
        } catch {
            return .failure(AnswerFailure(describe(error)))
        }
    }

    private func named(_ list: EndpointList) -> Result<Answer, AnswerFailure> {
        guard let info = list.endpoints.first else { return .failure(AnswerFailure("routerd named no endpoint")) }
        return .success(.endpoint(info))
    }

    /// What would come of the commands, a line each.
    func prepare(_ commands: [Command]) -> Result<[String], AnswerFailure> {
        do throws(ControlError) {
            let client = try ControlClient(path: path, timeoutMs: Feed.silenceMs)
            var notes: [String] = []
            for command in commands {
                switch command {
                case .drain(let name): notes += try client.drain(name, dryRun: true).warnings.map { "warning: \($0)" }
                case .maintenance(let name): notes += try client.maintenance(name, dryRun: true).warnings.map { "warning: \($0)" }
                case .reload: notes += Self.difference(try client.reload(dryRun: true))
                case .invalidate(var params):
                    params.dryRun = true
                    let info = try client.cacheInvalidate(params)
                    let what = params.namespace ?? params.model
                    let count = "\(info.cleared) \(info.cleared == 1 ? "answer" : "answers")"
                    notes.append(info.enabled ? "\(count) would go\(what.map { ": \($0)" } ?? "")" : "The cache is off")
                default: break
                }
            }
            return .success(notes)
        } catch {
            return .failure(AnswerFailure(describe(error)))
        }
    }

    private static func difference(_ info: ReloadInfo) -> [String] {
        if info.changes.isEmpty, info.needsRestart.isEmpty { return ["Nothing would change"] }
        return info.changes + info.needsRestart.map { "only with a restart: \($0)" }
    }
}
