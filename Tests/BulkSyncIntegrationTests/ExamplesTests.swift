import BulkSync
import Foundation
import Testing

/// The examples of the documentation, so that they compile and do what they say.
///
/// Change both together.
@Suite("The examples of the documentation", .needsServer)
struct ExamplesTests {
    struct Employee: Codable, Sendable {
        var name: String
        var phone: String?
        var age: Int
    }

    struct Price: RowEncodable {
        var sku: String
        var amount: Decimal

        static let columns = ["sku", "amount"]

        func encode(to row: inout RowWriter) throws {
            try row.append(sku)
            try row.append(amount)
        }
    }

    struct StoredEmployee: Codable, Sendable {
        var id: Int
        var name: String
    }

    struct Place: Codable, Hashable, Sendable {
        var companyID: Int
        var name: String

        enum CodingKeys: String, CodingKey {
            case companyID = "company_id"
            case name
        }
    }

    struct Reading: Codable, Sendable {
        var sensor: Int, measuredAt: Date, value: Double
        enum CodingKeys: String, CodingKey { case sensor, measuredAt = "measured_at", value }
    }
    struct Feed { var companies: [[String: Int]], employees: [Employee] }

    static let tables = """
        CREATE TABLE employee (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company_id int NOT NULL DEFAULT 501, name text,
            phone text, age int, created_at timestamptz, updated_at timestamptz, remark text, deleted_at timestamptz,
            UNIQUE (company_id, name));
        CREATE TABLE company (id int PRIMARY KEY);
        CREATE TABLE price (sku text PRIMARY KEY, amount numeric);
        CREATE TABLE reading (sensor int, measured_at timestamptz, value float8);
        CREATE TABLE feed_problem (at timestamptz);
        CREATE TABLE order_line (order_id int, line int, PRIMARY KEY (order_id, line))
        """

    private let employees = [Employee(name: "Anna", phone: "1", age: 30), Employee(name: "Bert", phone: nil, age: 40)]
    private let prices = [Price(sku: "A1", amount: 1), Price(sku: "A2", amount: 2)]

    private func load(_ feed: Feed, with database: some SyncOperations) async throws {
        try await database.sync(feed.companies, into: "company", scope: .all)
        try await database.sync(feed.employees, into: "employee", key: ["name"], scope: .all)
    }

