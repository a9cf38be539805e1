import Testing

@testable import BulkSync

@Suite("A CSV file")
struct CSVTests {
    @Test(
        "becomes lines of COPY",
        arguments: [
            ("a,b\n1,2\n", ["1\t2"]),
            ("a,b\n1,2", ["1\t2"]),
            ("a,b\r\n1,2\r\n3,4\r\n", ["1\t2", "3\t4"]),
            ("a,b\r1,2\r3,4", ["1\t2", "3\t4"]),
            ("a,b\n1,2\r\n3,4\r5,6\n", ["1\t2", "3\t4", "5\t6"]),
            ("a,b\n", []),
            ("a,b", []),
            ("\u{FEFF}a,b\n1,2\n", ["1\t2"]),
            ("a,b\n,\"\"\n", ["\\N\t"]),
            ("a,b\n\"\",\n", ["\t\\N"]),
            ("a,b\n\"x, \"\"y\"\"\",\"\"\"\"\n", ["x, \"y\"\t\""]),
            ("a,b\n\"1\n2\",\"1\r\n2\"\n", ["1\\n2\t1\\r\\n2"]),
            ("a,b\n\"1\r2\",\"\r\n\"\r\n", ["1\\r2\t\\r\\n"]),
            ("a,b\n\\.,\\N\n", ["\\\\.\t\\\\N"]),
            ("a\n\\.\n1\n", ["\\\\.", "1"]),
            ("a,b\na\tb,c\\d\n", ["a\\tb\tc\\\\d"]),
            ("a,b\n x ,\" y \"\n", [" x \t y "]),
            ("a,b\n1,2\n\n3,4\n\n\r\n", ["1\t2", "3\t4"]),
            ("a\n1\n\n2\n", ["1", "\\N", "2"]),
            ("a\n\"\"\n", [""]),
            ("a,b\nž,日本\n😀,é\n", ["ž\t日本", "😀\té"]),
            ("\"a\",\"b\"\n\"1\",\"2\"", ["1\t2"]),
            ("a,b\n1,\"2\"", ["1\t2"]),
            ("a,b\n1,", ["1\t\\N"]),
            ("a,b\n\"\",\"\"", ["\t"]),
        ]
    )
    func lines(file: String, expected: [String]) async throws {
        for pieces in [1, 2, 3, 5, 1 << 20] {
            let reading = try await read(file, .csv(), pieces: pieces)
            #expect(reading.lines == expected, "in pieces of \(pieces)")
            #expect(reading.rows == expected.count)
        }
    }

    @Test("may have other delimiters, quotes and texts for NULL")
    func dialects() async throws {
        #expect(try await read("a;b\n1,5;'x;''y'''\n", .csv(delimiter: ";", quote: "'")).lines == ["1,5\tx;'y'"])
    }

    @Test("without quoting takes a quote for a character")
    func noQuote() async throws {
        #expect(try await read("a\tb\n\"1\tx\"y\n", .csv(delimiter: "\t", quote: nil)).lines == ["\"1\tx\"y"])
    }

    @Test("with tabs for delimiters keeps a quoted tab")
    func tabs() async throws {
        #expect(try await read("a\tb\n\"1\t2\"\tx\n", .csv(delimiter: "\t")).lines == ["1\\t2\tx"])
    }

    @Test("with backslashes for delimiters keeps a quoted one")
    func backslashes() async throws {
        #expect(try await read("a\\b\n\"1\\2\"\\x\n", .csv(delimiter: "\\")).lines == ["1\\\\2\tx"])
    }

    @Test("tells a text for NULL from the same text in quotes")
    func nullText() async throws {
        let reading = try await read("a,b,c\nNULL,\"NULL\",\nNUL,NULLS,\\N\n", .csv(null: "NULL"))
        #expect(reading.lines == ["\\N\tNULL\t", "NUL\tNULLS\t\\\\N"])
        #expect(try await read("a,b\n\\N,\"\\N\"\n", .csv(null: "\\N")).lines == ["\\N\t\\\\N"])
        #expect(try await read("a,b\nné,\"né\"\n", .csv(null: "né")).lines == ["\\N\tné"])
    }

