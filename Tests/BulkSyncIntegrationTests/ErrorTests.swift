import Foundation
import Testing

@testable import BulkSync

@Suite("An error of the server", .needsServer)
struct ServerErrorTests {
    struct Row: Codable, Sendable {
        var id: Int?
        var a: Int?
        var b: String? = "x"
    }

    static let table = """
        CREATE TABLE parent (id int PRIMARY KEY);
        INSERT INTO parent VALUES (1), (2);
        CREATE TABLE t (id int PRIMARY KEY REFERENCES parent DEFERRABLE INITIALLY DEFERRED, a int CHECK (a <> 13), b text NOT NULL UNIQUE);
        INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two')
        """

    private func sync(
        _ rows: [Row],
        scope: Scope? = .all,
        key: [String]? = nil,
        _ change: (inout SyncOptions) -> Void = { _ in }
    ) async throws -> BulkSyncError {
        try await withDatabase(setup: Self.table) { client async throws in
            var options = SyncOptions()
            change(&options)
            let error = try await failure {
                try await client.sync(rows, into: "t", key: key, scope: scope, options: options)
            }
            #expect(try await client.lines("SELECT id, a, b FROM t ORDER BY id") == ["1,1,one", "2,2,two"])
            return error
        }
    }

    @Test("keeps its code, its fields and its hint")
    func codes() async throws {
        let duplicate = try await sync([Row(id: 1), Row(id: 1)])
        #expect(duplicate.code == .duplicateKeys)
        #expect(duplicate.detail?.contains("1") == true)
        #expect(duplicate.severity == "ERROR")

        let outside = try await sync([Row(id: 1, a: 5)], scope: .where("a = 1"))
        #expect(outside.code == .outOfScope)

        let limit = try await sync([Row(id: 1, a: 1, b: "one")]) { $0.maxDeletes = 0 }
        #expect(limit.code == .deleteLimit)

        let incomplete = try await sync([Row(id: 1)]) { $0.expectedRows = 2 }
        #expect(incomplete.code == .incompleteFeed)

        let noScope = try await sync([Row(id: 1)], scope: nil)
        #expect(noScope.code == .invalidArgument)
        #expect(noScope.hint?.contains("scope") == true)

        let unknown = try await sync([Row(id: 1)]) { $0.touchColumns = ["c"] }
        #expect(unknown.code == .undefinedColumn)
    }

    @Test("tells which constraint a row breaks")
    func constraints() async throws {
        let check = try await sync([Row(id: 1, a: 13)])
        #expect(check.code == .checkViolation)
        #expect(check.table == "t")
        #expect(check.schema == "public")
        #expect(check.constraint == "t_a_check")

        let notNull = try await sync([Row(id: 1, b: nil)])
        #expect(notNull.code == .notNullViolation)
        #expect(notNull.column == "b")

        let unique = try await sync([Row(id: 1, b: "same"), Row(id: 2, b: "same")])
        #expect(unique.code == .uniqueViolation)
    }

    @Test("may come with the commit only")
    func deferred() async throws {
        let error = try await sync([Row(id: 7)])
        #expect(error.code == .foreignKeyViolation)
        #expect(error.constraint == "t_id_fkey")
    }

    @Test("names the row that has a value of another type")
    func conversion() async throws {
        struct Text: Codable { var id: String, b = "x" }
        try await withDatabase(setup: Self.table) { client async throws in
            let rows = [Text(id: "1"), Text(id: "secret-value")]
            let error = try await failure { try await client.sync(rows, into: "t", scope: .all) }
            #expect(error.code == "22P02")
            #expect(error.row == 2)
            #expect(error.message.contains("secret-value"))
            #expect(!error.description.contains("secret-value"))
            #expect(!String(reflecting: error).contains("secret-value"))
            var dumped = ""
            dump(error, to: &dumped)
            #expect(!dumped.contains("secret-value"))
        }
    }

    @Test("is a privilege, a lock, a read-only session")
    func others() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let role = TestServer.newName()
            _ = try await client.query("CREATE ROLE \(role) LOGIN")
            var configuration = client.configuration
            configuration.user = role
            try await BulkSyncClient.withConnection(configuration) { other async throws in
                let error = try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
                #expect(error.code == .insufficientPrivilege)
            }
            configuration.user = nil
            configuration.options = "-c lock_timeout=100 -c default_transaction_read_only=off"
            try await BulkSyncClient.withConnection(configuration) { other async throws in
                try await client.withTransaction { transaction in
                    try await transaction.execute("LOCK TABLE t")
                    let error = try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
                    #expect(error.code == .lockNotAvailable)
                }
            }
            configuration.options = "-c default_transaction_read_only=on"
            try await BulkSyncClient.withConnection(configuration) { other async throws in
                let error = try await failure { try await other.sync([Row(id: 1)], into: "t", scope: .all) }
                #expect(error.code == .readOnly)
            }
            _ = try await client.query("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }
}

@Suite("A row that cannot be written", .needsServer)
struct EncodingErrorTests {
    @Test("is named by its number and column, and nothing is written")
    func encoding() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            var rows = employees
            rows[2].age = 1 << 40
            for rows in [Rows(rows), Rows(stream(rows)), Rows(rows.lazy.map { ["age": $0.age] })] {
                let error = try await failure { try await client.sync(rows, into: "employee", scope: .all) }
                #expect(error.code == .encoding)
                #expect(error.row == 3)
                #expect(error.column == "age")
            }
            #expect(try await client.lines("SELECT count(*) FROM employee") == ["4"])
            #expect(
                try await client.sync(employees, into: "employee", key: ["name"], scope: .values(["company_id": 501]))
                    == employeeSummary)
        }
    }
}

