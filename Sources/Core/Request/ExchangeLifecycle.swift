// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The life of one request: what may happen next, and what has to be done then. Pure: it knows no channel, no endpoint and no clock.
///
/// ```
///                 goOn                    +----------- leaveEndpoint ------------+
///          +<-----------------+           |                                      |
///          v                  |           v                                      |
/// receiving/deciding --ask--> asking    inLine --granted--> connecting --> sent -+-> held --> open --> streaming
///      |   |   |                |         ^                     ^           |          |       ^          ^
///      |   |   |                +-follow-> following            +--again----+          |       |          |
///      |   |   +----------------- queue --+                     |                      +-------+----------+
///      |   +--------------------- locate -----------------------+                      |
///      +-work-> working <---- prepare (from connecting), repair (from held) -----------+
///
/// any --end--> over
/// ```
/// | state | who acts next | what it holds |
/// |---|---|---|
/// | receiving | the client sends its body | nothing |
/// | deciding | we do, within the same call | nothing |
/// | asking | the cache | a task |
/// | following | the leader of an equal request | a task |
/// | working | a task: it makes the answer, or makes the request ready for its endpoint | a task; perhaps a slot |
/// | inLine | the scheduler | a ticket |
/// | connecting | the network | perhaps a slot |
/// | sent | the endpoint: no byte has come back | a connection; perhaps a slot |
/// | held | the endpoint: its head has come, and the client does not have it | the same |
/// | open | the endpoint: the client has the head, and no byte of the body has come | the same |
/// | streaming | the endpoint: bytes of the body have gone to the client | the same |
/// | settling | we do: the endpoint has changed its models, and the client is told when the router knows it | perhaps a slot |
/// | over | nobody | nothing |
///
/// The last but one are stages of being *carried* to an endpoint. A carried exchange whose client leaves while others follow its generation
/// goes on *detached*, through the same stages. Requests that take no slot are located instead of granted; all else is the same for them.
struct ExchangeLifecycle: Equatable {
    enum State: Equatable {
        case receiving
        case deciding
        case asking(AnswerState)
        case following(AnswerState)
        case working(AnswerState)
        case carried(Stage)
        case detached(Stage)
        case over(Outcome)
    }

    /// Whether the client has the head of an answer that a task makes.
    enum AnswerState: Equatable { case pending, begun }

    enum Stage: Equatable {
        case inLine, connecting, sent
        case held(Hold)
        case open, streaming, settling
    }

    /// Why the head of an answer is held back.
    enum Hold: Equatable {
        /// It looks well, and another endpoint could still serve the request if nothing followed it; or only its body tells whether it
        /// is a stream.
        case untilFirstByte
        /// It is refused or failed there: its whole body is needed to judge what that means.
        case untilWhole
        /// It is put into other words as a whole, so that the client gets nothing of it before its end.
        case gathering
    }

    /// How it ended, for the counters and the books.
    enum Outcome: Equatable {
        case completed
        /// An endpoint's doing, or ours.
        case failed
        /// The client left, or an operator cancelled it.
        case aborted
        /// The client's doing, or a limit.
        case rejected
    }

    enum Slot: Equatable { case none, taken }

    private(set) var state: State = .receiving
    /// The slot on the endpoint: taken by a grant, given back by `leaveEndpoint` or `end`.
    private(set) var slot: Slot = .none

    // MARK: Questions

    var isOver: Bool {
        if case .over = state { return true }
        return false
    }

    /// Where it stands on its way to an endpoint and back; nil if it is not carried to one now.
    var stage: Stage? {
        switch state {
        case .carried(let stage), .detached(let stage): stage
        default: nil
        }
    }

    var isDetached: Bool {
        if case .detached = state { return true }
        return false
    }

    /// The head of the answer has gone to the client, so that nothing else can be its answer any more.
    var answerHasBegun: Bool {
        switch state {
        case .asking(.begun), .following(.begun), .working(.begun): true
        case .carried(.open), .carried(.streaming), .carried(.settling), .detached(.open), .detached(.streaming), .detached(.settling): true
        default: false
        }
    }

    /// A connection to an endpoint works for it.
    var hasConnection: Bool {
        switch stage {
        case .sent, .held, .open, .streaming: true
        case .inLine, .connecting, .settling, nil: false
        }
    }

