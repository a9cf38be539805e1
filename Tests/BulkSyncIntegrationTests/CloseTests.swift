import Foundation
import Synchronization
import Testing

@testable import BulkSync

/// Something that happens once, and that others wait for.
final class Event: Sendable {
    private let happened = AsyncStream<Void>.makeStream()

    func happen() {
        happened.continuation.finish()
    }

    /// Waits until it has happened, or the task is cancelled.
    func wait() async {
        for await _ in happened.stream {}
    }

    /// Waits until it has happened, and does not care for cancellation.
    func waitStubbornly() async {
        await Task { await wait() }.value
    }
}

/// The error of a task that must end by itself, before our patience does.
private func failure<Value>(
    of task: Task<Value, any Error>,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> BulkSyncError {
    let patience = Task {
        try await Task.sleep(for: .seconds(60))
        Issue.record("it did not end by itself", sourceLocation: sourceLocation)
        task.cancel()
    }
    defer { patience.cancel() }
    return try await failure(sourceLocation: sourceLocation) { try await task.value }
}

@Suite("Closing the client while an operation waits for its caller", .needsServer)
struct CloseTests {
    struct Row: Codable, Sendable { var id: Int }

    static let table = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)"

    /// Waits for its caller, where the argument says, until it is cancelled.
    private func wait(_ place: String, _ database: some SyncOperations, _ waiting: Event) async throws {
        let never = Event()
        switch place {
        case "writer":
            try await database.sync(columns: ["id"], into: "t", scope: .all) { rows in
                try await rows.append { try $0.append(1) }
                waiting.happen()
                await never.wait()
                try Task.checkCancellation()
            }
        case "a writer that goes on":
            try await database.sync(columns: ["id"], into: "t", scope: .all) { rows in
                waiting.happen()
                await never.wait()
                for id in 0..<100_000 { try? await rows.append { try $0.append(id) } }
            }
        case "first row", "later row":
            let rows = AsyncStream<Row> {
                if place == "later row" { $0.yield(Row(id: 1)) }
            }
            waiting.happen()
            try await database.sync(rows, into: "t", scope: .all)
        case "changes":
            try await database.compareEach(Rows([Row(id: 1)]), with: "t", scope: .all, as: Row.self) { _ in
                waiting.happen()
                await never.wait()
                try Task.checkCancellation()
            }
        case "file":
            let pipe = Pipe()
            let file = FileRows(descriptor: pipe.fileHandleForReading.fileDescriptor, format: .csv())
            pipe.fileHandleForWriting.write(Data("id\n1\n".utf8))
            waiting.happen()
            try await database.sync(Rows(file), into: "t", scope: .all)
            withExtendedLifetime(pipe) {}
        default: Issue.record("there is no place \(place)")
        }
    }

    @Test(
        "ends the operation at once", .timeLimit(.minutes(10)),
        arguments: ["writer", "a writer that goes on", "first row", "later row", "changes", "file"], [false, true])
    func ends(place: String, inTransaction: Bool) async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let waiting = Event()
            let task = Task {
                if inTransaction {
                    try await other.withTransaction { try await wait(place, $0, waiting) }
                } else {
                    try await wait(place, other, waiting)
                }
            }
            await waiting.wait()
            await other.close()
            #expect(try await failure(of: task).code == .connectionClosed)
            #expect(try await client.lines("SELECT id FROM t") == ["7"])
        }
    }

    @Test("may be done twice, and at the same time", .timeLimit(.minutes(10)))
    func twice() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let waiting = Event()
            let first = Task { try await wait("writer", other, waiting) }
            let second = Task { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
            await waiting.wait()
            await withTaskGroup { group in
                for _ in 0..<2 { group.addTask { await other.close() } }
            }
            #expect(try await failure(of: first).code == .connectionClosed)
            // It had the first turn, or waited for the second.
            if case .failure(let error) = await second.result {
                #expect((error as? BulkSyncError)?.code == .connectionClosed)
            }
            await other.close()
            #expect(await !other.isOpen)
        }
    }

    @Test(
        "does not wait for a producer that does not care for cancellation, but its operation does",
        .timeLimit(.minutes(10)))
    func stubborn() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let (waiting, released) = (Event(), Event())
            let hasReturned = Mutex(false)
            let task = Task {
                defer { #expect(hasReturned.withLock { $0 }, "it uses what the caller owns") }
                try await other.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    try await rows.append { try $0.append(1) }
                    waiting.happen()
                    await released.waitStubbornly()
                    hasReturned.withLock { $0 = true }
                }
            }
            await waiting.wait()
            await other.close()
            #expect(await !other.isOpen)
            released.happen()
            #expect(try await failure(of: task).code == .connectionClosed)
            #expect(try await client.lines("SELECT id FROM t") == ["7"])
        }
    }

    @Test("fails the next operation of a transaction, and leaves its closure to itself")
    func transaction() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let error = try await failure {
                try await other.withTransaction { transaction in
                    await other.close()
                    #expect(!Task.isCancelled)
                    let error = try await failure {
                        try await transaction.sync([Row(id: 1)], into: "t", scope: .all)
                    }
                    #expect(error.code == .connectionClosed)
                }
            }
            #expect(error.code == .connectionClosed)
        }
    }

    @MainActor
    final class Count {
        var value = 0

        func increase() {
            MainActor.assertIsolated()
            value += 1
        }
    }

    @Test("finds the producer where its caller is: on the main actor", .timeLimit(.minutes(10)))
    @MainActor
    func mainActor() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let (waiting, never) = (Event(), Event())
            let count = Count()
            let task = Task {
                try await other.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    count.increase()
                    try await rows.append {
                        count.increase()
                        try $0.append(1)
                    }
                    waiting.happen()
                    await never.wait()
                    count.increase()
                    try Task.checkCancellation()
                }
            }
            await waiting.wait()
            await other.close()
            #expect(try await failure(of: task).code == .connectionClosed)
            #expect(count.value == 3)
        }
    }

    actor Owner {
        private(set) var count = 0

        func run(_ client: BulkSyncClient, _ waiting: Event) async throws {
            let never = Event()
            try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                self.assertIsolated()
                self.count += 1
                try await rows.append {
                    self.count += 1
                    try $0.append(1)
                }
                waiting.happen()
                await never.wait()
                self.assertIsolated()
                self.count += 1
                try Task.checkCancellation()
            }
        }
    }

    @Test("finds the producer where its caller is: on an actor", .timeLimit(.minutes(10)))
    func actor() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let other = try await client.another()
            let (waiting, owner) = (Event(), Owner())
            let task = Task { try await owner.run(other, waiting) }
            await waiting.wait()
            await other.close()
            #expect(try await failure(of: task).code == .connectionClosed)
            #expect(await owner.count == 3)
        }
    }
}
