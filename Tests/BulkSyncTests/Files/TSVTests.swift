import Testing

@testable import BulkSync

@Suite("A TSV file")
struct TSVTests {
    @Test(
        "becomes lines of COPY, which it is made of",
        arguments: [
            ("a\tb\n1\t2\n", ["1\t2"]),
            ("a\tb\n1\t2", ["1\t2"]),
            ("a\tb\r\n1\t\\N\r\n\t\r\n", ["1\t\\N", "\t"]),
            ("a\tb\n\\\\N\t\\t\\n\\r\\b\\f\\v\\101\\7\\x41\\x7\n", ["\\\\N\t\\t\\n\\r\\b\\f\\v\\101\\7\\x41\\x7"]),
            ("a\tb\n\"x\"\t,\n\n1\té\n", ["\"x\"\t,", "1\té"]),
            ("a\tb\n1\t2\n\\.\n", ["1\t2"]),
            ("a\tb\n1\t2\n\\.", ["1\t2"]),
            ("a\tb\n1\t2\n\\.\r\n", ["1\t2"]),
            ("a\n\\N\n\n\\\\.\n", ["\\N", "", "\\\\."]),
            ("\u{FEFF}a\n\\N", ["\\N"]),
        ]
    )
    func lines(file: String, expected: [String]) async throws {
        for pieces in [1, 2, 3, 5, 1 << 20] {
            #expect(try await read(file, .tsv(), pieces: pieces).lines == expected, "in pieces of \(pieces)")
        }
    }

    @Test("may have another text for NULL")
    func null() async throws {
        #expect(try await read("a\tb\n\tx\n\\N\tnull\n", .tsv(null: "")).lines == ["\\N\tx", "\\N\tnull"])
        #expect(try await read("a\tb\nnull\tnulls\n", .tsv(null: "null")).lines == ["\\N\tnulls"])
    }

    @Test("has the header that COPY writes")
    func header() async throws {
        let reading = try await read("a\\tb\tc\\\\d\té\n1\t2\t3\n", .tsv(), columns: ["é", "c\\d"])
        #expect(reading.columns == ["c\\d", "é"])
        #expect(reading.lines == ["2\t3"])
    }

    @Test("names the line of a row")
    func places() async throws {
        #expect(try await read("a\tb\n1\t2\n\n\r\n3\t4\n", .tsv()).places == ["line 2 of test", "line 5 of test"])
    }

    @Test(
        "is refused where it is broken",
        arguments: [
            (
                "a\tb\nC:\\Users\t1\n",
                "line 2 of test, column a: a backslash that is no escape of COPY's text format"
            ),
            ("a\tb\n1\tx\\N\n", "line 2 of test, column b: a backslash that is no escape of COPY's text format"),
            ("a\tb\n\\Nx\t1\n", "line 2 of test, column a: a backslash that is no escape of COPY's text format"),
            ("a\tb\n1\t2\\", "line 2 of test, column b: a backslash that is no escape of COPY's text format"),
            ("a\tb\n1\t2\\\n", "line 2 of test, column b: a backslash that is no escape of COPY's text format"),
            ("a\tb\n1\t\\xg\n", "line 2 of test, column b: a backslash that is no escape of COPY's text format"),
            ("a\tb\n1\t\\.\n", "line 2 of test, column b: a backslash that is no escape of COPY's text format"),
            ("a\tb\n\\.\n1\t2\n", "line 3 of test: more lines after the end of the data, which is the line \"\\.\""),
            ("a\tb\n1\n", "line 2 of test, column b: the row has 1 field instead of 2"),
            ("a\tb\n1\t2\t3\n", "line 2 of test: the row has more than 2 fields"),
            ("a\tb\n1\t2\u{0}\n", "line 2 of test, column b: a zero byte"),
            ("", "test: the file is empty, without even a header"),
        ]
    )
    func broken(file: String, message: String) async throws {
        #expect(try await failure(file, .tsv()).message == message)
    }

    @Test("is read the same wherever it is cut", arguments: 1...40)
    func cut(pieces: Int) async throws {
        let file = "näme\tb\r\na\\\\b\t\\N\r\n\n\\x41\\101\t😀\r日本\tok\n\n1\t\\N\n\\.\n"
        let whole = try await read(file, .tsv())
        #expect(whole.rows == 4)
        #expect(try await read(file, .tsv(), pieces: pieces) == whole)
    }
}
