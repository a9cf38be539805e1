import Foundation
import Synchronization
import Testing

@testable import BulkSync

@Suite("A transaction", .needsServer)
struct TransactionTests {
    struct Company: Codable, Sendable { var id: Int }
    struct Worker: Codable, Sendable { var id: Int, company: Int }
    struct Stop: Error {}

    static let tables = """
        CREATE TABLE company (id int PRIMARY KEY);
        CREATE TABLE worker (id int PRIMARY KEY, company int REFERENCES company)
        """

    @Test("makes several syncs one change, parents first")
    func several() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let counts = try await client.withTransaction { transaction in
                let first = try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                let second = try await transaction.sync([Worker(id: 1, company: 1)], into: "worker", scope: .all)
                // The same table a second time, in the same transaction.
                let third = try await transaction.sync([Worker(id: 2, company: 1)], into: "worker", scope: .all)
                return [first, second, third].map(\.inserted)
            }
            #expect(counts == [1, 1, 1])
            #expect(try await client.lines("SELECT * FROM worker") == ["2,1"])
        }
    }

    @Test("is rolled back when the closure throws")
    func rollback() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            await #expect(throws: Stop.self) {
                try await client.withTransaction { transaction in
                    try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                    throw Stop()
                }
            }
            #expect(try await client.lines("SELECT * FROM company") == [])
        }
    }

    @Test("goes on after an operation that failed, as if that had not been called")
    func savepoint() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            try await client.withTransaction { transaction in
                try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                let empty = try await failure { try await transaction.sync([Company](), into: "company", scope: .all) }
                #expect(empty.code == .emptyFeed)
                let broken = try await failure { try await transaction.execute("SELEC") }
                #expect(broken.code == "42601")
                try await transaction.sync([Worker(id: 1, company: 1)], into: "worker", scope: .all)
            }
            #expect(try await client.lines("SELECT * FROM worker") == ["1,1"])
        }
    }

    @Test("fails with its commit when a deferred constraint does")
    func deferred() async throws {
        let setup =
            Self.tables + "; ALTER TABLE worker ALTER CONSTRAINT worker_company_fkey DEFERRABLE INITIALLY DEFERRED"
        try await withDatabase(setup: setup) { client async throws in
            let error = try await failure {
                try await client.withTransaction { transaction in
                    try await transaction.sync([Worker(id: 1, company: 7)], into: "worker", scope: .all)
                }
            }
            #expect(error.code == .foreignKeyViolation)
            #expect(try await client.lines("SELECT * FROM worker") == [])
        }
    }

    @Test("is run again when another one got into its way")
    func retrying() async throws {
        try await withDatabase(setup: Self.tables + "; INSERT INTO company VALUES (1)") { client async throws in
            let other = try await client.another()
            let attempts = Mutex(0)
            let summary = try await client.withTransaction(isolation: .repeatableRead, retrying: 2) { transaction in
                _ = try await transaction.inBulk([1], from: "company", as: Company.self)
                if attempts.withLock({
                    $0 += 1; return $0
                }) == 1 {
                    _ = try await other.query("INSERT INTO company VALUES (2)")
                }
                return try await transaction.sync([Company(id: 3)], into: "company", scope: .all)
            }
            #expect(attempts.withLock { $0 } == 2)
            #expect(summary == SyncSummary(staged: 1, inserted: 1, deleted: 2))
            await other.close()
        }
    }

    @Test("has the isolation level and the access mode that it is given")
    func modes() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let settings = try await client.withTransaction(isolation: .serializable, readOnly: true) { transaction in
                return try await transaction.query(
                    "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
            }
            #expect(settings == [["serializable", "on"]])
            let error = try await failure {
                try await client.withTransaction(readOnly: true) { transaction in
                    try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                }
            }
            #expect(error.code == .readOnly)
        }
    }

    @Test("is of no use after its end, nor is the client inside of it")
    func misuse() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let kept = try await client.withTransaction { transaction in
                let error = try await failure { try await client.sync([Company(id: 1)], into: "company", scope: .all) }
                #expect(error.code == .misuse)
                return transaction
            }
            let error = try await failure { try await kept.sync([Company(id: 1)], into: "company", scope: .all) }
            #expect(error.code == .misuse)
            let nested = try await failure {
                try await client.sync(columns: ["id"], into: "company", scope: .all) { rows in
                    try await client.sync([Company(id: 1)], into: "company", scope: .all)
                }
            }
            #expect(nested.code == .misuse)
            #expect(try await client.sync([Company(id: 1)], into: "company", scope: .all).inserted == 1)
        }
    }

    @Test(
        "refuses the client in a task that its closure starts, and does not wait for itself", .timeLimit(.minutes(10)))
    func childTask() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let error = try await failure {
                try await client.withTransaction { _ in
                    async let found = client.inBulk([1], from: "company", as: Company.self)
                    return try await found.count
                }
            }
            #expect(error.code == .misuse)
            // What a transaction started may call the client when it is over.
            let later = try await client.withTransaction { _ in
                Task {
                    try await Task.sleep(for: .milliseconds(500))
                    return try await client.inBulk([1], from: "company", as: Company.self).count
                }
            }
            #expect(try await later.value == 0)
        }
    }

    @Test(
        "that a command has ended is of no more use, and nothing goes on outside of it",
        arguments: [
            "COMMIT", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK; BEGIN", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN",
            "END; SELECT 1",
            "RELEASE SAVEPOINT bulk_sync_operation", "COMMIT; SELECT 1 / 0", "ROLLBACK; BEGIN; SELECT 1 / 0",
        ])
    func ended(command: String) async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let error = try await failure {
                try await client.withTransaction { transaction in
                    try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                    let first = try await failure { try await transaction.execute(command) }
                    #expect(first.code == (command.hasSuffix("1 / 0") ? "22012" : .misuse))
                    let second = try await failure {
                        try await transaction.sync([Company(id: 2)], into: "company", scope: .all)
                    }
                    #expect(second.code == .misuse)
                    #expect(second.message == "the transaction was ended by a command that was executed in it")
                }
            }
            #expect(error.code == .misuse)
            let hasCommitted = command.hasPrefix("COMMIT") || command.hasPrefix("END")
            #expect(try await client.lines("SELECT id FROM company") == (hasCommitted ? ["1"] : []))
            #expect(try await client.sync([Company(id: 3)], into: "company", scope: .all).inserted == 1)
        }
    }

    @Test("that a command could not commit for a deferred constraint is of no more use")
    func endedByFailure() async throws {
        let setup =
            Self.tables + "; ALTER TABLE worker ALTER CONSTRAINT worker_company_fkey DEFERRABLE INITIALLY DEFERRED"
        try await withDatabase(setup: setup) { client async throws in
            let error = try await failure {
                try await client.withTransaction { transaction in
                    try await transaction.sync([Worker(id: 1, company: 7)], into: "worker", scope: .all)
                    let first = try await failure { try await transaction.execute("COMMIT") }
                    #expect(first.code == .foreignKeyViolation)
                }
            }
            #expect(error.code == .misuse)
            #expect(try await client.lines("SELECT * FROM worker") == [])
        }
    }

    @Test("leaves the caller's own temporary tables alone")
    func temporaryTables() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            try await client.withTransaction { transaction in
                try await transaction.execute(
                    "CREATE TEMP TABLE company_staged (a int); INSERT INTO company_staged VALUES (7)")
                try await transaction.sync([Company(id: 1)], into: "company", scope: .all)
                #expect(try await transaction.query("SELECT a FROM company_staged") == [["7"]])
            }
        }
    }

    @Test("runs its own operations one after the other, even if they are started at once")
    func concurrent() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            try await client.withTransaction { transaction in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for id in 1...8 {
                        group.addTask { try await transaction.insert([Company(id: id)], into: "company") }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await client.lines("SELECT count(*) FROM company") == ["8"])
        }
    }
}