    // MARK: The request

    enum OnRequestEnd: Equatable {
        /// Decide where it goes.
        case decide
        /// A task has been at work with its body since its head.
        case tellTask
        case ignore
    }

    mutating func requestEnded() -> OnRequestEnd {
        switch state {
        case .receiving:
            state = .deciding
            return .decide
        case .working: return .tellTask
        default: return .ignore
        }
    }

    // MARK: Tasks

    /// The cache is asked.
    mutating func ask() {
        guard state == .deciding else { return assertionFailure("asked the cache while \(state)") }
        state = .asking(.pending)
    }

    /// The cache has found an equal request in flight.
    mutating func follow() {
        if state == .asking(.pending) { state = .following(.pending) }
    }

    /// A task is to make the answer, or the request ready for its endpoint.
    ///
    /// - Returns: false if nobody is left who would wait for it: the exchange ends instead.
    mutating func work() -> Bool {
        switch state {
        case .receiving, .deciding, .carried(.connecting), .carried(.held(.untilWhole)):
            state = .working(.pending)
            return true
        default: return false
        }
    }

    /// The task has done its part, and the request goes on to an endpoint.
    ///
    /// - Returns: false if it is too late for that.
    mutating func goOn() -> Bool {
        switch state {
        case .asking(.pending), .following(.pending), .working(.pending):
            state = slot == .taken ? .carried(.connecting) : .deciding
            return true
        default: return false
        }
    }

    /// A task begins an answer: its head goes to the client.
    mutating func beginOwnAnswer() -> Bool {
        switch state {
        case .asking(.pending): state = .asking(.begun)
        case .following(.pending): state = .following(.begun)
        case .working(.pending): state = .working(.begun)
        default: return false
        }
        return true
    }

    // MARK: A slot

    /// The scheduler is asked for a slot.
    mutating func queue() {
        switch state {
        case .deciding: state = .carried(.inLine)
        case .carried(.inLine), .detached(.inLine): break
        default: assertionFailure("asked for a slot while \(state)")
        }
    }

    enum OnGrant: Equatable {
        case carry
        /// Nobody wants it any more.
        case giveBack
    }

    mutating func granted() -> OnGrant {
        guard moveStage(from: .inLine, to: .connecting) else { return .giveBack }
        slot = .taken
        return .carry
    }

    /// It is known where the request goes, and it takes no slot there.
    mutating func located() {
        switch state {
        case .deciding: state = .carried(.connecting)
        default: _ = moveStage(from: .inLine, to: .connecting)
        }
    }

    // MARK: An endpoint

    enum OnConnection: Equatable {
        case send
        /// As good for the next request.
        case keepForOthers
    }

    mutating func connected() -> OnConnection { moveStage(from: .connecting, to: .sent) ? .send : .keepForOthers }

    /// The connection that was used again had been closed by the endpoint: a new one is made to the same.
    mutating func connectAgain() { _ = moveStage(from: .sent, to: .connecting) }

    enum OnHead: Equatable { case begin, hold, ignore }

    /// - Parameter hold: why the head is to be held back; nil if it is not.
    mutating func receivedHead(_ hold: Hold?) -> OnHead {
        if let hold { return moveStage(from: .sent, to: .held(hold)) ? .hold : .ignore }
        return moveStage(from: .sent, to: .open) ? .begin : .ignore
    }

    enum OnBody: Equatable {
        /// To the client.
        case pass
        /// To the client, as the first of the body.
        case passFirst
        /// To the client, after the head that was held back.
        case beginAndPass
        /// Behind the head that is held back.
        case keep
        case ignore
    }

    /// - Parameters:
    ///   - isFault: what has come says that the endpoint failed, whatever the head said; asked only while the head is held back.
    ///   - isReady: what has come is worth passing on: of a stream its first token, and not a ping or half a line.
    mutating func receivedBody(isFault: @autoclosure () -> Bool, isReady: @autoclosure () -> Bool = true) -> OnBody {
        switch stage {
        case .streaming: return .pass
        case .open:
            set(.streaming)
            return .passFirst
        case .held(.untilFirstByte):
            if isFault() {
                set(.held(.untilWhole))
                return .keep
            }
            guard isReady() else { return .keep }
            set(.streaming)
            return .beginAndPass
        case .held(.untilWhole): return .keep
        case .held(.gathering): return .pass
        case .inLine, .connecting, .sent, .settling, nil: return .ignore
        }
    }

