// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// An endpoint's refusal in the words of one in another dialect.
enum RefusalMessage {
    /// Faults that are told; a validator may have found more.
    private static let faultLimit = 8

    static func text(status: Int, _ body: [UInt8]) -> String {
        (try? JSONValue(parsing: body)).flatMap(faults) ?? AnswerError.message(ofBody: body) ?? "the endpoint answered with status \(status)"
    }

    /// What a validator has found, with the place of each fault: "messages.0.content: Field required". Its words alone say nothing.
    private static func faults(_ json: JSONValue) -> String? {
        guard let list = json["detail"].given?.array, !list.isEmpty else { return nil }
        var texts: [String] = []
        for fault in list.prefix(faultLimit) {
            guard let text = fault["msg"].given?.string else { return nil }
            var place = (fault["loc"].given?.array ?? []).map { $0.string ?? $0.text }
            if place.count > 1, place[0] == "body" { place.removeFirst() }
            texts.append(place.isEmpty ? text : "\(place.joined(separator: ".")): \(text)")
        }
        return texts.joined(separator: "; ")
    }
}
