// Cancelling at the moments where the server has done something that this side has not noted yet.

import Dispatch
import Synchronization
import Testing

@testable import BulkSync

/// The outcome of a task that must end; recorded, and the task left behind, if it does not within our patience.
private func outcome<Value: Sendable>(
    of task: Task<Value, any Error>,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> Result<Value, any Error> {
    let (outcomes, continuation) = AsyncStream<Result<Value, any Error>?>.makeStream()
    let waiter = Task { continuation.yield(await task.result) }
    let patience = Task {
        try await Task.sleep(for: .seconds(60))
        continuation.yield(nil)
    }
    defer {
        waiter.cancel()
        patience.cancel()
    }
    var iterator = outcomes.makeAsyncIterator()
    let first = await iterator.next() ?? nil
    return try #require(first, "the operation hangs", sourceLocation: sourceLocation)
}

private func code<Value>(_ outcome: Result<Value, any Error>) -> BulkSyncError.Code? {
    guard case .failure(let error) = outcome else { return nil }
    return (error as? BulkSyncError)?.code ?? "XXXXX"
}

/// Holds a task until somebody wants it cancelled.
private final class Target: Sendable {
    private let task = Mutex<Task<Void, any Error>?>(nil)

    func aim(_ task: Task<Void, any Error>) {
        self.task.withLock { $0 = task }
    }

    func cancel() {
        task.withLock { $0 }?.cancel()
    }
}

@Suite("Cancelling at the very moment", .needsServer, .timeLimit(.minutes(10)))
struct CancellationWindowTests {
    struct Row: Encodable, Sendable {
        var id: Int
        var day: String?

        enum Column: CodingKey { case id, day }

        /// A day that is nil is a column, too: in the binary format, until the first text comes.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Column.self)
            try container.encode(id, forKey: .id)
            try container.encode(day, forKey: .day)
        }
    }

    static let table = "CREATE TABLE t (id int PRIMARY KEY, day date)"

    /// Runs an operation that is cancelled when the server says that it has done the command for the `count`th time.
    private func cancelled(
        at command: String,
        count: Int = 1,
        _ client: BulkSyncClient,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> BulkSyncError.Code? {
        let (target, aimed) = (Target(), Event())
        let seen = Mutex(0)
        let task = Task {
            await aimed.wait()
            try await body()
        }
        target.aim(task)
        await client.observeResults { found in
            guard found == command else { return }
            let number = seen.withLock { seen in
                seen += 1
                return seen
            }
            if number == count { target.cancel() }
        }
        aimed.happen()
        let outcome = try await outcome(of: task)
        await client.observeResults(nil)
        #expect(seen.withLock { $0 } >= count)
        return code(outcome)
    }

    /// Nothing has happened, and the client works.
    private func check(_ client: BulkSyncClient) async throws {
        #expect(await client.isOpen)
        #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
        #expect(try await client.sync([Row(id: 1)], into: "t", scope: .all).inserted == 1)
    }

    @Test("a COPY begins: it is ended, and the client goes on", arguments: [false, true])
    func copyBegins(inTransaction: Bool) async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let code = try await cancelled(at: "COPY FROM STDIN", client) {
                if inTransaction {
                    try await client.withTransaction { _ = try await $0.upsert([Row(id: 1)], into: "t") }
                } else {
                    _ = try await client.upsert([Row(id: 1)], into: "t")
                }
            }
            #expect(code == .cancelled)
            try await check(client)
        }
    }

    @Test("a COPY begins again in the text format: it is ended, and the client goes on")
    func copyChangesItsFormat() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let code = try await cancelled(at: "COPY FROM STDIN", count: 2, client) {
                _ = try await client.upsert([Row(id: 1), Row(id: 2, day: "2024-01-01")], into: "t")
            }
            #expect(code == .cancelled)
            try await check(client)
        }
    }

    @Test("the savepoint of an operation ends: the operation has succeeded, and its transaction is sound")
    func savepointEnds() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            try await client.withTransaction { transaction in
                let code = try await cancelled(at: "RELEASE", client) {
                    _ = try await transaction.upsert([Row(id: 1)], into: "t")
                }
                #expect(code == nil)
                _ = try await transaction.upsert([Row(id: 2)], into: "t")
            }
            #expect(try await client.lines("SELECT id FROM t ORDER BY 1") == ["1", "2"])
        }
    }

    @Test("the savepoint of an operation begins: the operation is cancelled, and its transaction is sound")
    func savepointBegins() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            try await client.withTransaction { transaction in
                let code = try await cancelled(at: "SAVEPOINT", client) {
                    _ = try await transaction.upsert([Row(id: 1)], into: "t")
                }
                #expect(code == .cancelled)
                _ = try await transaction.upsert([Row(id: 2)], into: "t")
            }
            #expect(try await client.lines("SELECT id FROM t ORDER BY 1") == ["2"])
        }
    }

    @Test(
        "that comes at any time, hundreds of times",
        arguments: ["client", "transaction", "operation of a transaction"])
    func anyTime(place: String) async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<2 {
                    let other = try await client.another()
                    group.addTask { try await stress(place, other, part) }
                }
                try await group.waitForAll()
            }
        }
    }

    private func stress(_ place: String, _ client: BulkSyncClient, _ part: Int) async throws {
        for round in 0..<150 {
            let row = Row(id: part * 1_000_000 + round * 10)
            let last = Row(id: row.id + 1)
            @Sendable func one(_ database: some SyncOperations) async throws {
                var options = SyncOptions()
                options.lockMode = .rowExclusive
                _ = try await database.upsert([row], into: "t", options: options)
            }
            func cancelledSoon(_ body: @escaping @Sendable () async throws -> Void) async throws {
                let task = Task { try await body() }
                try await Task.sleep(for: .microseconds(Int.random(in: 0...8000)))
                task.cancel()
                let code = code(try await outcome(of: task))
                #expect(code == nil || code == .cancelled)
            }
            switch place {
            case "client":
                try await cancelledSoon { try await one(client) }
            case "transaction":
                try await cancelledSoon { try await client.withTransaction { try await one($0) } }
            default:
                try await client.withTransaction { transaction in
                    try await cancelledSoon { try await one(transaction) }
                    try await transaction.execute("INSERT INTO t VALUES (\(last.id))")
                }
                #expect(try await client.lines("SELECT count(*) FROM t WHERE id = \(last.id)") == ["1"])
            }
            try #require(await client.isOpen)
        }
        await client.close()
    }
}

