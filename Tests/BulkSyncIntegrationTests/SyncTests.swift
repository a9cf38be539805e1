import Foundation
import Testing

@testable import BulkSync

struct Employee: Codable, Hashable, Sendable {
    var name: String
    var phone: String?
    var age: Int
}

let employeeTable = """
    CREATE TABLE employee (company_id int NOT NULL DEFAULT 501, name text, phone text, age int, PRIMARY KEY (company_id, name));
    INSERT INTO employee VALUES (501, 'Anna', '1', 30), (501, 'Bert', NULL, 40), (501, 'Carl', '3', 50), (502, 'Dora', '4', 60)
    """

@Suite("A sync", .needsServer)
struct SyncTests {
    @Test("inserts, updates and deletes what differs, and leaves the rest alone")
    func plain() async throws {
        try await withDatabase(setup: employeeTable) { client in
            let employees = [
                Employee(name: "Anna", phone: "1", age: 30), Employee(name: "Bert", phone: "2", age: 40),
                Employee(name: "Emil", phone: nil, age: 20),
            ]
            let summary = try await client.sync(
                employees, into: "employee", key: ["name"], scope: .values(["company_id": 501])
            )
            #expect(summary == SyncSummary(staged: 3, inserted: 1, updated: 1, unchanged: 1, deleted: 1))
            let rows = try await client.lines("SELECT * FROM employee ORDER BY company_id, name")
            #expect(rows == ["501,Anna,1,30", "501,Bert,2,40", "501,Emil,NULL,20", "502,Dora,4,60"])
        }
    }
}
