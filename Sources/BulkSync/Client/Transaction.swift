import Logging
import Synchronization

/// A transaction of a client, as the closure of ``BulkSyncClient/withTransaction(isolation:readOnly:retrying:_:)`` gets it.
///
/// Each operation runs in a savepoint: one that fails leaves the transaction as it was before, and the closure may catch
/// the error and go on. An error that leaves the closure rolls everything back.
///
/// A transaction ends with its closure. Operations on it afterwards throw the code ``BulkSyncError/Code/misuse``.
public final class Transaction: SyncOperations {
    /// What a transaction sees of others that run at the same time.
    public enum Isolation: String, Hashable, Sendable, CaseIterable {
        /// Each statement sees what was committed before it began.
        case readCommitted = "READ COMMITTED"
        /// All statements see what was committed before the first one. A sync fails with
        /// ``BulkSyncError/Code/serializationFailure`` rather than work on an old picture.
        case repeatableRead = "REPEATABLE READ"
        /// As if the transactions had run one after another.
        case serializable = "SERIALIZABLE"
    }

    private let client: BulkSyncClient
    private let turnstile = Turnstile()
    /// Whether operations may run.
    private enum State: Sendable {
        case open
        /// Its closure has ended.
        case over
        /// A command of the caller has ended it: what runs now would not be a part of it.
        case lost
    }

    private let state = Mutex(State.open)

    init(_ client: BulkSyncClient) {
        self.client = client
    }

    /// This transaction.
    public nonisolated var syncContext: SyncContext {
        SyncContext(client: client, transaction: self)
    }

    /// Runs SQL in the transaction: `SET LOCAL lock_timeout = '5s'`, for instance.
    ///
    /// - Parameter sql: One or more commands without parameters. Never put values into it. What they return is dropped.
    ///   A command that ends the transaction, such as `COMMIT`, is a mistake: it has been executed when that is noticed, and
    ///   the transaction is of no more use. `COPY FROM STDIN` and `COPY TO STDOUT` are refused: there is nobody to send the
    ///   data or to take it.
    /// - Throws: ``BulkSyncError`` as the server reports it; the code ``BulkSyncError/Code/misuse`` if the commands ended the
    ///   transaction, or were refused.
    public func execute(_ sql: String) async throws {
        try await perform { _ = try await client.execute(sql) }
    }

    /// Runs an operation in a savepoint.
    func perform<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await turnstile.pass { try await performInSavepoint(body) }
    }

    private func performInSavepoint<Result>(_ body: () async throws -> Result) async throws -> Result {
        if state.withLock({ $0 }) == .over {
            throw BulkSyncError(code: .misuse, message: "the transaction has ended")
        }
        try check()
        if Task.isCancelled { throw BulkSyncError.cancelled }
        try await client.executeToTheEnd("SAVEPOINT bulk_sync_operation")
        do {
            let result = try await client.callerTask.run(body)
            if Task.isCancelled { throw BulkSyncError.cancelled }
            try await release()
            return result
        } catch {
            if await client.rollBackToSavepoint("bulk_sync_operation") == false {
                state.withLock { $0 = .lost }
                await client.rollBack()
            }
            throw client.logged(error)
        }
    }

    /// Ends the savepoint, which is there unless a command has ended the transaction, and perhaps begun another one.
    private func release() async throws(BulkSyncError) {
        do {
            try await client.executeToTheEnd("RELEASE SAVEPOINT bulk_sync_operation")
        } catch {
            guard error.code.isMissingSavepoint else { throw error }
            state.withLock { $0 = .lost }
            try check()
        }
    }

    /// Throws if a command has ended the transaction.
    func check() throws(BulkSyncError) {
        guard state.withLock({ $0 }) == .lost else { return }
        var error = BulkSyncError(
            code: .misuse, message: "the transaction was ended by a command that was executed in it")
        error.hint =
            "Leave COMMIT, ROLLBACK and the savepoint bulk_sync_operation to the client: it commits when the closure returns, and rolls back when it throws."
        throw error
    }

    /// Waits for what still runs, and lets nothing more begin.
    func end() async {
        state.withLock { if $0 == .open { $0 = .over } }
        // In a task of its own, which the cancellation of this one does not reach. Who comes later finds that it has ended.
        await Task { [turnstile] in
            try? await turnstile.pass {}
        }.value
    }
}

extension BulkSyncClient {
    /// Runs several operations as one transaction.
    ///
    /// It is committed when the closure returns, and rolled back when it throws.
    ///
    /// ```swift
    /// try await client.withTransaction { transaction in
    ///     try await transaction.sync(companies, into: "company", scope: .all)
    ///     try await transaction.sync(employees, into: "employee", scope: .all)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - isolation: The isolation level; nil is the server's default.
    ///   - readOnly: Whether the transaction may only read. Rows cannot be staged then, so that only `inBulk` works.
    ///   - retrying: How many times the closure is run again, from the beginning and in a new transaction, when it fails with
    ///     an error that is ``BulkSyncError/isRetryable``. It must be able to produce its rows again.
    ///   - body: What to do. It calls the transaction that it is given, not the client: that throws the code
    ///     ``BulkSyncError/Code/misuse``, in a task that the closure starts, too.
    /// - Returns: What the closure returns.
    /// - Throws: What the closure throws; ``BulkSyncError`` if the commit fails, as with a deferred constraint. The code
    ///   ``BulkSyncError/Code/outcomeUnknown`` says that the connection was lost during the commit.
    @discardableResult
    public nonisolated func withTransaction<Result>(
        isolation: Transaction.Isolation? = nil,
        readOnly: Bool = false,
        retrying: Int = 0,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        var begin = "BEGIN"
        if let isolation { begin += " ISOLATION LEVEL \(isolation.rawValue)" }
        begin += readOnly ? " READ ONLY" : " READ WRITE"
        return try await turnstile.pass { try await repeatedly(begin: begin, retrying: retrying, body) }
    }

    private nonisolated func repeatedly<Result>(
        begin: String,
        retrying: Int,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        var attempt = 0
        while true {
            do {
                return try await once(begin: begin, body)
            } catch let error as BulkSyncError {
                guard error.isRetryable, attempt < retrying, !Task.isCancelled else { throw error }
                attempt += 1
                logger?.info("running the transaction again", metadata: ["code": "\(error.code)"])
                // Two that got into each other's way should not meet again at once.
                do {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 1...(10 << min(attempt, 6)))))
                } catch {
                    throw BulkSyncError.cancelled
                }
            }
        }
    }

    private nonisolated func once<Result>(
        begin: String,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        let transaction = Transaction(self)
        do {
            try await self.begin(begin)
            let result = try await body(transaction)
            await transaction.end()
            try transaction.check()
            try await commitUnlessCancelled()
            return result
        } catch {
            await transaction.end()
            await rollBack()
            throw logged(error)
        }
    }
}
