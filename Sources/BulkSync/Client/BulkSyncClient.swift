public import Logging

import Foundation
import Synchronization

/// A connection to PostgreSQL that makes tables match rows.
///
/// ```swift
/// let client = try await BulkSyncClient.connect("postgresql:///hr")
/// let summary = try await client.sync(employees, into: "employee", key: ["name"], scope: .values(["company_id": 501]))
/// print(summary)  // 3 inserted, 12 updated, 1 deleted, 984 unchanged
/// await client.close()
/// ```
///
/// A client is one connection and does one thing at a time: operations that are started at the same time follow each other
/// in the order in which they came. Each is one transaction; ``withTransaction(isolation:readOnly:retrying:_:)`` makes one
/// of several.
///
/// libpq waits for the server on a thread that belongs to the client alone. When the task of an operation is cancelled, the
/// statement is cancelled at the server, and the operation throws the code ``BulkSyncError/Code/cancelled``. The client can
/// be used again afterwards, unless the server did not answer within
/// ``Configuration/cancellationGracePeriod``: then it is closed.
public actor BulkSyncClient {
    private nonisolated let executor = ConnectionExecutor()
    /// Reaches the connection while its thread waits.
    nonisolated let interrupt: Interrupt
    nonisolated let turnstile = Turnstile()
    nonisolated let callerTask = CallerTask()
    nonisolated let configuration: Configuration
    /// Where the extension is, once it was found.
    nonisolated let installation = Mutex<ExtensionInstallation?>(nil)
    /// The name of the staged tables: one that no temporary table of the caller has.
    ///
    /// One serves them all, as operations follow
    /// each other, and the table of the last one is replaced by that of the next.
    nonisolated let stagedName = "bulk_sync_staged_" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    private let server: ServerConnection

    /// The thread of the connection.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private init(configuration: Configuration) throws(BulkSyncError) {
        self.configuration = configuration
        interrupt = try Interrupt()
        server = ServerConnection(interrupt: interrupt, gracePeriod: configuration.cancellationGracePeriod)
    }

    nonisolated var logger: Logger? {
        configuration.logger
    }
}

extension BulkSyncClient {
    /// Connects to a server.
    ///
    /// - Parameters:
    ///   - connectionString: A connection string of libpq (`host=… dbname=…`) or a URI (`postgresql://user@host/database`).
    ///     What it does not say is found in the environment (`PGHOST` …), the service file and the password file.
    ///   - keyStrategy: How the properties of a `Codable` row become names of columns.
    ///   - logger: Where the client logs what it does, without values of rows.
    /// - Returns: The client.
    /// - Throws: ``BulkSyncError`` with the codes ``BulkSyncError/Code/unableToConnect``,
    ///   ``BulkSyncError/Code/invalidPassword``, ``BulkSyncError/Code/invalidConnectionString`` or
    ///   ``BulkSyncError/Code/cancelled``.
    public static func connect(
        _ connectionString: String = "",
        keyStrategy: KeyStrategy = .propertyNames,
        logger: Logger? = nil
    ) async throws -> BulkSyncClient {
        var configuration = Configuration(connectionString)
        configuration.keyStrategy = keyStrategy
        configuration.logger = logger
        return try await connect(configuration)
    }

    /// Connects to a server.
    ///
    /// - Parameter configuration: How to connect.
    /// - Returns: The client.
    /// - Throws: ``BulkSyncError`` with the codes ``BulkSyncError/Code/unableToConnect``,
    ///   ``BulkSyncError/Code/invalidPassword``, ``BulkSyncError/Code/invalidConnectionString`` or
    ///   ``BulkSyncError/Code/cancelled``.
    public static func connect(_ configuration: Configuration) async throws -> BulkSyncClient {
        let named = ProcessInfo.processInfo.environment["PGAPPNAME"] != nil
        let parameters = try configuration.libpqParameters(environmentHasName: named)
        let client = try BulkSyncClient(configuration: configuration)
        configuration.logger?.debug("connecting", metadata: ["to": "\(configuration)"])
        try await client.open(parameters)
        return client
    }

