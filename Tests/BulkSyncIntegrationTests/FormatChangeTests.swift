// Rows whose values turn out to have no binary form in their columns, after rows that had one.

import Foundation
import Synchronization
import Testing

@testable import BulkSync

@Suite("A row that needs a COPY as text after rows in binary", .needsServer)
struct FormatChangeTests {
    private static let setup = """
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE TABLE t (
            id int PRIMARY KEY, amount numeric, price numeric(3), day date, at timestamptz, key uuid, flag boolean, bytes bytea,
            numbers int[]
        )
        """

    /// What a value is, is known when it is encoded: a row of a file without a schema, say.
    private enum Cell: Encodable {
        case text(String)
        case integer(Int)
        case texts([String])
        case null

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .integer(let integer): try container.encode(integer)
            case .texts(let texts): try container.encode(texts)
            case .null: try container.encodeNil()
            }
        }
    }

    @Test(
        "is written, whatever the first row held",
        arguments: [
            ("amount", "1.50", "1.50"), ("price", "12", "12"), ("day", "2026-11-21", "2026-11-21"),
            ("at", "2026-11-21 08:30+00", "2026-11-21 08:30:00+00"), ("flag", "yes", "t"), ("bytes", "\\x01", "\\x01"),
            ("key", "01020304-0506-0708-090A-0B0C0D0E0F10", "01020304-0506-0708-090a-0b0c0d0e0f10"),
            ("numbers", "{1,2}", "{1,2}"),
        ]
    )
    func afterNull(column: String, text: String, expected: String) async throws {
        try await withDatabase(setup: Self.setup) { client async throws in
            _ = try await client.bare("SET TimeZone = 'UTC'")
            var rows: [[String: Cell]] = []
            for id in 1...4 { rows.append(["id": .integer(id), column: id == 3 ? .text(text) : .null]) }
            let summary = try await client.sync(rows, into: "t", scope: .all)
            #expect(summary.inserted == 4)
            #expect(
                try await client.lines("SELECT id, \(column) FROM t ORDER BY id") == [
                    "1,NULL", "2,NULL", "3,\(expected)", "4,NULL",
                ])
        }
    }

    @Test(
        "is written after an integer, a first text of an array, and many rows; all rows come in order, and are counted")
    func many() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, amount numeric, numbers int[])") {
            client async throws in
            struct Row: Encodable {
                var id: Int
                var amount: Cell
                var numbers: Cell = .null
            }
            let rows = (1...100_000).map { id in
                Row(
                    id: id, amount: id < 50_000 ? .integer(id) : .text("\(id).5"),
                    numbers: id == 99_999 ? .texts(["7", "8"]) : .null)
            }
            let seen = Mutex<[SyncProgress]>([])
            let summary = try await client.sync(rows, into: "t", scope: .all) { progress in
                seen.withLock { $0.append(progress) }
            }
            #expect(summary.inserted == 100_000)
            // 1 + 2 + … + 100000, and a half for each number from 50000 on.
            #expect(
                try await client.lines("SELECT sum(amount), count(*), max(numbers::text) FROM t") == [
                    "5000075000.5,100000,{7,8}"
                ])
            let progress = seen.withLock { $0 }
            #expect(progress.map(\.rows) == progress.map(\.rows).sorted())
            #expect(progress.last?.rows == 100_000)
            var phases: [SyncProgress.Phase] = []
            for progress in progress where progress.phase != phases.last { phases.append(progress.phase) }
            #expect(phases == [.staging, .sending, .syncing, .committing])
        }
    }

    @Test("has its number in an error of the server, not that within the second COPY")
    func errors() async throws {
        try await withDatabase(setup: Self.setup) { client async throws in
            let rows: [[String: Cell]] = [
                ["id": .integer(1), "amount": .null], ["id": .integer(2), "amount": .integer(2)],
                ["id": .integer(3), "amount": .text("3")], ["id": .integer(4), "amount": .text("four")],
            ]
            let error = try await failure { try await client.sync(rows, into: "t", scope: .all) }
            #expect(error.code == "22P02")
            #expect(error.row == 4)
            #expect(error.column == "amount")
            // What is wrong in a row before the change is told by that row, even if it is seen at the end of its COPY.
            let early: [[String: Cell]] = [
                ["id": .integer(1), "price": .integer(1)], ["id": .integer(2), "price": .integer(1000)],
                ["id": .text("3"), "price": .null],
            ]
            let second = try await failure { try await client.sync(early, into: "t", scope: .all) }
            #expect(second.code == "22003")
            #expect(second.row == 2)
            #expect(second.column == "price")
        }
    }

    @Test("may be refused and caught, and the rows after it go on in binary")
    func caught() async throws {
        try await withDatabase(setup: Self.setup) { client async throws in
            let summary = try await client.sync(columns: ["id", "amount", "at"], into: "t", scope: .all) { rows in
                try await rows.append {
                    try $0.append(1)
                    try $0.appendNull()
                    try $0.appendNull()
                }
                // The text asks for the other format, and the boolean is refused in either.
                await #expect(throws: BulkSyncError.self) {
                    try await rows.append {
                        try $0.append(2)
                        try $0.append("2.0")
                        try $0.append(true)
                    }
                }
                #expect(rows.writer.pointee.format == .binary)
                for id in 3...5 {
                    try await rows.append {
                        try $0.append(id)
                        if id == 4 { try $0.append("4.0") } else { try $0.append(id) }
                        try $0.append(Date(timeIntervalSinceReferenceDate: 0))
                    }
                }
                #expect(rows.rowCount == 4)
            }
            #expect(summary.inserted == 4)
            #expect(
                try await client.lines("SELECT id, amount, at IS NULL FROM t ORDER BY id") == [
                    "1,NULL,t", "3,3,f", "4,4.0,f", "5,5,f",
                ])
        }
    }

    @Test("is written from an asynchronous sequence, and by a type that writes itself")
    func otherForms() async throws {
        struct Own: RowEncodable {
            var id: Int
            var amount: String?
            static let columns = ["id", "amount"]
            func encode(to row: inout RowWriter) throws {
                try row.append(id)
                if let amount { try row.append(amount) } else { try row.appendNull() }
            }
        }
        try await withDatabase(setup: Self.setup) { client async throws in
            let rows = [Own(id: 1), Own(id: 2, amount: "2.5"), Own(id: 3), Own(id: 4, amount: "1e2")]
            let stored = ["1,NULL", "2,2.5", "3,NULL", "4,100"]
            _ = try await client.sync(Rows(rows), into: "t", scope: .all)
            #expect(try await client.lines("SELECT id, amount FROM t ORDER BY id") == stored)
            let stream = AsyncStream<Own> { continuation in
                for row in rows { continuation.yield(row) }
                continuation.finish()
            }
            let summary = try await client.sync(Rows(stream), into: "t", scope: .all)
            #expect(summary.unchanged == 4)
        }
    }
}
