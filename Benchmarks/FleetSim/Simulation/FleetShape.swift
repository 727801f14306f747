// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A model as the simulation knows it.
public struct SimulatedModel: Sendable {
    public var name: String
    /// Bytes in memory.
    public var size: Int
    /// Tokens per second at speed 1, alone.
    public var prefillRate: Double
    public var decodeRate: Double

    public init(name: String, size: Int, prefillRate: Double, decodeRate: Double) {
        self.name = name
        self.size = size
        self.prefillRate = prefillRate
        self.decodeRate = decodeRate
    }

    /// Larger models are slower in proportion: memory bandwidth is what both cost.
    public init(name: String, gigabytes: Double) {
        self.name = name
        size = Int(gigabytes * 1_073_741_824)
        prefillRate = 12_000 / gigabytes
        decodeRate = 500 / gigabytes
    }
}

/// An endpoint's hardware and settings.
public struct SimulatedMachine: Sendable {
    /// Bytes for models.
    public var memory: Int
    public var speed: Double
    /// Bytes per second from disk to memory.
    public var bandwidth: Double
    /// Requests that one model serves at the same time; more wait there.
    public var parallel: Int
    /// How much each stream slows the others: the speed of each is divided by 1 + slowing * others.
    public var slowing: Double
    /// Conversations whose prefix each loaded model remembers.
    public var warmConversations: Int
    /// Whether the router is told the memory by its configuration.
    public var tellsMemory: Bool
    /// Seconds of a load that do not depend on the model's size.
    public var loadOverhead = 0.5
    /// Seconds that an unused model stays.
    public var keepAlive = 300.0
    /// Models in memory at once; nil if only their sizes matter.
    public var maxModels: Int?
    /// As the router is told.
    public var weight = 1.0

    public init(
        memory: Int, speed: Double, bandwidth: Double, parallel: Int, slowing: Double, warmConversations: Int = 64, tellsMemory: Bool = true
    ) {
        self.memory = memory
        self.speed = speed
        self.bandwidth = bandwidth
        self.parallel = parallel
        self.slowing = slowing
        self.warmConversations = warmConversations
        self.tellsMemory = tellsMemory
    }

    /// Everything takes `factor` times less.
    public func quicker(by factor: Double) -> SimulatedMachine {
        var machine = self
        machine.speed *= factor
        machine.bandwidth *= factor
        machine.loadOverhead /= factor
        machine.keepAlive /= factor
        return machine
    }
}

/// The endpoints and models of one simulated fleet.
public struct FleetShape: Sendable {
    public var machines: [SimulatedMachine]
    public var models: [SimulatedModel]

    /// Unequal memory, speed and disks; models from 2 to 20 GB. Every model fits on at least two machines.
    public init(seed: UInt64, machines count: Int = 6, models modelCount: Int = 12) {
        var random = SimulationRandom(seed: seed)
        machines = (0..<count).map { index in
            SimulatedMachine(
                memory: Int([24.0, 32, 48, 64, 80][index % 5] * 1_073_741_824), speed: Double.random(in: 0.6...1.6, using: &random),
                bandwidth: Double.random(in: 1.0...3.0, using: &random) * 1_073_741_824, parallel: 4,
                slowing: Double.random(in: 0.15...0.35, using: &random), warmConversations: 64, tellsMemory: index % 2 == 0)
        }
        models = (0..<modelCount).map { index in
            SimulatedModel(name: "m\(index):latest", gigabytes: 2.5 * exponential(Double.random(in: 0...2.4, using: &random)))
        }
    }

    /// Everything takes `factor` times less; to be given traffic that is as much quicker.
    public func quicker(by factor: Double) -> FleetShape {
        var fleet = self
        fleet.machines = machines.map { $0.quicker(by: factor) }
        return fleet
    }

    /// Requests per second of a load of 1: as much work as the machines would do if each served one stream at a time without a pause.
    /// As streams share a machine, it can do a multiple of that where the models are in memory.
    public func capacity(meanWork: Double) -> Double { machines.map(\.speed).reduce(0, +) / meanWork }
}
