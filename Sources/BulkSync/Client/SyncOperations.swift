import Logging

/// What syncs rows: a ``BulkSyncClient``, where each operation is one transaction, or a ``Transaction``, where the
/// operations run in the transaction of the caller.
///
/// Write your own functions for either:
///
/// ```swift
/// func load(_ feed: Feed, with database: some SyncOperations) async throws {
///     try await database.sync(feed.companies, into: "company", scope: .all)
///     try await database.sync(feed.employees, into: "employee", scope: .all)
/// }
/// ```
public protocol SyncOperations: Sendable {
    /// Where the operations run.
    nonisolated var syncContext: SyncContext { get }
}

/// Where operations run: on a client, or in one of its transactions.
///
/// It has no members of its own to use.
public struct SyncContext: Sendable {
    let client: BulkSyncClient
    let transaction: Transaction?

    /// Runs an operation: in a transaction of its own, or in a savepoint of the caller's transaction.
    func perform<Result>(_ body: () async throws -> Result) async throws -> Result {
        if let transaction {
            try await transaction.perform(body)
        } else {
            try await client.inTransaction(begin: "BEGIN", body)
        }
    }
}

extension BulkSyncClient: SyncOperations {
    /// The client itself.
    public nonisolated var syncContext: SyncContext {
        SyncContext(client: self, transaction: nil)
    }
}

extension BulkSyncClient {
    /// Settings on which the text of values depends, for one transaction: nothing is left behind in a pooled session.
    private static let settings = """
        SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1
        """

    /// Waits for its turn, and then runs one operation as a transaction.
    nonisolated func inTransaction<Result>(
        begin: String,
        _ body: () async throws -> Result
    ) async throws -> Result {
        try await turnstile.pass {
            do {
                try await self.begin(begin)
                let result = try await callerTask.run(body)
                try await commitUnlessCancelled()
                return result
            } catch {
                await rollBack()
                throw logged(error)
            }
        }
    }

    nonisolated func begin(_ begin: String) async throws(BulkSyncError) {
        _ = try await execute("\(begin); \(Self.settings)")
    }

    nonisolated func commitUnlessCancelled() async throws(BulkSyncError) {
        if Task.isCancelled { throw .cancelled }
        try await commit()
    }

    nonisolated func logged(_ error: any Error) -> any Error {
        if let error = error as? BulkSyncError {
            logger?.debug("failed", metadata: ["code": "\(error.code)"])
        }
        return error
    }
}
