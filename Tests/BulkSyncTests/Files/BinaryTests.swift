import Foundation
import Testing

@testable import BulkSync

@Suite("A binary file")
struct BinaryTests {
    static let header = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    static let row: [UInt8] = [0, 2, 0, 0, 0, 3, 1, 2, 3, 0xFF, 0xFF, 0xFF, 0xFF]
    static let table = ["a", "b"].map { StagedColumn(name: $0, type: 25) }

    @Test("is sent as it is, and its rows are counted", arguments: [1, 2, 3, 7, 1 << 20])
    func passesThrough(pieces: Int) async throws {
        for rows in 0...3 {
            let file = Self.header + Array(repeatElement(Self.row, count: rows).joined()) + [0xFF, 0xFF]
            let reading = try await read(file, .binary, table: Self.table, pieces: pieces)
            #expect(reading.text == Data(file).base64EncodedString())
            #expect(reading.rows == rows)
            #expect(reading.columns == nil)
            #expect(reading.places == (0..<rows).map { "row \($0 + 1) of test" })
        }
    }

    @Test("may have a longer header, and columns that are named")
    func variants() async throws {
        var header = Self.header
        header[18] = 2
        let file = header + [7, 7] + Self.row + [0xFF, 0xFF]
        let reading = try await read(file, .binary, columns: ["b", "a"])
        #expect(reading.text == Data(file).base64EncodedString())
        #expect(reading.columns == ["b", "a"])
    }

    static let refused: [([UInt8], String)] = [
        ([], "test: the file ends in its header"),
        (Array("a,b\n1,2\n".utf8), "test: the file does not begin like a binary COPY"),
        (Array(header.prefix(12)), "test: the file ends in its header"),
        (
            Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            "test: the header has flags that are not supported, such as object ids"
        ),
        (header, "test: the file ends without the end mark, at byte 19 after 0 rows"),
        (header + row, "test: the file ends without the end mark, at byte 32 after 1 rows"),
        (header + row + [0], "test: the file ends in row 2, which begins at byte 32"),
        (header + row + row.dropLast(), "test: the file ends in row 2, which begins at byte 32"),
        (header + row + [0xFF, 0xFF, 0], "test: more bytes after the end mark, at byte 34"),
        (header + row + [0, 3, 0, 0], "test: row 2 at byte 32 has 3 fields instead of 2"),
        (header + [0, 2, 0xFF, 0xFF, 0xFF, 0xFE], "test: field 1 of row 1 at byte 21 has a negative length"),
    ]

    @Test("is refused where its framing is broken", arguments: refused)
    func broken(file: [UInt8], message: String) async throws {
        let error = try await failure(file, .binary, table: Self.table)
        #expect(error.message == message)
        #expect(error.code == .malformedFile)
    }

    @Test("has no names to rename")
    func names() async throws {
        #expect(try await failure(Self.header, .binary, names: ["a": "b"]).code == .invalidArgument)
    }
}
