// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Makes the answers and the critiques of a request to `moe-<model>`, in parallel over the fleet. The final answer is an ordinary
/// exchange, made of what this returns.
struct MoeRun: Sendable {
    let request: MoeRequest
    let tenant: Tenant
    let scheduler: SchedulerBox
    let fleet: Fleet
    let client: EndpointClient
    let tokens: TokenCounter
    /// How long an endpoint may take for one of them.
    let patience: TimeAmount

    struct Outcome: Sendable {
        var choice: JSONValue
        var spent: TokenSum
    }

    private struct Answer: Sendable {
        var text: String
        var spent: TokenSum
    }

    func run() async throws -> Outcome {
        var failure: (any Error)?
        var spent = TokenSum()
        var candidates: [(answer: String, critique: String)] = []
        try await withThrowingTaskGroup(of: Result<(Answer, Answer?), any Error>.self) { group in
            for _ in 0..<MoePrompts.answers {
                group.addTask {
                    do {
                        let answer = try await ask { model throws(TranslationError) in try request.answer(model: model) }
                        // An answer without a critique is better than none.
                        let critique = try? await ask { model throws(TranslationError) in request.critique(answer.text, model: model) }
                        return .success((answer, critique))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for try await result in group {
                switch result {
                case .success((let answer, let critique)):
                    candidates.append((answer.text, critique?.text ?? ""))
                    spent += answer.spent
                    if let critique { spent += critique.spent }
                case .failure(let error): failure = error
                }
            }
        }
        try Task.checkCancellation()
        guard !candidates.isEmpty else { throw failure ?? RouterError.internalFault("no answer was made") }
        return Outcome(choice: request.choice(candidates), spent: spent)
    }

    /// One inner request, with a slot like any other.
    private func ask(_ body: (_ model: String) throws(TranslationError) -> JSONValue) async throws -> Answer {
        let lease: Lease
        do {
            lease = try await scheduler.lease(Ask(model: request.model, needs: RouteNeeds(.chat), tenant: tenant))
        } catch let error as RefusalError {
            throw RouterError.refused(error.refusal, model: request.model, path: request.operation.rawValue)
        }
        let began = NIODeadline.now()
        var end = LeaseEnd(outcome: .aborted)
        defer {
            end.serviceTime = .now() - began
            lease.release(end)
        }
        guard let endpoint = fleet.reports().first(where: { $0.0.id == lease.grant.endpoint })?.0 else {
            throw RouterError.unreachable(endpoint: request.model, reason: "it has left the fleet")
        }
        let json: JSONValue
        do throws(TranslationError) {
            json = try body(lease.grant.model)
        } catch {
            throw RouterError.untranslatable(TranslationFault(error))
        }
        let answer: EndpointClient.Answer
        do {
            answer = try await client.ask(.POST, "/v1/chat/completions", body: json.bytes, timeout: patience, of: endpoint)
        } catch ProbeError.cancelled {
            throw CancellationError()
        } catch {
            end.outcome = .failed
            end.reason = "\(error)"
            throw RouterError.connectionLost(endpoint: endpoint.name, reason: "\(error)")
        }
        guard answer.status == 200, let whole = try? JSONValue(parsing: answer.body), let choice = whole["choices"]?.array?.first else {
            end.outcome = (400..<500).contains(answer.status) ? .refused : .failed
            end.reason = answer.status == 200 ? "no answer in its body" : "\(answer.status)"
            let status = answer.status == 200 ? 502 : answer.status
            let message = answer.status == 200 ? AnswerError.message(ofBody: answer.body) : RefusalMessage.text(status: status, answer.body)
            let said = message ?? "endpoint \(endpoint.name) gave no answer"
            let told = endpoint.key?.masked(in: said) ?? said
            throw RouterError.endpointRefused(status: status, message: told)
        }
        end.outcome = .completed
        end.teaches = true
        let usage = whole["usage"]
        let spent = TokenSum(input: usage?["prompt_tokens"]?.integer ?? 0, output: usage?["completion_tokens"]?.integer ?? 0)
        end.tokens = spent.output
        tokens.record(TokenKey(endpoint: endpoint.address.url, model: ModelName.counted(lease.grant.listedModel, lease.grant.kind)), spent)
        return Answer(text: choice["message"]?["content"].given?.string ?? "", spent: spent)
    }
}
