import Foundation
import Testing

@testable import BulkSync

@Suite("Changes", .needsServer)
struct ChangesTests {
    @Test("are told by compare, which writes nothing")
    func compare() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let before = try await client.lines("SELECT xmin, * FROM employee ORDER BY name")
            let changes = try await client.compare(
                employees,
                with: "employee",
                key: ["name"],
                scope: .values(["company_id": 501]),
                as: Employee.self
            )
            #expect(changes.count == 3)
            #expect(
                changes.first { $0.action == .update }
                    == Change(
                        action: .update,
                        stagedRow: 2,
                        key: ["name": "Bert"],
                        changedColumns: ["phone"],
                        old: Employee(name: "Bert", phone: nil, age: 40),
                        new: employees[1]
                    )
            )
            #expect(
                changes.first { $0.action == .insert }
                    == Change(action: .insert, stagedRow: 3, key: ["name": "Emil"], new: employees[2])
            )
            #expect(
                changes.first { $0.action == .delete }
                    == Change(action: .delete, key: ["name": "Carl"], old: Employee(name: "Carl", phone: "3", age: 50))
            )
            let all = try await client.compare(
                stream(employees),
                with: "employee",
                key: ["name"],
                scope: .values(["company_id": 501]),
                includeUnchanged: true,
                as: Employee.self
            )
            #expect(all.count == 4)
            #expect(try await client.lines("SELECT xmin, * FROM employee ORDER BY name") == before)
        }
    }

    @Test("are returned by a sync as they are stored")
    func returning() async throws {
        let setup =
            "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, at timestamptz DEFAULT now())"
        struct Row: Codable, Sendable { var name: String }
        struct Full: Codable, Sendable { var id: Int, name: String, at: Date }
        try await withDatabase(setup: setup) { client async throws in
            let first = try await client.syncReturning(
                [Row(name: "a"), Row(name: "b")],
                into: "t",
                key: ["name"],
                scope: .all,
                as: Full.self
            )
            #expect(first.compactMap(\.new).map(\.id).sorted() == [1, 2])
            #expect(first.allSatisfy { $0.new.map { abs($0.at.timeIntervalSinceNow) < 60 } == true })
            let second = try await client.syncReturning(
                [Row(name: "b")], into: "t", key: ["name"], scope: .all, as: Full.self)
            #expect(second.map(\.action) == [.delete])
            #expect(second.first?.old?.name == "a")
            let dry = try await failure {
                try await client.syncReturning(
                    [Row(name: "b")],
                    into: "t",
                    key: ["name"],
                    scope: .all,
                    options: SyncOptions(dryRun: true),
                    as: Full.self
                )
            }
            #expect(dry.code == .invalidArgument)
        }
    }

    @Test("can be refused one by one: then nothing has happened")
    func refused() async throws {
        struct Stop: Error {}
        let setup = "CREATE TABLE t (id int PRIMARY KEY)"
        try await withDatabase(setup: setup) { client async throws in
            await #expect(throws: Stop.self) {
                try await client.syncReturningEach(
                    Rows((1...20_000).lazy.map { ["id": $0] }),
                    into: "t",
                    scope: .all,
                    as: [String: Int].self
                ) { _ in throw Stop() }
            }
            #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
            var count = 0
            let error = try await failure {
                try await client.compareEach(
                    Rows((1...20_000).lazy.map { ["id": $0] }),
                    with: "t",
                    scope: .all,
                    as: [String: Int].self
                ) { change in
                    let nested = try await failure { try await client.sync([["id": 1]], into: "t", scope: .all) }
                    #expect(nested.code == .misuse)
                    #expect(change.action == .insert)
                    count += 1
                    if count == 3 { throw CancellationError() }
                }
            }
            #expect(error.code == .cancelled)
            #expect(try await client.sync([["id": 1]], into: "t", scope: .all).inserted == 1)
        }
    }

    @Test("that do not fit the Swift type are an error without values")
    func decoding() async throws {
        struct Wrong: Codable { var name: Int }
        try await withDatabase(setup: employeeTable) { client async throws in
            let error = try await failure {
                try await client.compare(
                    employees,
                    with: "employee",
                    key: ["name"],
                    scope: .values(["company_id": 501]),
                    as: Wrong.self
                )
            }
            #expect(error.code == .decoding)
            #expect(error.column == "name")
            #expect(!"\(error)".contains("Emil"))
            #expect(await client.isOpen)
        }
    }
}