    /// Connects, calls a closure with the client, and closes the connection, whatever the closure did.
    ///
    /// ```swift
    /// let summary = try await BulkSyncClient.withConnection("postgresql:///hr") { client in
    ///     try await client.sync(employees, into: "employee", scope: .all)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - connectionString: A connection string of libpq, or a URI.
    ///   - body: What to do with the client.
    /// - Returns: What the closure returns.
    /// - Throws: What the closure throws, or ``BulkSyncError`` if there is no connection.
    public static func withConnection<Result>(
        _ connectionString: String = "",
        _ body: (BulkSyncClient) async throws -> Result
    ) async throws -> Result {
        try await withConnection(Configuration(connectionString), body)
    }

    /// Connects, calls a closure with the client, and closes the connection, whatever the closure did.
    ///
    /// - Parameters:
    ///   - configuration: How to connect.
    ///   - body: What to do with the client.
    /// - Returns: What the closure returns.
    /// - Throws: What the closure throws, or ``BulkSyncError`` if there is no connection.
    public static func withConnection<Result>(
        _ configuration: Configuration,
        _ body: (BulkSyncClient) async throws -> Result
    ) async throws -> Result {
        let client = try await connect(configuration)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    /// Closes the connection.
    ///
    /// An operation that is under way, or waits for its turn, fails with the code
    /// ``BulkSyncError/Code/connectionClosed``, and the server rolls it back. To close twice does no harm; a client that is
    /// released without being closed closes its connection, too.
    ///
    /// Where the operation waits for its caller, for the next row of an `AsyncSequence` or in a closure that writes rows or
    /// takes changes, that is cancelled, as if by the cancellation of its task. Swift cannot leave it behind: one that does not
    /// react to cancellation keeps its operation waiting until it returns. This call does not wait for it.
    ///
    /// It returns when the connection is closed, for which the thread of the connection gives up any wait at once. Where that
    /// thread is busy, as with a name server that is slow to answer, it returns after
    /// ``Configuration/cancellationGracePeriod`` at the latest; the connection is closed as soon as the thread is free.
    ///
    /// The closure of a transaction is not cancelled; the next operation in it fails.
    public nonisolated func close() async {
        interrupt.close()
        callerTask.close()
        let (closed, closing) = AsyncStream<Void>.makeStream()
        Task {
            await closeConnection()
            closing.finish()
        }
        let patience = Task {
            try? await Task.sleep(for: configuration.cancellationGracePeriod)
            closing.finish()
        }
        // In a task of its own, which the cancellation of the caller's does not reach.
        await Task { for await _ in closed {} }.value
        patience.cancel()
    }

    private func closeConnection() {
        server.close()
    }

    /// Whether the connection is open as far as the client knows.
    public var isOpen: Bool {
        server.isOpen
    }
}

/// What the operations are made of.
///
/// Each call runs on the thread of the connection, and may wait there. While it does, cancelling the task reaches the
/// connection. Nothing of the caller's runs inside of such a call: rows are produced and taken where the caller is.
extension BulkSyncClient {
    /// Runs a call of libpq so that cancelling the task reaches it.
    private func interruptibly<Result>(
        _ body: (ServerConnection) throws(BulkSyncError) -> Result
    ) async throws(BulkSyncError) -> Result {
        let operation = interrupt.begin()
        defer { interrupt.end(operation) }
        let outcome: Swift.Result<Result, BulkSyncError> = await withTaskCancellationHandler {
            do throws(BulkSyncError) {
                // It is by naming self that this closure runs on the thread of the connection.
                self.assertIsolated()
                return .success(try body(self.server))
            } catch {
                return .failure(error)
            }
        } onCancel: {
            interrupt.cancel(operation)
        }
        return try outcome.get()
    }