    @Test("names its columns in the header, which may quote them")
    func header() async throws {
        #expect(try await read("name,\"Full, \"\"name\"\"\",ča\n", .csv()).columns == ["name", "Full, \"name\"", "ča"])
        #expect(try await read("a\tb,c\\d,\"x\ny\"\n", .csv()).columns == ["a\tb", "c\\d", "x\ny"])
    }

    @Test("may call a column otherwise, and hold columns that are not loaded")
    func selection() async throws {
        let file = "telefon,x,name\n1,2,3\n,,\n"
        let reading = try await read(file, .csv(), columns: ["name", "phone"], names: ["phone": "telefon"])
        #expect(reading.columns == ["phone", "name"])
        #expect(reading.lines == ["1\t3", "\\N\t\\N"])
        let all = try await read(file, .csv(), names: ["phone": "telefon"])
        #expect(all.columns == ["phone", "x", "name"])
        let swapped = try await read("a,b\n1,2\n", .csv(), names: ["a": "b", "b": "a"])
        #expect(swapped.columns == ["b", "a"])
        let other = try await read("a,b\n1,2\n", .csv(), columns: ["a"], names: ["a": "b"])
        #expect(other.lines == ["2"])
        let leftOut = try await read("a,,a\n1,2,3\n", .csv(), columns: ["b"], names: ["b": ""])
        #expect(leftOut.lines == ["2"])
    }

    @Test("without a header has the columns of the table, or those given")
    func noHeader() async throws {
        let table = ["x", "y"].map { StagedColumn(name: $0, type: 25) }
        let reading = try await read("1,2\n3,4\n", .csv(header: false), table: table)
        #expect(reading.columns == nil)
        #expect(reading.lines == ["1\t2", "3\t4"])
        #expect(try await read("1,2", .csv(header: false), columns: ["b", "a"]).columns == ["b", "a"])
        #expect(try await read("", .csv(header: false), columns: ["b", "a"]).rows == 0)
    }

    @Test("names the line of a row, whatever stands before it")
    func places() async throws {
        let file = "a,\"b\n\"\n1,2\n\n\"x\r\ny\",4\r\n5,6\r\"\n\n\n\",8\n9,10"
        for pieces in [1, 2, 3, 1 << 20] {
            let reading = try await read(file, .csv(), pieces: pieces)
            #expect(reading.places == [3, 5, 7, 8, 12].map { "line \($0) of test" })
        }
    }

    @Test(
        "is refused by line and column where it is broken",
        arguments: [
            ("a,b\n1,2\n3\n", "line 3 of test, column b: the row has 1 field instead of 2"),
            ("a,b,c\n1,2\n", "line 2 of test, column c: the row has 2 fields instead of 3"),
            ("a,b\n1,2\n3,4,5\n", "line 3 of test: the row has more than 2 fields"),
            ("a,b\n1,\"2\n3\",4\n", "line 3 of test: the row has more than 2 fields"),
            ("a,b\n1,2\n\"3,4\n5,6\n", "line 3 of test, column a: the quote is not closed at the end of the file"),
            ("a,b\n1,\"2\"x\n", "line 2 of test, column b: text after the closing quote"),
            ("a,b\n1,\"2\" \n", "line 2 of test, column b: text after the closing quote"),
            ("a,b\n1,2\"\n", "line 2 of test, column b: a quote inside a field that is not quoted"),
            ("a,b\n1, \"2\"\n", "line 2 of test, column b: a quote inside a field that is not quoted"),
            ("a,b\n1,2\u{0}\n", "line 2 of test, column b: a zero byte"),
            ("a,b\n\"\n\u{0}\",2\n", "line 3 of test, column a: a zero byte"),
            ("a,b,a\n", "line 1 of test, column a: two names in the header stand for this column"),
            ("a,,c\n", "line 1 of test: the name of column 2 is empty"),
            ("a,b,\n", "line 1 of test: the name of column 3 is empty"),
            ("\n1\n", "line 1 of test: the name of column 1 is empty"),
            ("", "test: the file is empty, without even a header"),
            ("\u{FEFF}", "test: the file is empty, without even a header"),
        ]
    )
    func broken(file: String, message: String) async throws {
        #expect(try await failure(file, .csv()).message == message)
    }

