// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// Runs agents in a network that has the loopback only, with the router and the endpoint beside them.
enum AgentRun {
    /// - Parameter body: fails by throwing. Its sockets and processes are in that network.
    static func offline(_ body: @escaping @Sendable () throws -> Void) throws {
        if LoopbackNamespace.isAvailable { return try LoopbackNamespace.run(body) }
        print("SKIPPED in part: no network namespaces here (root is needed): agents run with proxies that nobody serves instead")
        try body()
    }

    /// Lets an agent do its task through this router.
    ///
    /// - Parameter sights: what must reach the model; nil for what the agent always hands to it.
    /// - Returns: what the agent showed, and what is wrong with it; empty if the task is done.
    static func perform(
        _ agent: RealAgent, variant: String? = nil, sights: [AgentTask.Sight]? = nil, port: Int
    ) throws -> (outcome: RealAgent.Outcome, shortcomings: [String]) {
        let folder = try TemporaryFolder()
        let task = AgentTask(folder: folder.path + "/work", manner: agent.manner)
        let errand = try RealAgent.Errand(task.prompt, port: port, variant: variant, folder: folder.path)
        try task.prepare()
        let outcome = try agent.run(errand)
        var shortcomings = task.shortcomings(said: outcome.lastWords, sights: sights ?? agent.sights)
        if outcome.status != 0 { shortcomings.insert("it ended with status \(outcome.status)", at: 0) }
        return (outcome, shortcomings)
    }

    /// What the agent showed, for the line that tells of its failure.
    static func text(_ outcome: RealAgent.Outcome) -> String {
        "--- it printed:\n\(outcome.output.suffix(3000))\n--- and as errors:\n\(outcome.errors.suffix(2000))"
    }
}
