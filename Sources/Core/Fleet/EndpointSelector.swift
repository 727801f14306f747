// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What an operator's word for an endpoint came to.
public enum EndpointMatch: Sendable, Equatable {
    case found(Endpoint)
    /// No endpoint fits; these are their names, in the order of the configuration.
    case notFound(known: [String])
    /// Several fit: their names.
    case ambiguous([String])
}

extension Collection<Endpoint> {
    /// The endpoint with this name, or this URL, or else the only one with this text, in either case, within its name or URL.
    public func matching(_ selector: String) -> EndpointMatch {
        let wanted = selector.lowercased()
        let url = wanted.hasSuffix("/") ? String(wanted.dropLast()) : wanted
        if let exact = first(where: { $0.name == selector }) ?? first(where: { $0.address.url.lowercased() == url }) { return .found(exact) }
        let fitting = wanted.isEmpty ? [] : filter { $0.name.lowercased().contains(wanted) || $0.address.url.lowercased().contains(wanted) }
        switch fitting.count {
        case 0: return .notFound(known: map(\.name))
        case 1: return .found(fitting[0])
        default: return .ambiguous(fitting.map(\.name))
        }
    }
}
