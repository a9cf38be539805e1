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
        .library(name: "BulkSync", targets: ["BulkSync"])
    ],
    targets: [
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .target(name: "BulkSync", dependencies: ["CLibPQ"], swiftSettings: settings),
        .testTarget(name: "BulkSyncTests", dependencies: ["BulkSync"], swiftSettings: settings),
    ]
)
