// swift-tools-version: 6.0

import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "bulk_sync",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "BulkSync", targets: ["BulkSync"]),
        .executable(name: "bulk-sync", targets: ["bulk-sync"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .target(
            name: "BulkSync",
            dependencies: ["CLibPQ", .product(name: "Logging", package: "swift-log")],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "bulk-sync",
            dependencies: ["BulkSync", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "bulk-sync-bench",
            dependencies: ["BulkSync", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "bulk-sync-demo",
            dependencies: ["BulkSync"],
            path: "Tests/demo/client",
            swiftSettings: settings
        ),
        .testTarget(name: "BulkSyncTests", dependencies: ["BulkSync"], swiftSettings: settings),
        .testTarget(
            name: "BulkSyncIntegrationTests",
            dependencies: ["BulkSync", "bulk-sync", .product(name: "Logging", package: "swift-log")],
            swiftSettings: settings
        ),
    ]
)