    /// What is held back goes to the client: it has been held for long enough, is too long, or nobody else could do better.
    ///
    /// - Parameters:
    ///   - hasBody: bytes of the body go with the head.
    ///   - gathers: it is put into other words as a whole first.
    /// - Returns: whether something was held back.
    mutating func letGo(hasBody: Bool, gathers: Bool) -> Bool {
        switch stage {
        case .held(.untilFirstByte), .held(.untilWhole): break
        default: return false
        }
        set(gathers ? .held(.gathering) : hasBody ? .streaming : .open)
        return true
    }

    /// Nothing better has come: what an endpoint answered before is the answer.
    ///
    /// - Parameter gathers: it is put into other words as a whole first.
    mutating func answerKept(gathers: Bool) -> Bool {
        guard stage == .inLine else { return false }
        set(gathers ? .held(.gathering) : .open)
        return true
    }

    enum OnAnswerEnd: Equatable {
        /// The client has all but the end.
        case finish
        /// What was held back is whole: it is time to judge it.
        case judge
        case ignore
    }

    func answerEnded() -> OnAnswerEnd {
        switch stage {
        case .open, .streaming, .held(.gathering): .finish
        case .held: .judge
        case .inLine, .connecting, .sent, .settling, nil: .ignore
        }
    }

    /// The client has all but the end, and gets that once the router itself knows what the endpoint has done.
    ///
    /// - Returns: false if that is not what it waits for.
    mutating func settle() -> Bool { moveStage(from: .streaming, to: .settling) || moveStage(from: .open, to: .settling) }

    enum OnLoss: Equatable {
        /// The client has nothing yet: the request may be tried elsewhere.
        case decide
        /// The client has a part of the answer.
        case cut
        case ignore
    }

    /// The endpoint cannot be reached, or has failed the request.
    func lostEndpoint() -> OnLoss {
        switch stage {
        case .connecting, .sent, .held: .decide
        case .open, .streaming: .cut
        case .inLine, .settling, nil: .ignore
        }
    }

    /// The endpoint is left for another one, or for the line. Its slot goes back.
    ///
    /// - Returns: what has to be given back.
    mutating func leaveEndpoint() -> Leaving? {
        switch stage {
        case .connecting, .sent, .held:
            let leaving = Leaving(work: hasConnection ? .connection : .nothing, slot: slot)
            slot = .none
            set(.inLine)
            return leaving
        case .inLine, .open, .streaming, .settling, nil: return nil
        }
    }

    // MARK: Ends

    enum OnClientLeft: Equatable {
        /// Nobody wants the answer: it ends.
        case end
        /// Others follow its generation.
        case detach
        case nothing
    }

    /// - Parameter isFollowed: others wait for this very answer; asked only where it could go on for them.
    mutating func clientLeft(isFollowed: @autoclosure () -> Bool) -> OnClientLeft {
        switch state {
        case .over, .detached: return .nothing
        case .carried(let stage):
            guard isFollowed() else { return .end }
            state = .detached(stage)
            return .detach
        default: return .end
        }
    }

    /// What has to be given back.
    struct Leaving: Equatable {
        enum Work: Equatable { case nothing, task, ticket, connection }

        var work: Work
        var slot: Slot
    }

    /// The only way out.
    ///
    /// - Returns: what has to be given back; nil if it was over already.
    mutating func end(_ outcome: Outcome) -> Leaving? {
        let work: Leaving.Work
        switch state {
        case .over: return nil
        case .receiving, .deciding: work = .nothing
        case .asking, .following, .working: work = .task
        case .carried(.inLine), .detached(.inLine): work = .ticket
        case .carried, .detached: work = hasConnection ? .connection : .nothing
        }
        let leaving = Leaving(work: work, slot: slot)
        slot = .none
        state = .over(outcome)
        return leaving
    }

    // MARK: Stages

    private mutating func set(_ stage: Stage) {
        switch state {
        case .carried: state = .carried(stage)
        case .detached: state = .detached(stage)
        default: break
        }
    }

    private mutating func moveStage(from: Stage, to: Stage) -> Bool {
        guard stage == from else { return false }
        set(to)
        return true
    }
}
