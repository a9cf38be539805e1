import Foundation
import Testing

@testable import BulkSync

@Suite("A million rows", .needsServer, .serialized)
struct VolumeTests {
    struct Row: Codable, RowEncodable, Sendable {
        var id: Int
        var name: String
        var amount: Double

        init(_ id: Int) {
            self.id = id
            name = "name of \(id)"
            amount = Double(id) / 4
        }

        static let columns = ["id", "name", "amount"]

        func encode(to row: inout RowWriter) throws {
            try row.append(id)
            try row.append(name)
            try row.append(amount)
        }
    }

    /// The memory of this process, in kilobytes, where the system tells.
    private func memory() -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(separator: " ").compactMap { Int($0) }.first
    }

    @Test("stream through in constant memory, into the table and out of it")
    func million() async throws {
        let count = 1_000_000
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, name text, amount float8)") {
            client async throws in
            try await client.sync((1...1000).lazy.map(Row.init), into: "t", scope: .all)
            let before = memory()
            let first = try await client.sync((1...count).lazy.map(Row.init), into: "t", scope: .all)
            #expect(first == SyncSummary(staged: count, inserted: count - 1000, unchanged: 1000))
            struct Plain: Encodable { var id: Int, name: String }
            let second = try await client.sync(
                (1...count).lazy.map { Plain(id: $0, name: $0 % 1000 == 0 ? "changed" : "name of \($0)") },
                into: "t",
                scope: .all
            )
            #expect(second == SyncSummary(staged: count, updated: count / 1000, unchanged: count - count / 1000))
            var told = 0
            try await client.compareEach(
                Rows((1...100).lazy.map(Row.init)), with: "t", scope: .where("id <= 200000"), as: Row.self
            ) { _ in
                told += 1
            }
            #expect(told == 200_000 - 100)
            if let before, let after = memory() { #expect(after - before < 64 * 1024, "in kB") }
        }
    }
}
