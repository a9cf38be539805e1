import Testing

@testable import BulkSync

@Suite("A file of JSON objects")
struct JSONTests {
    @Test(
        "becomes lines of COPY",
        arguments: [
            ("{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n", ["1\tx", "2\ty"]),
            ("{\"a\":1,\"b\":\"x\"}\r\n{\"b\":\"y\",\"a\":2}", ["1\tx", "2\ty"]),
            (" [ {\"a\":1,\"b\":\"x\"} ,\n {\"a\":2, \"b\" : \"y\"}\n] \n", ["1\tx", "2\ty"]),
            ("[]", []),
            ("", []),
            ("\n \n", []),
            ("\u{FEFF}{\"a\":null,\"b\":true}{\"b\":false}", ["\\N\ttrue", "\\N\tfalse"]),
            ("{\"a\":1,\"b\":2}\n\n{}\n", ["1\t2", "\\N\t\\N"]),
            (
                "{\"a\":12345678901234567890.123456789012345678901234567890,\"b\":-0.10e+400}",
                ["12345678901234567890.123456789012345678901234567890\t-0.10e+400"]
            ),
            (
                "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"b\":\"\\u00e9\\uD83D\\uDE00\\u0041\"}",
                ["\"\\\\/\u{8}\u{C}\\n\\r\\t\té😀A"]
            ),
            ("{\"a\":\"é日😀\",\"b\":\"\\\\.\"}", ["é日😀\t\\\\."]),
            ("{\"a\":{\"x\": [1, \"\\n\"]},\"b\":[ ]}", ["{\"x\": [1, \"\\\\n\"]}\t[ ]"]),
            ("{\n  \"a\": 1,\n  \"b\": {\n \"c\": 2}\n}", ["1\t{\\n \"c\": 2}"]),
            ("{\"a\":\"\",\"b\":\"\\\\N\"}", ["\t\\\\N"]),
        ]
    )
    func lines(file: String, expected: [String]) async throws {
        for pieces in [1, 2, 3, 5, 1 << 20] {
            #expect(try await read(file, .jsonLines, pieces: pieces).lines == expected, "in pieces of \(pieces)")
        }
    }

    @Test("has the keys of the first object for columns")
    func columns() async throws {
        let reading = try await read("{\"b\":1,\"\\u0061\\n\":2}\n{\"a\\n\":3}", .jsonLines)
        #expect(reading.columns == ["b", "a\n"])
        #expect(reading.lines == ["1\t2", "\\N\t3"])
    }

    @Test("leaves out keys that are not among the columns given, and may call them otherwise")
    func selection() async throws {
        let file = "{\"telefon\":\"1\",\"x\":[{}]}\n{\"name\":\"n\",\"y\":\"\\u0061\",\"phone\":2}\n"
        let reading = try await read(file, .jsonLines, columns: ["name", "phone"], names: ["phone": "telefon"])
        #expect(reading.columns == ["name", "phone"])
        #expect(reading.lines == ["\\N\t1", "n\t\\N"])
        let all = try await read("{\"telefon\":1,\"x\":2}", .jsonLines, names: ["phone": "telefon"])
        #expect(all.columns == ["phone", "x"])
    }