    @Test("of syncing")
    func syncing() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let summary = try await client.sync(
                employees,
                into: "employee",
                key: ["name"],
                scope: .values(["company_id": 501])
            )
            #expect(summary.description == "2 inserted, 0 updated, 0 deleted, 0 unchanged")
            try await client.sync(prices, into: "price", scope: .all)
            let prices = stream(prices)
            try await client.sync(columns: ["sku", "amount"], into: "price", scope: .all) { rows in
                for try await price in prices {
                    try await rows.append { row in
                        try row.append(price.sku)
                        try row.append(price.amount)
                    }
                }
            }
            let rows = Rows(columns: ["sku", "amount"]) { sink in try await sink.append(Price(sku: "A3", amount: 3)) }
            try await client.upsert(rows, into: "price")
            try await client.sync([["order_id": 1, "line": 1]], into: "order_line", scope: .columns(["order_id"]))
            let readings = [Reading(sensor: 1, measuredAt: Date(), value: 1)]
            try await client.insertChanged(readings, into: "reading", key: ["sensor"], orderColumn: "measured_at")
            try await load(Feed(companies: [["id": 501]], employees: employees), with: client)
            var options = SyncOptions()
            options.maxDeleteFraction = 0.1
            options.expectedRows = 2
            options.insertOnlyColumns = ["created_at"]
            options.touchColumns = ["updated_at"]
            options.fillColumns = ["remark"]
            options.softDeleteColumn = "deleted_at"
            let dated = employees.map { ["name": $0.name, "created_at": "now", "updated_at": "now", "remark": "-"] }
            try await client.sync(dated, into: "employee", key: ["name"], scope: .all, options: options) { progress in
                #expect(progress.rows <= 2)
            }
            let looked = try await client.sync(
                employees,
                into: "employee",
                key: ["name"],
                scope: .all,
                options: SyncOptions(dryRun: true)
            )
            #expect(!looked.hasChanges)
        }
    }

    @Test("of changes and of reading")
    func reading() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let written = try await client.syncReturning(
                employees,
                into: "employee",
                key: ["name"],
                scope: .all,
                as: StoredEmployee.self
            )
            let newIDs = written.filter { $0.action == .insert }.compactMap { $0.new?.id }
            #expect(newIDs.sorted() == [1, 2])
            let changes = try await client.compare(
                [Employee(name: "Anna", phone: "2", age: 30)],
                with: "employee",
                key: ["name"],
                scope: .all,
                as: Employee.self
            )
            for change in changes where change.action == .update {
                #expect(change.changedColumns == ["phone"])
                #expect(change.new?.phone == "2")
            }
            try await client.compareEach(
                Rows(employees), with: "employee", key: ["name"], scope: .all, as: Employee.self
            ) { change in
                Issue.record("\(change.action) \(change.key)")
            }
            let found = try await client.inBulk([1, 23], from: "employee", as: StoredEmployee.self)
            #expect(found[1]?.name == "Anna")
            let places = [Place(companyID: 501, name: "Anna")]
            let placed = try await client.inBulk(
                places, from: "employee", by: ["company_id", "name"], as: Employee.self)
            #expect(placed[places[0]]?.age == 30)
            try await client.withTransaction { transaction in
                let locked = try await transaction.inBulk(
                    [1], from: "employee", as: StoredEmployee.self, lock: .forUpdate)
                #expect(locked.count == 1)
            }
        }
    }

    @Test("of files")
    func files() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            try await withFile("employees.csv", "name,phone,age\nAnna,1,30\nBert,,40\n") { path in
                let summary = try await client.sync(
                    Rows(FileRows(path: path)),
                    into: "employee",
                    key: ["name"],
                    scope: .values(["company_id": 501])
                )
                #expect(summary.description == "2 inserted, 0 updated, 0 deleted, 0 unchanged")
                let employees = FileRows(path: path)
                let again = try await client.sync(Rows(employees), into: "employee", key: ["name"], scope: .all)
                #expect(again.unchanged == 2)
                let short = try await client.sync(.file(path), into: "employee", key: ["name"], scope: .all)
                #expect(short == again)
                // Standard input is a descriptor like this one.
                let handle = try #require(FileHandle(forReadingAtPath: path))
                let input = FileRows(descriptor: handle.fileDescriptor, format: .csv())
                let read = try await client.sync(Rows(input), into: "employee", key: ["name"], scope: .all)
                #expect(read == again)
            }
            try await withFile("employees.txt", "name;telefon\nAnna;2\n") { path in
                let file = FileRows(path: path, format: .csv(delimiter: ";"), names: ["phone": "telefon"])
                let summary = try await client.sync(Rows(file), into: "employee", key: ["name"], scope: .all)
                #expect(summary.description == "0 inserted, 1 updated, 1 deleted, 0 unchanged")
            }
            try await withFile("employees.csv", "telefon,note,name\n3,new,Anna\n") { path in
                let file = FileRows(path: path, columns: ["name", "phone"], names: ["phone": "telefon"])
                let summary = try await client.sync(Rows(file), into: "employee", key: ["name"], scope: .all)
                #expect(summary.updated == 1)
            }
            let body = stream([Data("name,phone\nAn".utf8), Data("na,3\n".utf8)])
            let request = FileRows(chunks: body, format: .csv())
            let sent = try await client.sync(Rows(request), into: "employee", key: ["name"], scope: .all)
            #expect(sent.unchanged == 1)
        }
    }

    @Test("of combined scopes, and of a transaction that a command ends")
    func refusals() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            let narrow = Scope.values(["company_id": 501]).and(.where("age > 30"))
            #expect(try await client.sync([employees[1]], into: "employee", key: ["name"], scope: narrow).inserted == 1)
            do {
                try await client.withTransaction { transaction in
                    try await transaction.execute("COMMIT")
                }
                Issue.record("the end of the transaction was not noticed")
            } catch let error as BulkSyncError {
                #expect(error.code == .misuse)
            }
        }
    }

    @Test("of transactions and errors")
    func transactions() async throws {
        try await withDatabase(setup: Self.tables) { client async throws in
            try await client.withTransaction { transaction in
                do {
                    try await transaction.sync([Employee](), into: "employee", key: ["name"], scope: .all)
                } catch let error as BulkSyncError where error.code == .emptyFeed {
                    try await transaction.execute("INSERT INTO feed_problem VALUES (now())")
                }
            }
            #expect(try await client.lines("SELECT count(*) FROM feed_problem") == ["1"])
            try await client.withTransaction(isolation: .serializable, retrying: 3) { transaction in
                try await transaction.execute("SET LOCAL lock_timeout = '5s'")
                try await load(Feed(companies: [["id": 501]], employees: employees), with: transaction)
            }
            do {
                try await client.sync(employees, into: "employee", scope: .all)
            } catch let error as BulkSyncError {
                switch error.code {
                case .deleteLimit, .incompleteFeed, .emptyFeed: Issue.record("refused: \(error.message)")
                case .encoding: Issue.record("row \(error.row ?? 0), column \(error.column ?? "?")")
                case "42703": #expect(error.hint != nil, "the key is not staged")
                default: throw error
                }
            }
        }
    }
}
