import Foundation
import Synchronization
import Testing

@testable import BulkSync

/// The server of the tests: the one that `PGHOST` names.
enum TestServer {
    static let host = ProcessInfo.processInfo.environment["PGHOST"]

    /// Marks tests that need the server.
    static var isAvailable: Bool { host != nil }

    static let reason: Comment = "needs a server with the extension: set PGHOST (and PGPORT, PGUSER)"

    private static let counter = Atomic(0)
    private static let prefix = "swift_\(ProcessInfo.processInfo.processIdentifier)"

    static func newName() -> String {
        "\(prefix)_\(counter.add(1, ordering: .relaxed).newValue)"
    }
}

extension Trait where Self == ConditionTrait {
    /// The test runs only where there is a server.
    static var needsServer: Self { .enabled(if: TestServer.isAvailable, TestServer.reason) }
}

/// Lets a few tests through at a time: each has several connections, and a server has a hundred.
actor Gate {
    static let databases = Gate(6)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) {
        free = count
    }

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}

/// A database of its own for one test, and a client in it.
func withDatabase<Result>(
    extension hasExtension: Bool = true,
    keyStrategy: KeyStrategy = .propertyNames,
    setup: String = "",
    _ body: (BulkSyncClient) async throws -> Result
) async throws -> Result {
    await Gate.databases.enter()
    defer { Task { await Gate.databases.leave() } }
    let name = TestServer.newName()
    try await BulkSyncClient.withConnection("dbname=postgres") { server async throws in
        _ = try await server.bare("CREATE DATABASE \(name) TEMPLATE template0")
    }
    var configuration = BulkSyncClient.Configuration()
    configuration.database = name
    configuration.keyStrategy = keyStrategy
    configuration.cancellationGracePeriod = .seconds(2)
    let outcome: Swift.Result<Result, any Error>
    do {
        outcome = .success(
            try await BulkSyncClient.withConnection(configuration) { client in
                if hasExtension { _ = try await client.query("CREATE EXTENSION bulk_sync") }
                if !setup.isEmpty { _ = try await client.query(setup) }
                return try await body(client)
            }
        )
    } catch {
        outcome = .failure(error)
    }
    try await BulkSyncClient.withConnection("dbname=postgres") { server async throws in
        _ = try await server.bare("DROP DATABASE \(name) WITH (FORCE)")
    }
    return try outcome.get()
}

extension BulkSyncClient {
    /// A second client in the same database.
    func another() async throws -> BulkSyncClient {
        try await BulkSyncClient.connect(configuration)
    }

    /// Runs a statement outside of a transaction.
    func bare(_ sql: String) async throws -> [[String?]] {
        try await execute(sql)
    }

    /// The rows of a query, each as its values joined by commas.
    func lines(_ sql: String) async throws -> [String] {
        try await query(sql).map { $0.map { $0 ?? "NULL" }.joined(separator: ",") }
    }
}

/// The error that a closure throws, which must be one of the library.
func failure(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> some Any
) async throws -> BulkSyncError {
    do {
        _ = try await body()
    } catch let error as BulkSyncError {
        return error
    }
    Issue.record("no error was thrown", sourceLocation: sourceLocation)
    return BulkSyncError(code: "00000", message: "no error was thrown")
}
