// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// From a key to commands: which rows it means, what is asked first, and what the answer says.
func begin(_ model: inout Model, _ ask: Ask) -> [Effect] {
    if case .lost = model.connection {
        model.refuse(Model.notConnected)
        return []
    }
    switch ask {
    case .reload: return model.ask([.reload], "Reload the configuration", "streams go on", prepare: true)
    case .invalidateAll: return model.ask([.invalidate(CacheInvalidateParams())], "Clear the whole cache", "", prepare: true)
    default: break
    }
    let targets = model.targets
    // At an endpoint, and where no model is selected, the model is still to be named.
    if model.view == .endpoints, [.load, .unload, .pull].contains(ask) || targets.isEmpty {
        guard let endpoint = targets.first else { return model.refuseNothing() }
        let known = model.endpoints.first { $0.name == endpoint }
        let text = ask == .unload && known?.loaded.count == 1 ? known?.loaded.first : nil
        model.dialog = .prompt(Prompt(purpose: .model(ask.verb, endpoint: endpoint), text: text ?? "", names: model.names(for: ask, on: known)))
        return []
    }
    switch ask {
    case .pull:
        model.dialog = .prompt(Prompt(purpose: .model("pull", endpoint: nil), names: model.names(for: ask, on: nil)))
        return []
    default: break
    }
    guard let first = targets.first else { return model.refuseNothing() }
    switch ask {
    case .drain, .maintenance, .resume: return model.askState(ask, targets)
    case .weight:
        model.dialog = .prompt(Prompt(purpose: .weight(targets)))
    case .cancel:
        return model.ask(
            targets.map { .cancel($0) }, "Cancel \(Model.list(targets, "requests"))",
            targets.count == 1 ? "its client gets an error" : "their clients get errors")
    case .load, .unload, .delete: return model.askModel(ask.verb, targets, endpoint: nil)
    case .copy:
        model.dialog = .prompt(Prompt(purpose: .copy(first)))
    case .show: return model.run([.model("show", ModelActionParams(model: first))])
    case .invalidate:
        let commands = targets.map { target in
            var params = CacheInvalidateParams()
            if model.view == .cache { params.namespace = target } else { params.model = target }
            return Command.invalidate(params)
        }
        return model.ask(commands, "Clear what the cache keeps of \(Model.list(targets))", "", prepare: true)
    case .pull, .reload, .invalidateAll: break
    }
    return []
}

extension Ask {
    /// The command's name.
    var verb: String { "\(self)" }
}

extension Model {
    /// The rows that an action takes: the one whose page is open, those that are marked, or the selected one.
    var targets: [String] { opened.map { [$0] } ?? table.targets }

    fileprivate mutating func refuseNothing() -> [Effect] {
        refuse("Nothing is selected")
        return []
    }

    /// Names as a sentence has them, the first few.
    static func list(_ names: [String], _ what: String = "") -> String {
        if names.count == 1 { return names[0] }
        let shown = names.prefix(3).joined(separator: ", ")
        return "\(names.count)\(what.isEmpty ? "" : " \(what)"): \(shown)\(names.count > 3 ? ", ..." : "")"
    }

    mutating func ask(_ commands: [Command], _ text: String, _ consequence: String, prepare: Bool = false) -> [Effect] {
        guard !commands.isEmpty else { return [] }
        dialog = .question(Question(commands: commands, text: text, consequence: consequence, isPreparing: prepare))
        return prepare ? [.prepare(commands)] : []
    }

    /// Hands the commands over.
    mutating func run(_ commands: [Command]) -> [Effect] {
        let job = nextJob
        nextJob += 1
        jobs.append(Job(id: job, commands: commands, sinceMs: nowMs))
        table.marks = []
        return [.run(job: job, commands)]
    }

    /// Drain, maintenance or resume of those that are not in that state already.
    fileprivate mutating func askState(_ ask: Ask, _ names: [String]) -> [Effect] {
        let all = names.compactMap { name in endpoints.first { $0.name == name } }
        let fit = all.filter { endpoint in
            switch ask {
            case .drain: endpoint.state != "draining"
            case .maintenance: endpoint.state != "maintenance"
            default: endpoint.state == "draining" || endpoint.state == "maintenance" || !endpoint.setAside.isEmpty
            }
        }
        guard !fit.isEmpty else {
            guard let one = all.first else { return refuseNothing() }
            let state = ask == .drain ? "already draining" : ask == .maintenance ? "already in maintenance" : "in service (\(one.state))"
            refuse(all.count == 1 ? "\(one.name) is \(state)" : "All of them are \(ask == .resume ? "in service" : state)")
            return []
        }
        let inFlight = fit.reduce(0) { $0 + $1.inFlight }
        let ends = inFlight == 0 ? "nothing is in flight there" : "the \(inFlight) in flight will finish"
        let list = Model.list(fit.map(\.name), "endpoints")
        switch ask {
        case .drain:
            return self.ask(fit.map { .drain($0.name) }, "Drain \(list)", "nothing new, \(ends)", prepare: true)
        case .maintenance:
            return self.ask(fit.map { .maintenance($0.name) }, "Maintenance of \(list)", "nothing new, no polling, \(ends)", prepare: true)
        default:
            return self.ask(fit.map { .resume($0.name) }, "Resume \(list)", fit.count == 1 ? "it gets requests again" : "they get requests again")
        }
    }