@Suite("Reading in bulk", .needsServer)
struct InBulkTests {
    struct Place: Codable, Hashable, Sendable { var companyID: Int, name: String }
    struct Person: Codable, Hashable, Sendable { var companyID: Int, name: String, phoneNumber: String? }

    static let table = """
        CREATE TABLE person (company_id int, name text, phone_number text, code char(3) UNIQUE, mood text, PRIMARY KEY (company_id, name));
        CREATE UNIQUE INDEX partial ON person (mood) WHERE mood <> 'bad';
        CREATE UNIQUE INDEX expression ON person (lower(mood));
        INSERT INTO person VALUES (1, 'a', '1', 'x', 'm1'), (1, 'b', NULL, NULL, 'm2'), (2, 'a', '3', 'z', 'm3')
        """

    @Test("finds rows by the primary key, several columns as a structure")
    func primaryKey() async throws {
        try await withDatabase(keyStrategy: .snakeCase, setup: Self.table) { client async throws in
            let keys = [Place(companyID: 1, name: "a"), Place(companyID: 2, name: "a"), Place(companyID: 2, name: "b")]
            let found = try await client.inBulk(keys + keys, from: "person", as: Person.self)
            #expect(found.count == 2)
            #expect(found[keys[0]] == Person(companyID: 1, name: "a", phoneNumber: "1"))
            #expect(found[keys[2]] == nil)
            let all: [Place: Person] = try await client.inBulk(from: "person", as: Person.self)
            #expect(all.count == 3)
            #expect(try await client.inBulk([Place](), from: "person", as: Person.self).isEmpty)
        }
    }

    @Test("finds rows by any unique column, without those that have NULL there")
    func uniqueColumn() async throws {
        try await withDatabase(keyStrategy: .snakeCase, setup: Self.table) { client async throws in
            let found = try await client.inBulk(["x", "q", "toolong"], from: "person", by: ["code"], as: Person.self)
            #expect(found.mapValues(\.name) == ["x  ": "a"])
            let all: [String: Person] = try await client.inBulk(from: "person", by: ["code"], as: Person.self)
            #expect(all.keys.sorted() == ["x  ", "z  "])
        }
    }

