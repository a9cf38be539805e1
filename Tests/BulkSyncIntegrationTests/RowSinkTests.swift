import Foundation
import Testing

@testable import BulkSync

@Suite("The sink of a closure that writes rows", .needsServer)
struct RowSinkTests {
    static let table = "CREATE TABLE t (id int PRIMARY KEY)"

    /// Keeps a sink longer than it is meant to live.
    final class Kept {
        var sink: RowSink?
    }

    @Test("refuses rows after the closure has ended")
    func afterwards() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let kept = Kept()
            try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                kept.sink = rows
                try await rows.append { try $0.append(1) }
            }
            let sink = try #require(kept.sink)
            let error = try await failure { try await sink.append { try $0.append(2) } }
            #expect(error.code == .misuse)
            // Nor do its rows come into another operation.
            try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                try await rows.append { try $0.append(3) }
                for id in 4..<100_000 { try? await sink.append { try $0.append(id) } }
            }
            #expect(try await client.lines("SELECT * FROM t") == ["3"])
        }
    }

    @Test("keeps the server's first error for the operation when the closure catches it")
    func caught() async throws {
        try await withDatabase(setup: Self.table) { client async throws in
            let error = try await failure {
                try await client.sync(columns: ["id"], into: "t", scope: .all) { rows in
                    for id in 1...200_000 {
                        try? await rows.append { try $0.append(id == 1 ? "one" : String(id)) }
                    }
                }
            }
            #expect(error.code == "22P02")
            #expect(error.row == 1)
            #expect(error.column == "id")
            #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
            #expect(try await client.sync([["id": 1]], into: "t", scope: .all).inserted == 1)
        }
    }

    @Test("calls the closure of a row once, the first row's as well", arguments: ["binary", "text"])
    func once(format: String) async throws {
        let setup = """
            CREATE TABLE t (id int PRIMARY KEY, flag bool, big numeric, ratio float8, single float4, amount numeric, name text,
                part text, at timestamptz, uuid uuid, bytes bytea, day date, clock time, span interval, doc jsonb,
                list int[], holes text[], nothing text\(format == "text" ? ", address inet" : ""))
            """
        try await withDatabase(setup: setup) { client async throws in
            var calls = 0
            var columns = [
                "id", "flag", "big", "ratio", "single", "amount", "name", "part", "at", "uuid", "bytes", "day", "clock",
                "span",
                "doc", "list", "holes", "nothing",
            ]
            if format == "text" { columns.append("address") }
            try await client.sync(columns: columns, into: "t", scope: .all) { rows in
                for _ in 0..<3 {
                    try await rows.append { row in
                        calls += 1
                        try row.append(calls)
                        try row.append(calls == 1)
                        try row.append(UInt64.max)
                        try row.append(0.5)
                        try row.append(Float(0.25))
                        try row.append(Decimal(string: "1.25"))
                        try row.append("a\tb")
                        try row.append("part"[...])
                        try row.append(Date(timeIntervalSince1970: 0))
                        try row.append(UUID(uuidString: "00000000-0000-0000-0000-000000000001"))
                        try row.append(Data([1, 255]))
                        try row.append(PostgresDate(year: 2026, month: 1, day: 2))
                        try row.append(PostgresTime(hour: 1, minute: 2))
                        try row.append(PostgresInterval(months: 1))
                        try row.append(json: ["key": calls])
                        try row.append([calls, 7])
                        try row.append(["x", nil] as [String?])
                        try row.appendNull()
                        if format == "text" { try row.append("10.0.0.1") }
                    }
                }
            }
            #expect(calls == 3)
            let stored = try await client.lines("SELECT * FROM t ORDER BY id")
            let first = """
                1,t,18446744073709551615,0.5,0.25,1.25,a\tb,part,1970-01-01 00:00:00+00,\
                00000000-0000-0000-0000-000000000001,\\x01ff,2026-01-02,01:02:00,P1M,{"key": 1},{1,7},{x,NULL},NULL\
                \(format == "text" ? ",10.0.0.1" : "")
                """
            #expect(stored.first == first)
            #expect(stored.map { $0.prefix(3) } == ["1,t", "2,f", "3,f"])
        }
    }

    @Test("asks the next row for the format when the first one could not be written")
    func firstRowFails() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, name text)") { client async throws in
            struct Unfit: Error {}
            try await client.sync(columns: ["id", "name"], into: "t", scope: .all) { rows in
                await #expect(throws: Unfit.self) {
                    try await rows.append {
                        try $0.append(1)
                        throw Unfit()
                    }
                }
                try await rows.append {
                    try $0.append("2")
                    try $0.append("two")
                }
            }
            #expect(try await client.lines("SELECT * FROM t") == ["2,two"])
        }
    }
}