@Suite("What the caller gives to an operation", .needsServer)
struct IsolationTests {
    /// A value that only the main actor may touch.
    @MainActor
    final class Counter {
        var count = 0

        func next() -> Int {
            MainActor.assertIsolated()
            count += 1
            return count
        }
    }

    struct Row: Codable, RowEncodable, Sendable {
        var id: Int
        static let columns = ["id"]
        func encode(to row: inout RowWriter) throws { try row.append(id) }
    }

    @Test("runs where the caller is: sequences, writers, changes, transactions")
    @MainActor
    func mainActor() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            MainActor.assertIsolated()
            let counter = Counter()
            let many = 20_000
            try await client.sync((0..<many).lazy.map { _ in Row(id: counter.next()) }, into: "t", scope: .all)
            try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                for _ in 0..<many { try await rows.append(Row(id: counter.next())) }
            }
            try await client.withTransaction { transaction in
                MainActor.assertIsolated()
                let rows = Rows((0..<many).lazy.map { _ in Row(id: counter.next()) })
                try await transaction.compareEach(rows, with: "t", scope: .all, as: Row.self) { _ in
                    _ = counter.next()
                }
            }
            #expect(counter.count == 5 * many, "the second compare starts where the sync ended: all differ")
        }
    }

    actor Owner {
        var sent = 0

        func next() -> Int {
            sent += 1
            return sent
        }

        func run(_ client: BulkSyncClient) async throws -> SyncSummary {
            try await client.sync((0..<1000).lazy.map { _ in ["id": self.next()] }, into: "t", scope: .all)
        }
    }

    @Test("runs on the caller's actor")
    func actors() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            #expect(try await Owner().run(client).inserted == 1000)
        }
    }
}