    @Test("keeps JSON as JSON, and makes arrays of arrays, as the types of the columns ask for")
    func types() async throws {
        let table = [("j", 3802), ("t", 1009), ("n", 1007), ("p", 3807), ("x", 25)].map {
            StagedColumn(name: $0.0, type: $0.1)
        }
        let file = """
            {"j":"a\\n","t":["x,y","\\"","\\\\","null",null,"é\\n","{"],"n":[1,[2,null],[]],"p":["a",{"b":[1]},2],"x":["a"]}
            {"j":null,"t":"{a,b}","n":[],"p":null,"x":"y"}
            """
        let reading = try await read(file, .jsonLines, table: table)
        #expect(
            reading.lines == [
                #""a\\n""# + "\t" + #"{"x,y","\\"","\\\\","null",NULL,"é\n","{"}"# + "\t" + #"{1,{2,NULL},{}}"# + "\t"
                    + #"{"\\"a\\"","{\\"b\\":[1]}",2}"# + "\t" + #"["a"]"#,
                "\\N\t{a,b}\t{}\t\\N\ty",
            ]
        )
    }

    @Test("names the line of a row")
    func places() async throws {
        let file = "\n{\"a\":1}\n\n{\"a\":\n2}{\"a\":3}\r\n{\"a\":4}"
        for pieces in [1, 2, 3, 1 << 20] {
            #expect(
                try await read(file, .jsonLines, pieces: pieces).places == [2, 4, 5, 6].map { "line \($0) of test" })
        }
    }

    @Test(
        "is refused by its line where it is broken",
        arguments: [
            ("{\"a\":1}\n{\"a\":1,\"b\":2}", "line 2 of test, column b: the key \"b\" is not in the first object"),
            ("{\"a\":1}\n{\"a\":1,\"a\":2}", "line 2 of test, column a: the key \"a\" comes twice"),
            ("{\"a\":1,\"a\":2}", "line 1 of test, column a: two keys stand for this column"),
            ("{}", "line 1 of test: the first object has no keys"),
            ("{\"a\":1}\n{\"a\":", "line 2 of test, column a: the file ends in the middle of an object"),
            ("{\"a\":1}\n{\"a\":12", "line 2 of test, column a: the file ends in the middle of an object"),
            ("{\"a\":1}\n{\"a\":\"1", "line 2 of test, column a: the file ends in the middle of an object"),
            ("{\"a\":1}\n{\"a\":tru", "line 2 of test, column a: the file ends in the middle of an object"),
            ("[{\"a\":1}\n", "line 2 of test: the file ends in the middle of the array"),
            ("[{\"a\":1},\n]", "line 2 of test: a comma before the end of the array"),
            ("[{\"a\":1}\n{\"a\":1}]", "line 2 of test: a comma or the end of the array is missing"),
            ("[{\"a\":1}]\nx", "line 2 of test: more text after the end of the array"),
            ("{\"a\":1},\n", "line 1 of test: every row must be a JSON object"),
            ("[1]", "line 1 of test: every row must be a JSON object"),
            ("a,b\n1,2\n", "line 1 of test: every row must be a JSON object"),
            ("{a:1}", "line 1 of test: a key in quotes is missing"),
            ("{\"a\":1,}", "line 1 of test: a comma before the closing brace"),
            ("{\"a\":{\"b\":1, }}", "line 1 of test, column a: a comma before the closing brace"),
            ("{,}", "line 1 of test: a key in quotes is missing"),
            ("{\"a\" 1}", "line 1 of test, column a: a colon is missing after a key"),
            ("{\"a\":1 \"b\":1}", "line 1 of test, column a: a comma or a closing brace is missing after a value"),
            ("{\"a\":[1 2]}", "line 1 of test, column a: a comma or a closing bracket is missing after an element"),
            ("{\"a\":[1,]}", "line 1 of test, column a: a comma before the closing bracket"),
            ("{\"a\":[,]}", "line 1 of test, column a: a value is missing, or is no JSON"),
            ("{\"a\":01}", "line 1 of test, column a: a number begins with zero"),
            ("{\"a\":-}", "line 1 of test, column a: a digit is missing in a number"),
            ("{\"a\":1.}", "line 1 of test, column a: a digit is missing in a number"),
            ("{\"a\":1e}", "line 1 of test, column a: a digit is missing in a number"),
            ("{\"a\":NaN}", "line 1 of test, column a: a value is missing, or is no JSON"),
            ("{\"a\":nul}", "line 1 of test, column a: a value is no JSON"),
            ("{\"a\":\"x\ny\"}", "line 1 of test, column a: a string goes on beyond the end of the line"),
            ("{\"a\":\"x\ty\"}", "line 1 of test, column a: a string holds a control character"),
            ("{\"a\":\"\\x\"}", "line 1 of test, column a: a backslash in a string is followed by no known letter"),
            ("{\"a\":\"\\u12g4\"}", "line 1 of test, column a: \\u is not followed by four hexadecimal digits"),
            ("{\"a\":\"\\u0000\"}", "line 1 of test, column a: \\u0000, which the server's text cannot hold"),
            ("{\"a\":\"\\ud83d\"}", "line 1 of test, column a: half of a surrogate pair"),
            ("{\"a\":\"\\ude00x\"}", "line 1 of test, column a: half of a surrogate pair"),
            ("{\"a\":\"\\ud83d\\u0041\"}", "line 1 of test, column a: half of a surrogate pair"),
        ]
    )
    func broken(file: String, message: String) async throws {
        #expect(try await failure(file, .jsonLines).message == message)
    }

    @Test("is refused where a column that was asked for is in no object")
    func absent() async throws {
        let error = try await failure("{\"a\":1}\n{\"a\":2}", .jsonLines, columns: ["a", "b"])
        #expect(error.message == "test: no object has the key \"b\"")
        #expect(try await read("", .jsonLines, columns: ["a", "b"]).rows == 0)
    }

    @Test("is refused where a key comes twice, loaded or not")
    func repeatedKeys() async throws {
        for (file, key) in [
            ("{\"a\":1,\"x\":1,\"x\":2}", "x"), ("{\"x\":1}\n{\"x\":1,\"a\":1,\"\\u0078\":1}", "x"),
            ("{\"b\":1,\"b\":1}", "b"), ("{\"a\":1,\"a\":1}", "a"),
        ] {
            let error = try await failure(file, .jsonLines, columns: ["a"], names: ["a": key == "a" ? "a" : "b"])
            if key == "x" { #expect(error.message.hasSuffix("column x: the key \"x\" comes twice"), "\(file)") }
            #expect(error.message.hasSuffix("the key \"\(key)\" comes twice"), "\(file)")
            #expect(error.column == (key == "b" ? "a" : key))
        }
        #expect(try await read("{\"a\":1,\"x\":1}\n{\"x\":1,\"a\":1}", .jsonLines, columns: ["a"]).rows == 2)
    }

    @Test("is refused where it is no UTF-8, or nested too deep")
    func limits() async throws {
        let bytes = Array("{\"a\":1}\n{\"a\":\"é".utf8) + [0xE9] + Array("\"}".utf8)
        #expect(try await failure(bytes, .jsonLines).message == "line 2 of test, column a: bytes that are no UTF-8")
        let deep = "{\"a\":" + String(repeating: "[", count: 600) + String(repeating: "]", count: 600) + "}"
        #expect(
            try await failure(deep, .jsonLines).message
                == "line 1 of test, column a: values are nested more than 512 deep")
        let allowed = "{\"a\":" + String(repeating: "[", count: 500) + String(repeating: "]", count: 500) + "}"
        #expect(try await read(allowed, .jsonLines).rows == 1)
    }

    @Test("is read the same wherever it is cut", arguments: 1...60)
    func cut(pieces: Int) async throws {
        let file = "[\n{\"ä\":1,\"b\":\"\\uD83D\\uDE00\"},\r\n{\"b\":{\"x\":[1,2,\"}\"]},\n\"ä\":-1.5e3}\n,{}]\n"
        let whole = try await read(file, .jsonLines)
        #expect(whole.rows == 3)
        #expect(try await read(file, .jsonLines, pieces: pieces) == whole)
    }
}