@Suite("A command that copies from or to the client", .needsServer, .timeLimit(.minutes(10)))
struct CopyCommandTests {
    @Test(
        "is refused, and the transaction goes on",
        arguments: [
            "COPY t FROM STDIN", "COPY t TO STDOUT", "COPY (SELECT generate_series(1, 3000000)) TO STDOUT",
            "SELECT 1; COPY t TO STDOUT; COPY t FROM STDIN", "COPY t FROM STDIN; COPY t FROM STDIN",
        ])
    func refused(sql: String) async throws {
        let setup = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)"
        try await withDatabase(setup: setup) { client async throws in
            let task = Task {
                try await client.withTransaction { transaction in
                    let error = try await failure { try await transaction.execute(sql) }
                    #expect(error.code == .misuse)
                    #expect(error.message.contains("COPY"))
                    try await transaction.execute("INSERT INTO t VALUES (8)")
                }
            }
            if case .failure(let error) = try await outcome(of: task) { throw error }
            #expect(try await client.lines("SELECT id FROM t ORDER BY 1") == ["7", "8"])
        }
    }
}

@Suite("Closing the client while its thread is busy", .needsServer, .timeLimit(.minutes(10)))
struct BusyThreadTests {
    @Test("returns all the same, and the connection is closed when the thread is free")
    func returns() async throws {
        try await withDatabase { client async throws in
            let other = try await client.another()
            let busy = Event()
            let free = DispatchSemaphore(value: 0)
            let task = Task { await other.occupy(busy, until: free) }
            await busy.wait()
            let closing = Task<Void, any Error> { await other.close() }
            _ = try await outcome(of: closing)
            free.signal()
            await task.value
            #expect(await !other.isOpen)
        }
    }
}

extension BulkSyncClient {
    /// Keeps the thread of the connection from everything else.
    fileprivate func occupy(_ busy: Event, until free: DispatchSemaphore) {
        busy.happen()
        free.wait()
    }
}
