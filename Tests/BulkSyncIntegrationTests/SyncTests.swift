import Foundation
import Synchronization
import Testing

@testable import BulkSync

struct Employee: Codable, Hashable, Sendable {
    var name: String
    var phone: String?
    var age: Int
}

extension Employee: RowEncodable {
    static let columns = ["name", "phone", "age"]

    func encode(to row: inout RowWriter) throws {
        try row.append(name)
        try row.append(phone)
        try row.append(age)
    }
}

let employeeTable = """
    CREATE TABLE employee (company_id int NOT NULL DEFAULT 501, name text, phone text, age int, PRIMARY KEY (company_id, name));
    INSERT INTO employee VALUES (501, 'Anna', '1', 30), (501, 'Bert', NULL, 40), (501, 'Carl', '3', 50), (502, 'Dora', '4', 60)
    """

let employees = [
    Employee(name: "Anna", phone: "1", age: 30), Employee(name: "Bert", phone: "2", age: 40),
    Employee(name: "Emil", phone: nil, age: 20),
]

/// The summary of a sync of ``employees``.
let employeeSummary = SyncSummary(staged: 3, inserted: 1, updated: 1, unchanged: 1, deleted: 1)

@Suite("A sync", .needsServer)
struct SyncTests {
    @Test("inserts, updates and deletes what differs, and leaves the rest alone")
    func plain() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let summary = try await client.sync(
                employees.lazy.map { ["name": $0.name, "phone": $0.phone] },
                into: "employee",
                key: ["name"],
                scope: .values(["company_id": 501])
            )
            #expect(summary == employeeSummary)
            let rows = try await client.lines("SELECT * FROM employee ORDER BY company_id, name")
            #expect(rows == ["501,Anna,1,30", "501,Bert,2,40", "501,Emil,NULL,NULL", "502,Dora,4,60"])
            let stage = try await client.lines("SELECT relname FROM pg_class WHERE relname ~ 'staged'")
            #expect(stage == [], "the staged table is gone")
        }
    }

    @Test("takes rows in every form", arguments: 0..<6)
    func forms(form: Int) async throws {
        struct Plain: Encodable { var name: String, phone: String?, age: Int }
        let plain = employees.map { Plain(name: $0.name, phone: $0.phone, age: $0.age) }
        try await withDatabase(setup: employeeTable) { client async throws in
            let key = ["name"]
            let scope = Scope.values(["company_id": 501])
            let summary =
                switch form {
                case 0: try await client.sync(plain, into: "employee", key: key, scope: scope)
                case 1: try await client.sync(employees, into: "employee", key: key, scope: scope)
                case 2: try await client.sync(stream(plain), into: "employee", key: key, scope: scope)
                case 3: try await client.sync(stream(employees), into: "employee", key: key, scope: scope)
                case 4: try await client.sync(Rows(employees), into: "employee", key: key, scope: scope)
                default:
                    try await client.sync(columns: Employee.columns, into: "employee", key: key, scope: scope) { rows in
                        for employee in employees { try await rows.append(employee) }
                    }
                }
            #expect(summary == employeeSummary)
            #expect(
                try await client.sync(employees, into: "employee", key: key, scope: scope)
                    == SyncSummary(staged: 3, unchanged: 3)
            )
        }
    }

    @Test("tells its progress: phases in order, rows and bytes")
    func progress() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let seen = Mutex<[SyncProgress]>([])
            try await client.sync(employees, into: "employee", scope: .values(["company_id": 501])) { progress in
                seen.withLock { $0.append(progress) }
            }
            let progress = seen.withLock { $0 }
            var phases: [SyncProgress.Phase] = []
            for progress in progress where progress.phase != phases.last { phases.append(progress.phase) }
            #expect(phases == [.staging, .sending, .syncing, .committing])
            #expect(progress.last?.rows == 3)
            #expect(progress.last.map { $0.bytes > 50 } == true)
        }
    }

    @Test("states a scope by values, columns, a condition, or several of these")
    func scopes() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            struct Row: Encodable {
                var companyID: Int
                var name: String
                enum CodingKeys: String, CodingKey { case companyID = "company_id", name }
            }
            func deletes(_ scope: Scope, _ rows: [Row]) async throws -> Int {
                var options = SyncOptions(dryRun: true)
                options.allowEmpty = true
                return try await client.sync(rows, into: "employee", scope: scope, options: options).deleted
            }
            #expect(try await deletes(.all, []) == 4)
            #expect(try await deletes(.values(["company_id": 502]), []) == 1)
            #expect(try await deletes(.values(["company_id": nil]), []) == 0)
            #expect(try await deletes(.where("age > 35 -- not the young"), []) == 3)
            #expect(try await deletes(.columns(["company_id"]), [Row(companyID: 501, name: "Anna")]) == 2)
            let both = Scope.values(["company_id": 501]).and(.where("age > 35 --")).and(.where("phone = '3'")).and(.all)
            #expect(try await deletes(both, []) == 1)
            let count = try await client.lines("SELECT count(*) FROM employee")
            #expect(count == ["4"])
        }
    }

    @Test("refuses a scope that was given two values for one column, and takes one that was given the same twice")
    func contradictoryScope() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let scope = Scope.values(["company_id": 501, "name": "Anna"])
            let two = scope.and(.values(["company_id": 502])).and(.where("age > 35"))
            var options = SyncOptions(dryRun: true)
            options.allowEmpty = true
            let rows = [["company_id": 501]]
            let errors = [
                try await failure { try await client.sync(rows, into: "employee", scope: two, options: options) },
                try await failure {
                    try await client.compare(
                        rows, with: "employee", scope: Scope.all.and(two), as: [String: SyncValue].self)
                },
            ]
            for error in errors {
                #expect(error.code == .invalidArgument)
                #expect(error.message == "the scope holds two different values for column \"company_id\"")
                #expect(error.hint != nil)
            }
            let same = scope.and(.values(["company_id": 501, "phone": nil]))
            #expect(
                try await client.sync([[String: Int]](), into: "employee", scope: same, options: options).deleted == 0)
        }
    }

    @Test("upserts, updates and inserts, each with what it is allowed to do")
    func actions() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let values = Scope.values(["company_id": 501])
            #expect(
                try await client.update(employees, in: "employee", key: ["name"], scope: values)
                    == SyncSummary(staged: 3, updated: 1, unchanged: 1, skipped: 1)
            )
            #expect(
                try await client.upsert(employees, into: "employee", key: ["name"], scope: values)
                    == SyncSummary(staged: 3, inserted: 1, unchanged: 2)
            )
            let error = try await failure { try await client.insert(employees, into: "employee") }
            #expect(error.code == .uniqueViolation)
            #expect(error.table == "employee")
            #expect(error.constraint == "employee_pkey")
            let more = employees + [Employee(name: "Finn", phone: nil, age: 1)]
            #expect(
                try await client.insert(more, into: "employee", ignoreConflicts: true)
                    == SyncSummary(staged: 4, inserted: 1, skipped: 3)
            )
            #expect(try await client.lines("SELECT count(*) FROM employee") == ["6"])
        }
    }

    @Test("inserts what changed into a history")
    func insertChanged() async throws {
        try await withDatabase(setup: "CREATE TABLE reading (sensor int, at int, value int)") { client async throws in
            struct Reading: Codable { var sensor: Int, at: Int, value: Int }
            let readings = [(1, 1, 5), (1, 2, 5), (1, 3, 6), (2, 1, 5)].map { Reading(sensor: $0, at: $1, value: $2) }
            let first = try await client.insertChanged(readings, into: "reading", key: ["sensor"], orderColumn: "at")
            #expect(first == SyncSummary(staged: 4, inserted: 3, unchanged: 1))
            let again = [Reading(sensor: 1, at: 9, value: 6), Reading(sensor: 2, at: 9, value: 7)]
            let second = try await client.insertChanged(
                again,
                into: "reading",
                key: ["sensor"],
                orderColumn: "at",
                compareColumns: ["value"]
            )
            #expect(second == SyncSummary(staged: 2, inserted: 1, unchanged: 1))
        }
    }

    @Test("hands every option to the server")
    func options() async throws {
        let setup = """
            CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, d int, e int, version int, gone timestamptz, u int UNIQUE);
            INSERT INTO t VALUES (1, 1, 1, NULL, 1, 1, 5, NULL, 1), (2, 2, 2, 2, 2, 2, 5, NULL, 2), (9, 9, 9, 9, 9, 9, 9, NULL, 9)
            """
        struct Row: Codable {
            var id: Int
            var a = 0
            var b = 0
            var c = 0
            var d: Int?
            var e = 0
            var version = 6
            var u: Int?
        }
        try await withDatabase(setup: setup) { client async throws in
            var options = SyncOptions()
            options.insertOnlyColumns = ["a"]
            options.touchColumns = ["b"]
            options.fillColumns = ["c"]
            options.keepColumns = ["d"]
            options.columns = ["a", "b", "c", "d", "e", "u"]
            options.updateWhere = "staged.version > target.version"
            options.softDeleteColumn = "gone"
            options.duplicates = .last
            options.orderColumn = "version"
            options.ignoreConflicts = true
            options.maxDeletes = 1
            options.maxDeleteFraction = 0.5
            options.expectedRows = 5
            options.lockMode = .exclusive
            let rows = [
                Row(id: 1, u: 1), Row(id: 2, a: 7, version: 5, u: 2), Row(id: 3, version: 2, u: 30),
                Row(id: 3, e: 8, version: 1, u: 40), Row(id: 4, u: 9),
            ]
            let summary = try await client.sync(rows, into: "t", scope: .all, options: options)
            #expect(summary == SyncSummary(staged: 5, inserted: 1, updated: 1, skipped: 3, deleted: 1))
            let stored = try await client.lines("SELECT id, a, b, c, d, e, gone IS NOT NULL, u FROM t ORDER BY id")
            #expect(stored == ["1,1,0,0,1,0,f,1", "2,2,2,2,2,2,f,2", "3,0,0,0,NULL,0,f,30", "9,9,9,9,9,9,t,9"])
        }
    }

    @Test("takes columns that only the rows have, to rank duplicates and in conditions")
    func extraColumns() async throws {
        struct Row: Codable { var id: Int, value: String, seq: Int }
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, value text)") { client async throws in
            var options = SyncOptions()
            options.extraColumns = ["seq": "bigint"]
            options.orderColumn = "seq"
            options.duplicates = .last
            let rows = [Row(id: 1, value: "new", seq: 2), Row(id: 1, value: "old", seq: 1)]
            let summary = try await client.sync(rows, into: "t", scope: .all, options: options)
            #expect(summary == SyncSummary(staged: 2, inserted: 1, skipped: 1))
            #expect(try await client.lines("SELECT value FROM t") == ["new"])
        }
    }

    @Test("of no rows at all is refused, unless it is allowed")
    func empty() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let scope = Scope.values(["company_id": 501])
            for rows in [Rows([Employee]()), Rows([[String: Int]]()), Rows(columns: ["name"]) { _ in }] {
                let error = try await failure { try await client.sync(rows, into: "employee", scope: scope) }
                #expect(error.code == .emptyFeed)
            }
            var options = SyncOptions()
            options.allowEmpty = true
            #expect(try await client.sync([Employee](), into: "employee", scope: scope, options: options).deleted == 3)
        }
    }

    @Test("in a dry run counts and writes nothing")
    func dryRun() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let before = try await client.lines("SELECT xmin, * FROM employee ORDER BY name")
            let summary = try await client.sync(
                employees,
                into: "employee",
                key: ["name"],
                scope: .values(["company_id": 501]),
                options: SyncOptions(dryRun: true)
            )
            #expect(summary == employeeSummary)
            #expect(try await client.lines("SELECT xmin, * FROM employee ORDER BY name") == before)
        }
    }

    @Test("finds tables and columns whatever their names are")
    func hostileNames() async throws {
        let schema = #"sch"ema; DROP TABLE employee; --"#
        let table = #"Ta"ble' \ {x}"#
        let column = #"co"l, 'u' {m} \n"#
        func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
        let name = "\(quoted(schema)).\(quoted(table))"
        let setup =
            "CREATE SCHEMA \(quoted(schema)); CREATE TABLE \(name) (\(quoted(column)) text PRIMARY KEY, \"t\" int)"
        try await withDatabase(setup: setup) { client async throws in
            let rows = [[column: "x"], [column: #"{a,"b"}"#]]
            let exact = TableName(schema: schema, name: table)
            #expect(try await client.sync(rows, into: exact, key: [column], scope: .all).inserted == 2)
            let scope = Scope.values([column: "x"]).and(.all)
            let error = try await failure { try await client.sync(rows, into: TableName(name), scope: scope) }
            #expect(error.code == .outOfScope)
            #expect(try await client.inBulk(["x"], from: exact, as: [String: String?].self)["x"]?[column] == "x")
            let changes = try await client.compare(
                [[column: "y"]], with: exact, scope: .all, as: [String: String?].self)
            #expect(changes.count == 3)
        }
    }

    @Test("finds its table by the search path, and by a name as it is typed in SQL")
    func searchPath() async throws {
        let setup = "CREATE SCHEMA hr; CREATE TABLE hr.t (id int PRIMARY KEY); CREATE TABLE t (id text PRIMARY KEY)"
        try await withDatabase(setup: setup) { client async throws in
            var configuration = client.configuration
            configuration.options = "-c search_path=hr,public,pg_catalog"
            try await BulkSyncClient.withConnection(configuration) { other async throws in
                #expect(try await other.sync([["id": 1]], into: "T", scope: .all).inserted == 1)
                #expect(try await other.sync([["id": "a"]], into: "public.t", scope: .all).inserted == 1)
            }
            #expect(
                try await client.lines("SELECT id::text FROM hr.t UNION ALL SELECT id FROM public.t") == ["1", "a"])
            let error = try await failure { try await client.sync([["id": 1]], into: "nowhere", scope: .all) }
            #expect(error.code == .undefinedTable)
        }
    }

    @Test("finds the extension in any schema, also when it moves")
    func extensionSchema() async throws {
        try await withDatabase(extension: false, setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            let missing = try await failure { try await client.sync([["id": 1]], into: "t", scope: .all) }
            #expect(missing.code == .extensionMissing)
            #expect(missing.hint == "CREATE EXTENSION bulk_sync;")
            #expect(try await client.inBulk(from: "t", as: [String: Int].self) == [Int: [String: Int]]())
            _ = try await client.query(
                #"CREATE SCHEMA "Ext x"; CREATE EXTENSION bulk_sync SCHEMA "Ext x"; CREATE SCHEMA y"#)
            #expect(try await client.sync([["id": 1]], into: "t", scope: .all).inserted == 1)
            _ = try await client.query("ALTER EXTENSION bulk_sync SET SCHEMA y")
            _ = try? await client.sync([["id": 2]], into: "t", scope: .all)
            #expect(try await client.sync([["id": 3]], into: "t", scope: .all).inserted == 1)
        }
    }

    @Test("refuses an extension that is too old")
    func outdated() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY)") { client async throws in
            _ = try await client.query("UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'bulk_sync'")
            let error = try await failure { try await client.sync([["id": 1]], into: "t", scope: .all) }
            #expect(error.code == .extensionOutdated)
            #expect(error.hint == "ALTER EXTENSION bulk_sync UPDATE;")
        }
    }

    @Test("knows which versions of the extension are too old")
    func versions() {
        #expect(ExtensionInstallation.isRecent("1.0"))
        #expect(ExtensionInstallation.isRecent("1.10.2"))
        #expect(ExtensionInstallation.isRecent("2"))
        #expect(!ExtensionInstallation.isRecent("0.9"))
    }
}

/// Elements that arrive one after the other.
func stream<Element: Sendable>(_ elements: [Element]) -> AsyncStream<Element> {
    AsyncStream { continuation in
        for element in elements { continuation.yield(element) }
        continuation.finish()
    }
}
