// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core

/// Who decides where a request goes. It hears of all that happens; what it wants done it returns.
public protocol RoutingRule: AnyObject {
    /// Everything is in memory everywhere: the bound that no rule can reach.
    var isBoundless: Bool { get }
    /// Whether it wants to hear polls' reports.
    var wantsReports: Bool { get }

    func arrived(_ request: Int, _ view: FleetView) -> [RoutingOrder]
    /// Of a request that was sent.
    func firstToken(_ request: Int, _ view: FleetView) -> [RoutingOrder]
    func ended(_ request: Int, _ end: RequestEnd, _ view: FleetView) -> [RoutingOrder]
    /// A request that had not been sent: its client left.
    func left(_ request: Int)
    func reported(_ machine: Int, _ report: EndpointReport, _ view: FleetView) -> [RoutingOrder]
    func preloaded(_ model: Int, on machine: Int, seconds: Double, _ view: FleetView) -> [RoutingOrder]
    /// Four times a second.
    func swept(_ view: FleetView) -> [RoutingOrder]
}

public enum RoutingOrder {
    /// - `context`: what the request is made to ask for instead of its own; nil where it goes on as it came.
    case send(request: Int, machine: Int, context: Int? = nil)
    case refuse(request: Int)
    case load(model: Int, machine: Int, context: Int?)
}

public struct RequestEnd {
    public var hasLeft: Bool
    /// Seconds from sending.
    public var firstToken: Double?
    public var whole: Double
    /// Of the load that it waited for, as the machine tells; zero where its model was in memory.
    public var load = 0.0
}

/// What a rule may look at. The real scheduler uses the time alone; comparison rules may see the truth, or an old copy of it.
public struct FleetView {
    public var now: Double
    public var trace: [SimulatedRequest]
    public var fleet: FleetShape
    var servers: [SimulatedServer]
}

extension RoutingRule {
    public var isBoundless: Bool { false }
    public var wantsReports: Bool { false }
    public func firstToken(_ request: Int, _ view: FleetView) -> [RoutingOrder] { [] }
    public func left(_ request: Int) {}
    public func reported(_ machine: Int, _ report: EndpointReport, _ view: FleetView) -> [RoutingOrder] { [] }
    public func preloaded(_ model: Int, on machine: Int, seconds: Double, _ view: FleetView) -> [RoutingOrder] { [] }
    public func swept(_ view: FleetView) -> [RoutingOrder] { [] }
}
