// swift-tools-version:6.0
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// Every target of ours: explicit existentials and imports that say what they need.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// NIO's locks are the system's, which the thread sanitizer knows; it takes what `Synchronization.Mutex` guards for races.
let locks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")

let package = Package(
    name: "routerd",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "routerd", targets: ["routerd"]),
        .executable(name: "routerctl", targets: ["routerctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CNcurses", providers: [.apt(["libncursesw5-dev"])]),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),

        // Arithmetic for embeddings. Optimised in debug builds too: without, a sentence takes seconds.
        .target(name: "CKernels", exclude: ["body.h"], cSettings: [.unsafeFlags(["-O3", "-Wno-psabi", "-Wno-nullability-completeness"])]),

        // The product.
        .target(name: "JSON", swiftSettings: strict),
        .target(name: "Protocol", dependencies: ["JSON"], swiftSettings: strict),
        .target(
            name: "Core",
            dependencies: [
                "JSON",
                "Protocol",
                "COpenSSL",
                "CKernels",
                .product(name: "NIOCore", package: "swift-nio"),
                locks,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["README.md"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "routerd",
            dependencies: [
                "Core",
                "Protocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "routerctl",
            dependencies: [
                "JSON",
                "Protocol",
                "Console",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Console"],
            swiftSettings: strict
        ),
        // The full-screen part of routerctl, a module of its own so that tests can import it.
        .target(
            name: "Console",
            dependencies: ["JSON", "Protocol", "CNcurses"],
            path: "Sources/routerctl/Console",
            swiftSettings: strict
        ),

        // Times the sentence model: Benchmarks/meaning.sh.
        .executableTarget(name: "embedding-times", dependencies: ["Core"], path: "Benchmarks/Meaning/Times", swiftSettings: strict),

        // What subscribers of the control socket cost: make bench-control.
        .executableTarget(name: "bench-control", dependencies: ["Protocol", "TestSupport"], path: "Benchmarks/Control", swiftSettings: strict),

        // A fleet in simulated time under the real scheduler and under other rules: `make fleet-sim`.
        .target(
            name: "FleetSimulation",
            dependencies: ["Core", .product(name: "NIOCore", package: "swift-nio")],
            path: "Benchmarks/FleetSim/Simulation",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "fleet-sim",
            dependencies: ["Core", "FleetSimulation", .product(name: "NIOCore", package: "swift-nio")],
            path: "Benchmarks/FleetSim/Main",
            swiftSettings: strict
        ),

        // Tests.
        .testTarget(
            name: "CoreTests",
            dependencies: [
                "Core",
                "JSON",
                "Protocol",
                locks,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDB", package: "GRDB.swift"),
                "TestSupport",
            ],
            swiftSettings: strict
        ),
        // What takes a core for seconds or holds a thread: the sentence model, the stores with their servers, a trace through the real
        // daemon. Apart from tests that measure deadlines.
        .testTarget(
            name: "SlowTests",
            dependencies: [
                "Core", "TestSupport", "FleetSimulation", "routerd", "simulated-endpoint", locks,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Reference"],
            swiftSettings: strict
        ),
        // Tests of routerctl and of what it stands on.
        .target(name: "FakeControl", dependencies: ["Protocol", "TestSupport", locks], path: "Tests/FakeControl", swiftSettings: strict),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "routerctl", "Protocol", "Console", "FakeControl", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Golden"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ConsoleTests",
            dependencies: [
                "Protocol", "Console", "FakeControl", "routerctl",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Screens"],
            swiftSettings: strict
        ),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "ProtocolTests", dependencies: ["JSON", "Protocol", "FakeControl", "TestSupport"], swiftSettings: strict),
        // Tests against the real binaries.
        .target(name: "TestSupport", dependencies: ["Protocol", locks], path: "Tests/Support", swiftSettings: strict),
        // A stand-in for Ollama as a program of its own: the demo, the tests with real clients and the replay of a trace use it.
        .executableTarget(
            name: "simulated-endpoint",
            dependencies: ["FleetSimulation", "JSON", "TestSupport", locks, .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Tests/SimulatedEndpoint",
            swiftSettings: strict
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["routerd", "routerctl", "simulated-endpoint", "Protocol", "TestSupport", locks],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
