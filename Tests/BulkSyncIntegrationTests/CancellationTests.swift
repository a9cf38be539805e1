import Foundation
import Synchronization
import Testing

@testable import BulkSync

/// A server that takes connections and never says a word.
final class SilentServer {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = bind(descriptor, pointer, length)
                _ = listen(descriptor, 5)
                _ = getsockname(descriptor, pointer, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        try #require(port != 0)
    }

    deinit {
        close(descriptor)
    }

    var configuration: BulkSyncClient.Configuration {
        var configuration = BulkSyncClient.Configuration("hostaddr=127.0.0.1 sslmode=disable user=nobody dbname=none")
        configuration.port = port
        return configuration
    }
}

/// Cancels a task a while after it began, and returns its error and how long it took after that.
func cancelled<Result: Sendable>(
    after delay: Duration = .milliseconds(300),
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> (error: BulkSyncError, time: Duration) {
    let task = Task { try await body() }
    try await Task.sleep(for: delay)
    let start = ContinuousClock.now
    task.cancel()
    let error = try await failure { try await task.value }
    return (error, ContinuousClock.now - start)
}

@Suite("Connecting to a server that does not answer")
struct SilentServerTests {
    @Test("can be cancelled")
    func cancel() async throws {
        let configuration = try SilentServer().configuration
        let server = try SilentServer()
        var other = configuration
        other.port = server.port
        let (error, time) = try await cancelled { [other] in try await BulkSyncClient.connect(other) }
        #expect(error.code == .cancelled)
        #expect(time < .seconds(2))
    }

    @Test("ends by itself with connect_timeout")
    func timeout() async throws {
        let server = try SilentServer()
        var configuration = server.configuration
        configuration.connectTimeout = .seconds(2)
        let start = ContinuousClock.now
        let error = try await failure { try await BulkSyncClient.connect(configuration) }
        #expect(error.code == .unableToConnect)
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}

@Suite("Cancelling the task of an operation", .needsServer)
struct CancellationTests {
    struct Row: Codable, Sendable { var id: Int }

    static let slow = """
        CREATE TABLE t (id int PRIMARY KEY);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()
        """

    /// The client is as it was before.
    private func check(_ client: BulkSyncClient) async throws {
        #expect(await client.isOpen)
        #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
        _ = try await client.query("DROP TRIGGER IF EXISTS slow ON t")
        #expect(try await client.sync([Row(id: 1)], into: "t", scope: .all).inserted == 1)
        let running = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
            """
        #expect(try await client.lines(running) == ["0"])
    }

    @Test("cancels the call at the server")
    func call() async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let (error, time) = try await cancelled { try await client.sync([Row(id: 1)], into: "t", scope: .all) }
            #expect(error.code == .cancelled)
            #expect(time < .seconds(2))
            try await check(client)
        }
    }

    @Test("gives up a COPY, whether rows come or not", arguments: [true, false])
    func copy(rowsCome: Bool) async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let (error, time) = try await cancelled {
                try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    for id in 0... {
                        try await rows.append { try $0.append(id % 1_000_000) }
                        if !rowsCome { try await Task.sleep(for: .seconds(60)) }
                    }
                }
            }
            #expect(error.code == .cancelled)
            #expect(time < .seconds(2))
            try await check(client)
        }
    }

    @Test("does not take the end of a cancelled stream for the end of the rows")
    func stream() async throws {
        let setup = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)"
        try await withDatabase(setup: setup) { client async throws in
            let rows = AsyncStream<Row> { $0.yield(Row(id: 1)) }
            let (error, _) = try await cancelled { try await client.sync(rows, into: "t", scope: .all) }
            #expect(error.code == .cancelled)
            let never = AsyncStream<Row> { _ in }
            let (second, _) = try await cancelled { try await client.sync(never, into: "t", scope: .all) }
            #expect(second.code == .cancelled)
            #expect(try await client.lines("SELECT count(*) FROM t") == ["100"])
        }
    }

    @Test("ends the wait for a lock, and for the client's turn")
    func waiting() async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let other = try await client.another()
            try await other.withTransaction { transaction in
                try await transaction.execute("LOCK TABLE t")
                let first = Task { try await client.sync([Row(id: 1)], into: "t", scope: .all) }
                try await Task.sleep(for: .milliseconds(100))
                let (queued, time) = try await cancelled { try await client.sync([Row(id: 1)], into: "t", scope: .all) }
                #expect(queued.code == .cancelled)
                #expect(time < .seconds(2))
                first.cancel()
                #expect(try await failure { try await first.value }.code == .cancelled)
            }
            await other.close()
            try await check(client)
        }
    }

    @Test("stops changes that are told one by one")
    func changes() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            let (error, time) = try await cancelled {
                try await client.compareEach(
                    Rows((1...300_000).lazy.map { Row(id: $0) }),
                    with: "t",
                    scope: .all,
                    as: Row.self
                ) { _ in try? await Task.sleep(for: .milliseconds(1)) }
            }
            #expect(error.code == .cancelled)
            #expect(time < .seconds(2))
            try await check(client)
        }
    }

    @Test("leaves the caller's transaction to its closure")
    func transaction() async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let (error, _) = try await cancelled {
                try await client.withTransaction { transaction in
                    try await transaction.sync([Row(id: 1)], into: "t", scope: .all)
                }
            }
            #expect(error.code == .cancelled)
            try await check(client)
        }
    }

    @Test("that was cancelled before it began does nothing")
    func early() async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.sync([Row(id: 1)], into: "t", scope: .all)
            }
            #expect(try await failure { try await task.value }.code == .cancelled)
            try await check(client)
        }
    }

    @Test("closes the connection if the server does not answer")
    func hungServer() async throws {
        try await withDatabase(setup: Self.slow) { client async throws in
            let other = try await client.another()
            let pid = try #require(try await other.lines("SELECT pg_backend_pid()").first.flatMap { Int32($0) })
            let task = Task { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            try await Task.sleep(for: .milliseconds(300))
            guard kill(pid, SIGSTOP) == 0 else {
                task.cancel()
                return
            }
            defer { kill(pid, SIGCONT) }
            let start = ContinuousClock.now
            task.cancel()
            let error = try await failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(ContinuousClock.now - start < .seconds(4))
            #expect(await !other.isOpen)
            let closed = try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            #expect(closed.code == .connectionClosed)
        }
    }
}

@Suite("A connection that is lost", .needsServer)
struct ConnectionLossTests {
    struct Row: Codable, Sendable { var id: Int }

    @Test("during a COPY stops the producer, and nothing has happened")
    func copy() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            let other = try await client.another()
            let pid = try #require(try await other.lines("SELECT pg_backend_pid()").first)
            let error = try await failure {
                try await other.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    for id in 0... {
                        if id == 100_000 { _ = try await client.query("SELECT pg_terminate_backend(\(pid), 5000)") }
                        try await rows.append { try $0.append(id) }
                    }
                }
            }
            #expect(error.code == .adminShutdown)
            #expect(error.code.isConnectionLoss)
            #expect(await !other.isOpen)
            #expect(
                try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }.code
                    == .connectionClosed)
            #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
            await other.close()
        }
    }

    @Test("during the call is told by the server's own words")
    func call() async throws {
        try await withDatabase(setup: CancellationTests.slow) { client async throws in
            let other = try await client.another()
            let pid = try #require(try await other.lines("SELECT pg_backend_pid()").first)
            let task = Task { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            try await Task.sleep(for: .milliseconds(300))
            _ = try await client.query("SELECT pg_terminate_backend(\(pid), 5000)")
            #expect(try await failure { try await task.value }.code == .adminShutdown)
            await other.close()
        }
    }

    @Test("during the commit leaves the outcome open")
    func commit() async throws {
        let setup = """
            CREATE TABLE t (id int PRIMARY KEY);
            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(5); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()
            """
        try await withDatabase(setup: setup) { client async throws in
            let other = try await client.another()
            let error = try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            #expect(error.code == .outcomeUnknown)
            #expect((error.underlying as? BulkSyncError)?.code == .adminShutdown)
            #expect(!error.isRetryable)
            await other.close()
        }
    }

    @Test("is closed with the client that is released")
    func released() async throws {
        try await withDatabase { client async throws in
            func others() async throws -> [String] {
                try await client.lines(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            }
            var other: BulkSyncClient? = try await client.another()
            #expect(try await other?.query("SELECT 1") == [["1"]])
            #expect(try await others() == ["1"])
            other = nil
            for _ in 0..<100 where try await others() != ["0"] { try await Task.sleep(for: .milliseconds(50)) }
            #expect(try await others() == ["0"])
        }
    }

    @Test("by close fails what is under way and what waits", arguments: ["call", "copy"])
    func close(phase: String) async throws {
        try await withDatabase(setup: CancellationTests.slow) { client async throws in
            let other = try await client.another()
            let first = Task {
                if phase == "call" { return try await other.sync([Row(id: 1)], into: "t", scope: .all) }
                return try await other.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    for id in 0... { try await rows.append { try $0.append(id % 1_000_000) } }
                }
            }
            try await Task.sleep(for: .milliseconds(200))
            let second = Task { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            try await Task.sleep(for: .milliseconds(100))
            let start = ContinuousClock.now
            await other.close()
            await other.close()
            #expect(try await failure { try await first.value }.code == .connectionClosed)
            #expect(try await failure { try await second.value }.code == .connectionClosed)
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(await !other.isOpen)
        }
    }
}

@Suite("Several at once", .needsServer)
struct ConcurrencyTests {
    struct Row: Codable, Sendable { var id: Int, part: Int }

    @Test("operations on one client follow each other, in their order")
    func oneClient() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, part int)") { client async throws in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for part in 0..<20 {
                    group.addTask {
                        let rows = (0..<500).map { Row(id: part * 500 + $0, part: part) }
                        return try await client.sync(rows, into: "t", scope: .values(["part": .integer(Int64(part))]))
                            .inserted
                    }
                }
                let inserted = try await group.reduce(0, +)
                #expect(inserted == 10_000)
            }
            #expect(try await client.lines("SELECT count(*) FROM t") == ["10000"])
        }
    }

    @Test("clients that wait do not hold the threads of other tasks")
    func pool() async throws {
        try await withDatabase { client async throws in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await BulkSyncClient.withConnection(client.configuration) { client async throws in
                            _ = try await client.query("SELECT pg_sleep(1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(ContinuousClock.now - start < .seconds(6))
        }
    }

    @Test("clients sync disjoint scopes of one table")
    func twoClients() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, part int)") { client async throws in
            let other = try await client.another()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (part, client) in [client, other].enumerated() {
                    group.addTask {
                        for round in 0..<5 {
                            let rows = (0..<1000).map { Row(id: (part * 10 + round) * 1000 + $0, part: part) }
                            try await client.sync(rows, into: "t", scope: .values(["part": .integer(Int64(part))]))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(
                try await client.lines("SELECT part, count(*), min(id) FROM t GROUP BY 1 ORDER BY 1") == [
                    "0,1000,4000", "1,1000,14000",
                ])
            await other.close()
        }
    }
}
