import Foundation
import Testing

@testable import BulkSync

@Suite("Syncing a file", .needsServer)
struct FileSyncTests {
    @Test("gives each value to the server as its column needs it")
    func types() async throws {
        let setup = """
            CREATE TYPE mood AS ENUM ('sad', 'happy');
            CREATE TABLE t (
                id bigint PRIMARY KEY, n numeric, j jsonb, k json, tags text[], nums int[], docs jsonb[], m mood, d date,
                b bytea, flag bool, note text);
            """
        try await withDatabase(setup: setup) { client in
            let file = #"""
                {"id":9007199254740993,"n":1.10,"j":"text","k":{"b": 1,"a":[1.0]},"tags":["a,b","\"q\"",null,"NULL","\\"],
                 "nums":[[1,2],[3,4]],"docs":[{"a":"}"},"s"],"m":"happy","d":"2026-01-31","b":"\\xff00","flag":true,
                 "note":{"a": "\t\n"}}
                {"id":2,"note":"\\N\\.\u0041","j":null,"tags":[]}
                """#
            try await withFile("t.jsonl", file) { path in
                let summary = try await client.sync(.file(path), into: "t", scope: .all)
                #expect(summary == SyncSummary(staged: 2, inserted: 2))
                let again = try await client.sync(.file(path), into: "t", scope: .all)
                #expect(again == SyncSummary(staged: 2, unchanged: 2))
            }
            #expect(
                try await client.query(
                    """
                    SELECT id, n, j, k, tags, nums, docs[1] ->> 'a', docs[2], m, d, encode(b, 'hex'), flag, note FROM t
                    ORDER BY id DESC
                    """
                ) == [
                    [
                        "9007199254740993", "1.10", "\"text\"", "{\"b\": 1,\"a\":[1.0]}",
                        #"{"a,b","\"q\"",NULL,"NULL","\\"}"#,
                        "{{1,2},{3,4}}", "}", "\"s\"", "happy", "2026-01-31", "ff00", "t", #"{"a": "\t\n"}"#,
                    ],
                    ["2", nil, nil, nil, "{}", nil, nil, nil, nil, nil, nil, nil, "\\N\\.A"],
                ]
            )
        }
    }

    @Test("keeps awkward text as it is")
    func text() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, a text, b text)") { client in
            let parts = ["\\", "\\.", "\\N", "\"", ",", "\n", "\r", "\t", "é", "😀", " ", "x", "\u{8}", "\u{1}"]
            let values: [String?] = [nil, ""] + parts + parts.flatMap { first in parts.map { first + $0 } }
            func quoted(_ value: String?) -> String {
                value.map { "\"\($0.replacing("\"", with: "\"\""))\"" } ?? ""
            }
            let lines = values.enumerated().map { "\($0),\(quoted($1)),\(quoted(values[values.count - 1 - $0]))" }
            let file = "id,a,b\r\n" + lines.joined(separator: "\r\n")
            let chunks = AsyncStream<Data> { continuation in
                for start in stride(from: 0, to: file.utf8.count, by: 7) {
                    continuation.yield(Data(Array(file.utf8)[start..<min(start + 7, file.utf8.count)]))
                }
                continuation.finish()
            }
            try await client.sync(Rows(FileRows(chunks: chunks, format: .csv())), into: "t", scope: .all)
            let stored = try await client.query("SELECT a, b FROM t ORDER BY id")
            #expect(stored == zip(values, values.reversed()).map { [$0, $1] })
        }
    }

    @Test("names the line of a value that the server refuses, far into the file")
    func place() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, a text)") { client in
            var file = "id,a\n"
            for id in 0..<100_000 {
                file += id == 90_000 ? "zero,\"\n\"\n" : "\(id),\"\n\"\n"
            }
            try await withFile("t.csv", file) { path in
                let error = try await failure { try await client.sync(.file(path), into: "t", scope: .all) }
                #expect(error.code == "22P02")
                #expect(error.message.hasSuffix("(line 180002 of t.csv, column id)"))
                #expect(error.column == "id")
                #expect(error.row == 90_001)
                #expect(!error.description.contains("zero"))
                #expect(error.description.contains("line 180002 of t.csv"))
            }
            #expect(try await client.lines("SELECT count(*) FROM t") == ["0"])
        }
    }

    @Test("throws the error of a stream, and changes nothing")
    func brokenStream() async throws {
        struct Broken: Error {}
        let setup = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
        try await withDatabase(setup: setup) { (client) async throws in
            let chunks = AsyncThrowingStream<[UInt8], any Error> { continuation in
                continuation.yield(Array("id\n2\n".utf8))
                continuation.finish(throwing: Broken())
            }
            await #expect(throws: Broken.self) {
                try await client.sync(Rows(FileRows(chunks: chunks, format: .csv())), into: "t", scope: .all)
            }
            #expect(try await client.lines("SELECT id FROM t") == ["1"])
            #expect(await client.isOpen)
        }
    }

    @Test("refuses a header that the table does not have, with a hint")
    func header() async throws {
        try await withDatabase(setup: "CREATE TABLE t (id int PRIMARY KEY, name text)") { client in
            try await withFile("t.csv", "id,nane\n1,x\n") { path in
                let error = try await failure { try await client.sync(.file(path), into: "t", scope: .all) }
                #expect(error.code == .undefinedColumn)
                #expect(error.hint?.contains("name") == true)
            }
        }
    }
}
