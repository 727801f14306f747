// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A request as its worker tells of it.
struct RequestRow: Sendable {
    /// Named as its client does, if it does.
    var info: RequestInfo
    /// The router's own name, of which there is one.
    var ownName: String
    /// Its place in line.
    var ticket: TicketID?

    /// Clients may call several requests the same: those go by our own names, so that an id stands for one request.
    static func unique(_ rows: [RequestRow]) -> [RequestRow] {
        var seen: [String: Int] = [:]
        for row in rows { seen[row.info.id, default: 0] += 1 }
        return rows.map { row in
            guard seen[row.info.id] ?? 0 > 1 else { return row }
            var row = row
            row.info.id = row.ownName
            return row
        }
    }
}