    /// The models that an action may be meant for: those that it would change something for come first.
    fileprivate func names(for ask: Ask, on endpoint: EndpointInfo?) -> [String] {
        switch ask {
        case .load: return (endpoint?.available ?? []).filter { !(endpoint?.loaded.contains($0) ?? false) }
        case .unload: return endpoint?.loaded ?? []
        default:
            // To pull what is there already fetches what is newer.
            let all = Set(endpoints.flatMap(\.available)).sorted()
            let there = Set(endpoint?.available ?? [])
            return all.filter { !there.contains($0) } + all.filter(there.contains)
        }
    }

    /// An action on models, at one endpoint or where the daemon sees fit.
    mutating func askModel(_ action: String, _ names: [String], endpoint: String?) -> [Effect] {
        let commands = names.map { Command.model(action, ModelActionParams(model: $0, endpoint: endpoint)) }
        let place = endpoint.map { " on \($0)" } ?? ""
        let consequence =
            switch action {
            case "load": endpoint == nil ? "where the router would place it" : ""
            case "unload": endpoint == nil ? "everywhere it is in memory; \(busy(names))" : busy(names)
            case "pull": endpoint == nil ? "where model_management says" : ""
            case "delete": "from the disks of the endpoints that model_management names"
            default: ""
            }
        return ask(commands, "\(action.prefix(1).uppercased())\(action.dropFirst()) \(Self.list(names, "models"))\(place)", consequence)
    }

    private func busy(_ names: [String]) -> String {
        let count = models.filter { names.contains($0.name) }.reduce(0) { $0 + $1.inFlight }
        return count == 0 ? "nothing is in flight for it" : "\(count) in flight"
    }
}

/// Shows what the daemon said.
func show(_ model: inout Model, _ answers: [CommandAnswer]) {
    var done: [String] = []
    var failed: [String] = []
    for answer in answers {
        switch answer.result {
        case .success(.model(let info)) where info.outcomes.contains { !$0.failure.isEmpty }:
            let parts = info.outcomes.map { $0.failure.isEmpty ? "\($0.endpoint) done" : "\($0.endpoint): \($0.failure)" }
            failed.append("\(answer.command.summary): \(parts.joined(separator: "; "))")
        case .success(let result):
            // What the daemon has just said is newer than the picture: whoever presses the next key means this.
            if case .endpoint(let info) = result, let index = model.endpoints.firstIndex(where: { $0.name == info.name }) {
                model.snapshot?.status.endpoints[index] = info
            }
            done.append(words(answer.command, result))
        case .failure(let failure):
            failed.append("\(answer.command.summary): \(failure.message.split(whereSeparator: \.isNewline).joined(separator: " / "))")
        }
    }
    if case .success(.model(let info))? = answers.first?.result, info.details != nil {
        model.page = .model(info)
        model.pageOffset = 0
        return
    }
    if failed.isEmpty {
        model.tell(done.joined(separator: "; "))
    } else {
        model.refuse((failed + (done.isEmpty ? [] : ["done: \(done.joined(separator: "; "))"])).joined(separator: "; "))
    }
}

private func words(_ command: Command, _ answer: Answer) -> String {
    switch answer {
    case .endpoint(let endpoint):
        if case .weight = command { return "\(endpoint.name) has weight \(Quantity.plain(endpoint.weight))" }
        let rest = endpoint.inFlight == 0 ? "nothing in flight" : "\(endpoint.inFlight) in flight"
        return "\(endpoint.name) is \(endpoint.state), \(rest)"
    case .cancelled(let request): return "\(request.id) is cancelled (\(request.model))"
    case .model(let info):
        guard case .model(let action, let params) = command else { return info.model }
        let places = info.outcomes.map(\.endpoint).joined(separator: ", ")
        let target = params.destination.map { " to \($0)" } ?? ""
        return "\(action) \(info.model)\(target): done\(places.isEmpty ? "" : " on \(places)")"
    case .invalidated(let info):
        return info.enabled ? "\(info.cleared) \(info.cleared == 1 ? "answer" : "answers") cleared from the cache" : "the cache is off"
    case .reload(let info):
        let count = info.changes.count
        let restart = info.needsRestart.isEmpty ? "" : "; \(info.needsRestart.count) wait for a restart"
        return count == 0 ? "Reloaded: nothing changed\(restart)" : "Reloaded: \(count) \(count == 1 ? "change" : "changes")\(restart)"
    }
}
