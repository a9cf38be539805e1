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
}
