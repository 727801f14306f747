// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What an exchange needs that is translated, repaired, mixed, uploaded or answered by a task. The many that go straight to one
/// endpoint never have one: they are made and thrown away for each request, and shall be small.
final class Detour {
    /// The translated request: its path and body.
    var outgoing: (path: String, body: ByteBuffer)?
    /// The way back of a translated request.
    var translated: TranslatedAnswer?
    /// When the first item of a translated stream came.
    var firstItemAt: NIODeadline?
    /// What was done to the request beyond passing it on; told in a response header.
    var notes: [String] = []
    var mixture: Exchange.Mixture?
    /// Tokens that the router's own inner requests took for it.
    var innerTokens = TokenSum()
    /// What may be done about a refusal.
    var repair: RequestRepair?
    /// A refusal that is held back until it is clear whether the request goes again.
    var held: (head: ResponseHead, body: [UInt8])?
    /// Its length has been looked at before it was sent.
    var wasMeasured = false
    /// The model that is asked for instead of the one that is not there, and how many of them have been.
    var substitute: String?
    var substitutions = 0
    /// What makes the answer when no single endpoint does. Cancelled when the client leaves.
    var job: Task<Void, Never>?
    /// Whoever waits for the client to take more.
    var writable: EventLoopPromise<Void>?
    /// The model that is made, replaced or deleted: what was kept of its answers is another model's then.
    var replacedModel: String?
    /// What follows another's generation: its kind of stream, and whether what was passed on ends within a line.
    var followed: (framing: StreamFraming, isMidLine: Bool)?
    /// A body of any size on its way to endpoints.
    var upload: BlobUpload?
}

extension Exchange {
    var translated: TranslatedAnswer? { existingDetour?.translated }
    var notes: [String] { existingDetour?.notes ?? [] }
    var mixture: Mixture? { existingDetour?.mixture }
    var innerTokens: TokenSum { existingDetour?.innerTokens ?? TokenSum() }
    var isHeld: Bool { existingDetour?.held != nil }
    var substitute: String? { existingDetour?.substitute }
    var upload: BlobUpload? { existingDetour?.upload }
    var isTranslated: Bool { existingDetour?.translated != nil }

    /// What becomes of the endpoint's answer here.
    var answerUse: ForwardedHeaders.AnswerUse {
        if isTranslated { return .translated }
        if case .forward(let operation) = route.action, operation.answersAreRead { return .read }
        return .passedOn
    }

    /// The exchange is over: nobody waits for what the task may still make, nor for what is still uploaded.
    func endDetour() {
        guard let detour = existingDetour else { return }
        detour.job?.cancel()
        detour.job = nil
        detour.writable?.fail(AnswerWriter.ClientLeft())
        detour.writable = nil
        detour.upload?.cancel()
        detour.upload = nil
    }
}