    @Test(
        "refuses columns that are not unique",
        arguments: [["company_id"], ["name"], ["phone_number"], ["mood"]])
    func notUnique(columns: [String]) async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let error = try await failure {
                let found: [String: Person] = try await client.inBulk(from: "person", by: columns, as: Person.self)
                return found
            }
            #expect(error.code == .notUnique)
            #expect(error.hint != nil)
        }
    }

    @Test("says which columns it cannot find rows by")
    func wrongColumns() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            func error(_ columns: [String]) async throws -> BulkSyncError {
                try await failure {
                    let found: [String: Person] = try await client.inBulk(from: "person", by: columns, as: Person.self)
                    return found
                }
            }
            let unknown = try await error(["company_id", "Name"])
            #expect(unknown.code == .undefinedColumn)
            #expect(unknown.message == "column \"Name\" of person does not exist")
            #expect(unknown.column == "Name")
            #expect(unknown.hint?.contains("\"name\"") == true)
            let none = try await error([])
            #expect(none.code == .invalidArgument)
            #expect(none.message == "the argument by names no column")
            let twice = try await error(["code", "code"])
            #expect(twice.code == .invalidArgument)
            #expect(twice.message == "the argument by names column \"code\" twice")
        }
    }

    @Test("refuses keys that have no value for a column, or one that does not fit it, and says of which type they are")
    func wrongKeys() async throws {
        try await withDatabase(setup: Self.table + "; CREATE TABLE item (id int PRIMARY KEY, tags int[] UNIQUE)") {
            client async throws in
            _ = try await client.query("INSERT INTO item VALUES (1, '{1,2}')")
            func error<Key: Codable & Hashable & Sendable>(
                _ keys: [Key]?,
                _ table: TableName = "person",
                by columns: [String]? = nil
            ) async throws -> BulkSyncError {
                try await failure {
                    try await client.inBulk(keys, from: table, by: columns, as: [String: SyncValue].self)
                }
            }
            let single = try await error([1])
            #expect(single.code == .encoding)
            #expect(
                single.message
                    == "a key of type Int has no values for the key columns \"company_id\", \"name\" of person")
            #expect(single.hint != nil)
            // Without the strategy, the property is for a column of its own name.
            let misnamed = try await error([Place(companyID: 1, name: "a")])
            #expect(misnamed.code == .encoding)
            #expect(misnamed.message == "a key of type Place has no value for key column \"company_id\" of person")
            #expect(misnamed.hint?.contains("\"companyID\", \"name\"") == true)
            let nested = try await error([Place(companyID: 1, name: "a")], by: ["code"])
            #expect(nested.code == .encoding)
            #expect(nested.message.contains("Place is not one value, as the key column \"code\" of person needs it"))
            let text = try await error(["x"], "item")
            #expect(text.code == "22P02")
            #expect(text.hint == "Keys of type String were given for the key column \"id\" of item, of type integer.")
            let read = try await error(nil as [Int]?, by: ["code"])
            #expect(read.code == .decoding)
            #expect(
                read.message
                    == "the key column \"code\" of person (bpchar) cannot be read as a key of type Int")
            let whole = try await error(nil as [Int]?)
            #expect(whole.code == .decoding)
            // A key that is an array is one value of such a column.
            let found = try await client.inBulk([[1, 2]], from: "item", by: ["tags"], as: [String: SyncValue].self)
            #expect(found[[1, 2]]?["id"] == 1)
        }
    }

    @Test("locks rows until the end of the transaction")
    func lock() async throws {
        try await withDatabase(keyStrategy: .snakeCase, setup: Self.table) { client async throws in
            let other = try await client.another()
            try await client.withTransaction { transaction in
                let keys = [Place(companyID: 1, name: "a")]
                _ = try await transaction.inBulk(keys, from: "person", as: Person.self, lock: .forUpdate)
                let rows = try await other.lines(
                    "SELECT name, company_id FROM person ORDER BY 1, 2 FOR UPDATE SKIP LOCKED")
                #expect(rows == ["a,2", "b,1"])
            }
            await other.close()
        }
    }
}

@Suite("A row that is written and read again", .needsServer)
struct RoundTripTests {
    enum Mood: String, Codable { case happy, sad }
    struct Nested: Codable, Hashable { var on: Date, numbers: [Int] }

    struct Everything: Codable, Hashable {
        var id = 1
        var b: Bool? = true
        var i2: Int16? = .min
        var i4: Int32? = .max
        var i8: Int64? = .min
        var u: UInt64? = 9_223_372_036_854_775_807
        var f4: Float? = 1.1
        var f8: Double? = 1.1
        var num: Decimal? = Decimal(string: "-1234567890123456789.0123456789")
        var t: String? = "tab\t, \"quote\", \\, \u{1F600}, \\N"
        var c: String? = "abc"
        var by: Data? = Data([0, 1, 255])
        var u1: UUID? = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
        var tz: Date? = Date(timeIntervalSinceReferenceDate: 700_000_000.123456)
        var ts: Date? = Date(timeIntervalSinceReferenceDate: -3_000_000_000.5)
        var inf: Date? = .distantFuture
        var d: PostgresDate? = PostgresDate(year: 2024, month: 2, day: 29)
        var tm: PostgresTime? = PostgresTime(hour: 23, minute: 59, second: 59, microsecond: 999_999)
        var iv: PostgresInterval? = PostgresInterval(months: -14, days: 3, microseconds: -4_500_000)
        var js: Nested? = Nested(on: Date(timeIntervalSinceReferenceDate: 0.25), numbers: [1, 2])
        var jb: [Nested]? = [Nested(on: Date(timeIntervalSinceReferenceDate: 1), numbers: [])]
        var ai: [Int?]? = [1, nil, -3]
        var at: [String?]? = ["", "NULL", nil, "a,b", "\"\\"]
        var an: [Decimal]? = [Decimal(string: "0.10") ?? 0]
        var ab: [Data]? = [Data([7])]
        var ad: [Date]? = [.distantPast]
        var aj: [String]? = []
        var mood: String? = "sad"
        var dom: Int? = 5