    private func open(_ parameters: [(keyword: String, value: String)]) async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in try server.open(parameters) }
    }

    /// Runs a statement, or several without parameters, and returns all rows as text.
    func execute(_ sql: String, _ parameters: [String?] = []) async throws(BulkSyncError) -> [ResultRow] {
        try await interruptibly { server throws(BulkSyncError) in try server.execute(sql, parameters) }
    }

    /// Commits.
    ///
    /// A connection that is lost here leaves it open whether the transaction took place.
    func commit() async throws(BulkSyncError) {
        // COMMIT of a transaction that an error has broken would roll back and report success.
        if server.hasFailed {
            throw BulkSyncError(code: "25P02", message: "the transaction was aborted by an error before its end")
        }
        guard server.isOpen else {
            throw BulkSyncError(
                code: .connectionClosed,
                message: "the connection was lost before COMMIT: the transaction did not take place"
            )
        }
        do {
            try await interruptibly { server throws(BulkSyncError) in _ = try server.execute("COMMIT", [], .finish) }
        } catch {
            guard error.code.isConnectionLoss || !server.isOpen else { throw error }
            var unknown = BulkSyncError(
                code: .outcomeUnknown,
                message: "the connection was lost during COMMIT: whether the transaction took place is unknown"
            )
            unknown.underlying = error
            throw unknown
        }
    }

    /// Rolls back whatever is open.
    ///
    /// A connection that cannot even do that is closed.
    func rollBack() async {
        guard server.isOpen else { return }
        do {
            try await interruptibly { server throws(BulkSyncError) in
                try server.endStream()
                _ = try server.execute("ROLLBACK", [], .finish)
            }
            if server.isInTransaction { server.close() }
        } catch {
            server.close()
        }
    }

    /// Begins or ends the savepoint of an operation.
    ///
    /// It either happens or fails, as COMMIT does: cancelling the task makes no difference to what has happened.
    func executeToTheEnd(_ sql: String) async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in _ = try server.execute(sql, [], .finish) }
    }

    /// Undoes what an operation did since its savepoint.
    ///
    /// - Returns: False if the savepoint is gone, with the transaction that it belonged to.
    func rollBackToSavepoint(_ name: String) async -> Bool {
        guard server.isOpen else { return true }
        do {
            try await interruptibly { server throws(BulkSyncError) in
                try server.endStream()
                _ = try server.execute("ROLLBACK TO SAVEPOINT \(name); RELEASE SAVEPOINT \(name)", [], .finish)
            }
            return true
        } catch {
            if error.code.isMissingSavepoint { return false }
            if !server.isInTransaction { server.close() }
            return true
        }
    }

    /// Tells a test of each result, on the thread of the connection.
    func observeResults(_ observer: (@Sendable (_ command: String) -> Void)?) {
        server.onResult = observer
    }

    func beginCopy(_ sql: String) async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in try server.beginCopy(sql) }
    }

    func sendCopy(_ bytes: LentBytes) async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in try server.putCopy(bytes.bytes) }
    }

    func endCopy() async throws(BulkSyncError) -> Int {
        try await interruptibly { server throws(BulkSyncError) in try server.endCopy() }
    }

    /// Gives up a COPY, and returns the error of the server if it had failed by itself.
    func abortCopy() async throws(BulkSyncError) -> BulkSyncError? {
        try await interruptibly { server throws(BulkSyncError) in try server.abortCopy() }
    }

    func beginStream(_ sql: String, _ parameters: [String?]) async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in try server.beginStream(sql, parameters) }
    }

    func nextRows(limit: Int) async throws(BulkSyncError) -> [ResultRow] {
        try await interruptibly { server throws(BulkSyncError) in try server.nextRows(limit: limit) }
    }

    func endStream() async throws(BulkSyncError) {
        try await interruptibly { server throws(BulkSyncError) in try server.endStream() }
    }
}

extension SyncOperations {
    /// Runs a statement and returns its rows as text: for what the command and the tests ask the server beside the operations.
    package func query(_ sql: String, _ parameters: [String?] = []) async throws -> [[String?]] {
        try await syncContext.perform { try await syncContext.client.execute(sql, parameters) }
    }
}

/// Bytes that their owner lends to the thread of the connection, and leaves alone until it has them back.
struct LentBytes: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
}
