// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// All that is known of one row, as lines: the page that Enter opens. Made anew for each frame, so that it stays true.
enum DetailPage {
    /// What the page is called.
    static func title(_ model: Model, _ id: String) -> String {
        guard model.view == .events else { return id }
        return model.events.first { "\($0.sequence)" == id }?.message ?? id
    }

    static func lines(_ model: Model, of id: String, in area: Area, _ theme: Theme) -> [StyledLine] {
        switch model.view {
        case .endpoints:
            guard let endpoint = model.endpoints.first(where: { $0.name == id }) else { break }
            return EndpointPage(
                endpoint: endpoint, history: model.history, requests: model.requests, events: model.events, wallS: model.wallS
            ).lines(columns: area.columns, rows: area.rows, theme)
        case .events:
            guard let event = model.events.first(where: { "\($0.sequence)" == id }) else { break }
            return EventLines.detail(event, columns: area.columns, theme)
        case .models:
            if let found = model.models.first(where: { $0.name == id }) { return styled(info(found, model), area.columns, theme) }
        case .requests:
            if let found = model.requests.first(where: { $0.id == id }) { return styled(request(found), area.columns, theme) }
        case .queue:
            if let found = model.queue.first(where: { $0.id == id }) { return styled(waiter(found), area.columns, theme) }
        case .cache:
            if let found = model.namespaces.first(where: { $0.name == id }) { return styled(namespace(found), area.columns, theme) }
        case .tokens: return []
        }
        return [StyledLine(" \(id) is gone", .dim, theme)]
    }

    private static func styled(_ facts: [Fact], _ columns: Int, _ theme: Theme) -> [StyledLine] {
        let names = min(columns / 3, facts.filter { !$0.isHeading }.map { DisplayText.width(DisplayText.clean($0.name)) }.max() ?? 0)
        return facts.flatMap { fact -> [StyledLine] in
            if fact.isHeading { return [StyledLine.section(fact.name, columns: columns, theme)] }
            var line = StyledLine(" ", .plain, theme)
            line.add(StyledLine(fact.name, .dim, theme).cut(to: names, theme))
            line.pad(to: names + 3)
            line.add(fact.value, fact.role)
            return line.wrapped(to: columns - 1, indent: names + 3, theme)
        }
    }

    private static func info(_ info: ModelInfo, _ model: Model) -> [Fact] {
        var facts = [
            Fact("Size", info.sizeBytes.map(Quantity.bytes) ?? "not known"),
            Fact("Parameters", [info.parameterSize, info.quantization].compactMap { $0 }.joined(separator: ", ")),
            Fact("Context", info.contextLength.map { "\($0) tokens" } ?? "not known"),
            Fact("Aliases", info.aliases.isEmpty ? "none" : info.aliases.joined(separator: ", ")),
            Fact("Use", "\(info.inFlight) in flight, \(info.waiting) waiting, \(info.requestsTotal) requests, \(info.tokensTotal) tokens"),
            Fact(heading: "Where"),
        ]
        for place in info.places {
            let parts = [
                place.state, place.configuration.map { "with \($0)" }, "\(place.inFlight) of \(place.limit) slots",
                place.sizeVramBytes.map(Quantity.bytes),
                place.expiresAt.map { "expires in \(Timestamp.until($0, wallS: model.wallS))" },
                place.name == info.name ? nil : "there \(place.name)", place.loads.map { "loads: \($0.words)" },
                place.estimates.map { "estimates: \($0.words)" },
            ]
            facts.append(Fact(place.endpoint, parts.compactMap { $0 }.joined(separator: ", "), place.state == "loaded" ? .good : .plain))
        }
        let asked = info.places.flatMap { place in (place.loads?.asked ?? []).map { Fact(place.endpoint, $0.words, .warning) } }
        if !asked.isEmpty { facts += [Fact(heading: "Loaded again for other options, in 10 minutes")] + asked }
        return facts
    }

    private static func request(_ request: RequestInfo) -> [Fact] {
        [
            Fact(
                "Phase",
                "\(request.phase.words) for \(Quantity.duration(ms: request.phaseMs)), \(Quantity.duration(ms: request.ageMs)) in all"),
            Fact("Model", request.model.isEmpty ? "not read yet" : request.model),
            Fact("Endpoint", request.endpoint.isEmpty ? "none yet" : request.endpoint),
            Fact("Why there", request.placed.isEmpty ? "-" : request.placed),
            Fact("Client", request.client),
            Fact("Key", request.key.isEmpty ? "-" : request.key),
            Fact("Route", "\(request.method) \(request.route)"),
            Fact("Tokens", "\(request.tokens)" + (request.tokensPerSecond.map { ", \(Quantity.rate($0)) a second" } ?? "")),
            Fact("Sent", Quantity.bytes(request.bytesSent)),
            Fact("Cache", request.cache.isEmpty ? "-" : request.cache),
        ]
    }

    private static func waiter(_ waiter: WaiterInfo) -> [Fact] {
        [
            Fact("Model", waiter.model),
            Fact("Waited", Quantity.duration(ms: waiter.ageMs)),
            Fact("Begins in", waiter.beginsInMs.map { "about \(Quantity.duration(ms: $0))" } ?? "-"),
            Fact("Client", waiter.client),
            Fact("Key", waiter.key.isEmpty ? "-" : waiter.key),
            Fact("Ahead", waiter.position == 0 ? "nobody: next to go" : "\(waiter.position): \(waiter.behind.joined(separator: ", "))"),
            Fact(heading: "Blocked by"),
        ] + (waiter.blockedBy.isEmpty ? [Fact("", "no endpoint could serve it", .bad)] : waiter.blockedBy.map { Fact("", $0, .warning) })
    }

    private static func namespace(_ namespace: CacheInfo.Namespace) -> [Fact] {
        [
            Fact("Model", namespace.model), Fact("Tenant", namespace.tenant.isEmpty ? "-" : namespace.tenant),
            Fact("Entries", "\(namespace.entries)"), Fact("Size", Quantity.bytes(namespace.bytes)), Fact("Name", namespace.name),
        ]
    }
}

/// One line of a page of facts: a name and its value, or a heading.
struct Fact: Equatable {
    var name: String
    var value: String
    var role: Role
    var isHeading = false

    init(_ name: String, _ value: String, _ role: Role = .plain) {
        self.name = name
        self.value = value
        self.role = role
    }

    init(heading: String) {
        self.init(heading, "")
        isHeading = true
    }
}