        static let empty = Everything(
            id: 2, b: nil, i2: nil, i4: nil, i8: nil, u: nil, f4: nil, f8: nil, num: nil, t: nil, c: nil, by: nil,
            u1: nil, tz: nil,
            ts: nil, inf: nil, d: nil, tm: nil, iv: nil, js: nil, jb: nil, ai: nil, at: nil, an: nil, ab: nil, ad: nil,
            aj: nil,
            mood: nil, dom: nil
        )
    }

    /// A table for ``Everything``.
    ///
    /// With an enumeration in it the rows are sent as text, with a text instead in binary.
    static func table(_ mood: String) -> String {
        """
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE DOMAIN small AS int CHECK (value < 10);
        CREATE TABLE t (aj text[], id int PRIMARY KEY, b bool, i2 smallint, i4 int, i8 bigint, u numeric, f4 real, f8 float8,
            num numeric, t text, c char(3), by bytea, u1 uuid, tz timestamptz, ts timestamp, inf timestamptz, d date, tm time,
            iv interval, js json, jb jsonb, ai int[], at varchar[], an numeric[], ab bytea[], ad date[], mood \(mood), dom small)
        """
    }

    @Test("is the same, in binary and as text", arguments: ["text", "mood"])
    func same(mood: String) async throws {
        try await withDatabase(setup: Self.table(mood)) { client async throws in
            var configuration = client.configuration
            configuration.options =
                "-c DateStyle=SQL,DMY -c IntervalStyle=sql_standard -c TimeZone=Asia/Kolkata -c bytea_output=escape"
            try await BulkSyncClient.withConnection(configuration) { other async throws in
                for rows in [[Everything(), .empty], [.empty, Everything()]] {
                    #expect(try await other.sync(rows, into: "t", scope: .all).staged == 2)
                    let found = try await other.inBulk([1, 2], from: "t", as: Everything.self)
                    #expect(found[1] == Everything())
                    #expect(found[2] == .empty)
                    #expect(try await other.sync(rows, into: "t", scope: .all).unchanged == 2)
                }
            }
            let stored = try await client.lines(
                "SELECT i2, i8, u, f4, num, t, by, inf, d, tm, js, ai, at, an, ad FROM t WHERE id = 1"
            )
            let expected = [
                "-32768", "-9223372036854775808", "9223372036854775807", "1.1", "-1234567890123456789.0123456789",
                "tab\t, \"quote\", \\, \u{1F600}, \\N", "\\x0001ff", "infinity", "2024-02-29", "23:59:59.999999",
                #"{"numbers":[1,2],"on":"2001-01-01T00:00:00.25+00:00"}"#, "{1,NULL,-3}",
                #"{"","NULL",NULL,"a,b","\"\\"}"#,
                "{0.1}", "{-infinity}",
            ]
            #expect(stored == [expected.joined(separator: ",")])
        }
    }

    @Test("may be texts of any types")
    func texts() async throws {
        struct Row: Codable, Hashable {
            var id = "7", at = "2026-11-21 10:00+00", ip = "10.0.0.1", mood = "happy", range = "[1,5)", n = "1e3",
                flag = "yes"
        }
        let setup = """
            CREATE TYPE mood AS ENUM ('happy', 'sad');
            CREATE TABLE t (id int PRIMARY KEY, at timestamptz, ip inet, mood mood, range int4range, n numeric, flag bool)
            """
        try await withDatabase(setup: setup) { client async throws in
            #expect(try await client.sync([Row()], into: "t", scope: .all).inserted == 1)
            #expect(
                try await client.lines("SELECT id, at = '2026-11-21 10:00+00', ip, mood, range, n, flag FROM t") == [
                    "7,t,10.0.0.1,happy,[1,5),1000,t"
                ])
        }
    }

    @Test("keeps numbers that are none")
    func notNumbers() async throws {
        struct Row: Codable { var id: Int, f: Double, n: Double }
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, f float8, n numeric)") {
            client async throws in
            let rows = [Double.nan, .infinity, -.infinity].enumerated().map { Row(id: $0, f: $1, n: $1) }
            try await client.sync(rows, into: "t", scope: .all)
            #expect(
                try await client.lines("SELECT f, n FROM t ORDER BY id") == [
                    "NaN,NaN", "Infinity,Infinity", "-Infinity,-Infinity",
                ])
            let found = try await client.inBulk([0, 1, 2], from: "t", as: Row.self)
            #expect(found[0]?.f.isNaN == true && found[1]?.n == .infinity && found[2]?.f == -.infinity)
        }
    }
}