@Suite("When the producer of rows fails", .needsServer)
struct ProducerTests {
    struct ProducerFailure: Error, Equatable {}

    /// Numbers up to a limit, and an error behind it.
    struct Failing: AsyncSequence, AsyncIteratorProtocol {
        struct Element: Encodable { var id: Int }
        var next = 0
        var limit: Int
        func makeAsyncIterator() -> Self { self }

        mutating func next() async throws -> Element? {
            if next == limit { throw ProducerFailure() }
            next += 1
            return Element(id: next)
        }
    }

    @Test("its error is the one that is thrown, and nothing has happened", arguments: [0, 1, 100_000])
    func producer(limit: Int) async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (-1)") {
            client async throws in
            await #expect(throws: ProducerFailure()) {
                try await client.sync(Failing(limit: limit), into: "t", scope: .all)
            }
            await #expect(throws: ProducerFailure()) {
                try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    for id in 0..<limit { try await rows.append { try $0.append(id) } }
                    throw ProducerFailure()
                }
            }
            #expect(try await client.lines("SELECT * FROM t") == ["-1"])
            #expect(try await client.sync([["id": -1]], into: "t", scope: .all).unchanged == 1)
        }
    }

    @Test("after the server has, the server's error is thrown, and the other is kept")
    func serverFirst() async throws {
        struct Row: Encodable { var day: String }
        try await withDatabase(setup: "CREATE TABLE t (day date PRIMARY KEY)") { client async throws in
            let error = try await failure {
                try await client.sync(columns: ["day"], into: "t", scope: .all) { rows in
                    // Eleven bytes a row: the broken one is the last that is sent at once, and nothing is sent afterwards.
                    for row in 0..<12_000 {
                        try await rows.append { try $0.append(row == 11_915 ? "2026-99-99" : "2026-11-21") }
                    }
                    try await Task.sleep(for: .milliseconds(200))
                    throw ProducerFailure()
                }
            }
            #expect(error.code == "22008")
            #expect(error.row == 11_916)
            #expect(error.underlying is ProducerFailure)
            #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
        }
    }

    @Test("an endless one is stopped when the server fails")
    func endless() async throws {
        try await withDatabase(setup: "CREATE TABLE t (day date PRIMARY KEY)") { client async throws in
            let days = sequence(first: 0) { $0 + 1 }.lazy.map { ["day": $0 == 5 ? "broken" : "2026-11-21"] }
            let error = try await failure { try await client.sync(days, into: "t", scope: .all) }
            #expect(error.code == "22007")
            #expect(error.row == 6)
            #expect(await client.isOpen)
        }
    }
}

@Suite("What would become a part of a statement", .needsServer)
struct StatementTextTests {
    struct Row: Codable, Sendable {
        var id: Int
        var seq: Int
    }

    struct Key: Codable, Sendable {
        var id: Int
    }

    static let table =
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20); CREATE TABLE victim ()"

    @Test("is refused if it holds a zero byte: half a scope is another scope")
    func zeroByte() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let scope = try await failure {
                try await client.sync([Key(id: 1)], into: "t", scope: .where("id > 0\0 AND id < 5"))
            }
            #expect(scope.code == .characterNotInRepertoire)
            let name = try await failure { try await client.sync([Key(id: 1)], into: "t\0x", scope: .all) }
            #expect(name.code == .characterNotInRepertoire)
            #expect(try await client.lines("SELECT count(*) FROM t") == ["20"])
        }
        for string in ["dbname=postgres\0 host=nowhere", "postgres\0x"] {
            let connection = try await failure { _ = try await BulkSyncClient.connect(string) }
            #expect(connection.code == .characterNotInRepertoire)
        }
    }

    @Test(
        "is refused if it is more than the name of a type",
        arguments: ["int; DROP TABLE victim", "int, ADD x int", "no_such"])
    func extraColumn(type: String) async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            var options = SyncOptions()
            options.extraColumns = ["seq": type]
            options.orderColumn = "seq"
            options.duplicates = .last
            let error = try await failure {
                try await client.sync([Row(id: 1, seq: 1)], into: "t", scope: .all, options: options)
            }
            #expect(["42601", "42704"].contains(error.code.rawValue))
            #expect(try await client.lines("SELECT count(*) FROM t, pg_class WHERE relname = 'victim'") == ["20"])
        }
    }

    @Test("a transaction that was lost before COMMIT did not take place")
    func lostBeforeCommit() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let error = try await failure {
                try await client.withTransaction { transaction in
                    _ = try await transaction.execute("SELECT 1")
                    await client.close()
                }
            }
            #expect(error.code == .connectionClosed)
        }
    }
}