    @Test(
        "is refused where it is no UTF-8",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xC3, 0xA9, 0xE9],
        ] as [[UInt8]]
    )
    func encoding(bytes: [UInt8]) async throws {
        let file = Array("a,b\n1,2\nž,".utf8)
        for ending in [Array("\n".utf8), [], Array("\"\n".utf8)] {
            let quote = ending.count == 2 ? Array("\"".utf8) : []
            let error = try await failure(file + quote + bytes + ending, .csv())
            #expect(error.message == "line 3 of test, column b: bytes that are no UTF-8")
            #expect(error.code == .invalidEncoding)
        }
    }

    @Test("in another encoding, or compressed, is recognised")
    func recognised() async throws {
        let utf16: [UInt8] = [0xFF, 0xFE, 0x61, 0x00]
        #expect(try await failure(utf16, .csv()).message == "test: the file is UTF-16")
        #expect(try await failure([0x1F, 0x8B, 8, 0], .csv()).message == "test: the file is compressed")
        for (order, first, second) in [("LE", 1, 0), ("BE", 0, 1)] {
            let bytes = "a,b\n1,2\n".utf8.flatMap { [$0 * UInt8(first), $0 * UInt8(second)] }
            for format in [.csv(), .tsv(), .jsonLines] as [FileFormat] {
                let error = try await failure(bytes, format)
                #expect(error.message == "test: the file is UTF-16")
                #expect(error.code == .invalidEncoding)
                #expect(error.hint == "Convert it: iconv -f UTF-16\(order) -t UTF-8")
            }
        }
        #expect(try await failure("ž\u{0}", .csv()).hint?.contains("UTF-16") == true)
    }

    @Test("with another delimiter in the one name of its header is refused with that delimiter")
    func otherDelimiter() async throws {
        for (file, format, option) in [
            ("a;b\n1;2\n", .csv(), "';'"), ("a\tb\n", .csv(), "tab"), ("a,b", .csv(delimiter: ";"), "','"),
        ] as [(String, FileFormat, String)] {
            let error = try await failure(file, format)
            #expect(error.code == .malformedFile)
            #expect(error.message.hasPrefix("line 1 of test: the header is one name that holds "))
            #expect(error.hint?.hasPrefix("Did you mean --delimiter \(option)?") == true)
        }
        // A column that is really called so.
        #expect(try await read("a;b\n1\n", .csv(), columns: ["a;b"]).lines == ["1"])
        #expect(try await read("a;b\n1\n", .csv(), names: ["a": "a;b"]).columns == ["a"])
        #expect(try await read("\"a;b\"\n1\n", .csv()).columns == ["a;b"])
        #expect(try await read("a;b,c\n1,2\n", .csv()).columns == ["a;b", "c"])
        #expect(try await read("1;2\n", .csv(header: false), columns: ["a"]).lines == ["1;2"])
    }

    @Test("that begins with Excel's announcement of a delimiter is refused by that")
    func announcement() async throws {
        for (line, delimiter, option) in [
            ("sep=;", ";", "';'"), ("sep=;", ",", "';'"), ("SEP=,\r", ",", "','"), ("sep=\t", "\t", "tab"),
            ("\"sep=;\"", ",", "';'"),
        ] as [(String, Character, String)] {
            let error = try await failure("\(line)\na;b\n1;2\n", .csv(delimiter: delimiter))
            #expect(error.message == "line 1 of test: the line announces the delimiter to Excel, and is no header")
            #expect(error.hint == "Leave it out: tail -n +2 FILE | bulk-sync sync - --delimiter \(option) …")
        }
        #expect(try await read("sep=\n1\n", .csv()).columns == ["sep="])
    }

    @Test("is refused where columns are missing or meant twice")
    func columns() async throws {
        let missing = try await failure("a,b\n", .csv(), columns: ["a", "c"])
        #expect(missing.message == "line 1 of test: there is no \"c\" in the header")
        #expect(missing.code == .undefinedColumn)
        let renamed = try await failure("a,b\n", .csv(), names: ["c": "x"])
        #expect(renamed.message == "line 1 of test: there is no \"x\" in the header")
        let own = try await failure("id,v\n", .csv(), names: ["v": "v2"])
        #expect(own.message == "line 1 of test: there is no \"v2\" in the header")
        #expect(own.code == .undefinedColumn)
        let both = try await failure("a,b\n", .csv(), names: ["a": "b"])
        #expect(both.code == .malformedFile)
        #expect(both.message == "line 1 of test, column a: two names in the header stand for this column")
        let twice = try await failure("a,b\n", .csv(), columns: ["a", "a"])
        #expect(twice.code == .duplicateColumn)
        let source = try await failure("a,b\n", .csv(), names: ["x": "a", "y": "a"])
        #expect(source.message == "\"a\" in the file cannot be column \"x\" and column \"y\"")
        let none = try await failure("a,b\n", .csv(), columns: [])
        #expect(none.code == .invalidArgument)
        let unnamed = try await failure("1,2\n", .csv(header: false), names: ["a": "b"])
        #expect(unnamed.code == .invalidArgument)
    }

    @Test(
        "cannot have every character for a delimiter",
        arguments: ["\n", "\r\n", "é", "\"", "\0"] as [Character]
    )
    func delimiters(delimiter: Character) async throws {
        #expect(try await failure("a\n", .csv(delimiter: delimiter)).code == .invalidArgument)
    }

    @Test("cannot have a text for NULL that ends a field")
    func nulls() async throws {
        #expect(try await failure("a\n", .csv(null: "a,b")).code == .invalidArgument)
        #expect(try await failure("a\n", .csv(null: "\"\"")).code == .invalidArgument)
    }

    @Test("is read the same wherever it is cut", arguments: 1...70)
    func cut(pieces: Int) async throws {
        let file = "näme,\"b\"\r\n\"a\"\"\r\nb\\\",\r\n\r\n\"😀,\n\",x\ty\n\\.,\"\"\r日本,ok\n\n1,\"2\""
        let whole = try await read(file, .csv())
        #expect(whole.rows == 5)
        #expect(try await read(file, .csv(), pieces: pieces) == whole)
    }

    @Test("keeps random values as they are", arguments: 0..<40)
    func random(seed: UInt64) async throws {
        var generator = SplitMix(state: seed)
        let alphabet = ["a", "1", "\"", ",", "\n", "\r", "\\", "\t", ".", "N", "é", "😀", " ", "\u{8}", ";", "x"]
        let width = Int.random(in: 1...5, using: &generator)
        let rows: [[String?]] = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
            (0..<width).map { _ in
                if Int.random(in: 0..<5, using: &generator) == 0 { return nil }
                return (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                }.joined()
            }
        }
        // An empty line between two line ends of different kinds could be no line.
        let ends = width == 1 ? ["\n"] : ["\n", "\r\n", "\r"]
        var file = (0..<width).map { "c\($0)" }.joined(separator: ",") + "\n"
        for row in rows {
            let fields = row.map { value in
                guard let value else { return "" }
                let plain = !value.isEmpty && !value.utf8.contains { Array("\",\n\r".utf8).contains($0) }
                if plain && Bool.random(using: &generator) { return value }
                return "\"" + value.replacing("\"", with: "\"\"") + "\""
            }
            file += fields.joined(separator: ",") + ends[Int.random(in: 0..<ends.count, using: &generator)]
        }
        let pieces = Int.random(in: 1...40, using: &generator)
        let reading = try await read(file, .csv(), pieces: pieces)
        let values = reading.lines.map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { field in
                field == "\\N"
                    ? nil
                    : field.utf8.withContiguousStorageIfAvailable {
                        CopyText.unescape(UnsafeRawBufferPointer($0))
                    }
            }
        }
        #expect(values == rows)
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
