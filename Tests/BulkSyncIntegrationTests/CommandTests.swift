import Foundation
import Testing

@testable import BulkSync

private let setup = """
    CREATE TABLE employee (
        company_id int NOT NULL DEFAULT 501, name text NOT NULL, phone text, age int CHECK (age > 0),
        PRIMARY KEY (company_id, name));
    INSERT INTO employee VALUES (501, 'Ann', '1', 30), (501, 'Carl', NULL, 58), (7, 'Zed', '9', 9);
    """

private let everyone = "SELECT company_id, name, phone, age FROM employee ORDER BY 1, 2"

@Suite("The command", .needsServer)
struct CommandTests {
    private let usual = ["--into", "employee", "--key", "name", "--scope-value", "company_id=501"]

    @Test("syncs a file and prints the counts, and nothing else in a pipe")
    func sync() async throws {
        try await withDatabase(setup: setup) { client in
            try await withFile("employees.csv", "name,phone,age\nAnn,1,31\nBob,,42\n") { file in
                let command = try await Command.run(["sync", file] + usual, in: client)
                #expect(command.output == "1 inserted, 1 updated, 1 deleted, 0 unchanged\n")
                #expect(command.errors == "")
                #expect(command.status == 0)
                #expect(try await client.lines(everyone) == ["7,Zed,9,9", "501,Ann,1,31", "501,Bob,NULL,42"])
                let again = try await Command.run([file, "--json"] + usual, in: client)
                #expect(
                    again.output == """
                        {"deleted":0,"dry_run":false,"inserted":0,"skipped":0,"staged":2,"unchanged":2,"updated":0}\n
                        """
                )
                let quiet = try await Command.run([file, "-q"] + usual, in: client)
                #expect(quiet.output == "" && quiet.errors == "" && quiet.status == 0)
            }
        }
    }

    @Test("loads all rows of a file with a line that ends COPY data")
    func endOfData() async throws {
        try await withDatabase(setup: "CREATE TABLE word (word text)") { client in
            let file = "word\na\n\\.\nb\n\"\\.\"\n"
            let command = try await Command.run(
                ["-", "--into", "word", "--key", "word", "--scope", "true", "--duplicates", "last"], input: file,
                in: client)
            #expect(command.output == "3 inserted, 0 updated, 0 deleted, 0 unchanged, 1 skipped\n")
            #expect(try await client.lines("SELECT word FROM word ORDER BY 1") == ["\\.", "a", "b"])
        }
    }

    @Test("counts in a dry run, and writes nothing")
    func dryRun() async throws {
        try await withDatabase(setup: setup) { client in
            let before = try await client.lines(everyone)
            let file = "name,phone,age\nAnn,1,31\n"
            let command = try await Command.run(["-", "--dry-run"] + usual, input: file, in: client)
            #expect(command.output == "dry run: 0 inserted, 1 updated, 1 deleted, 0 unchanged\n")
            let json = try await Command.run(["-", "--dry-run", "--json"] + usual, input: file, in: client)
            #expect(json.output.contains("\"dry_run\":true"))
            #expect(try await client.lines(everyone) == before)
        }
    }

    @Test("compares: readable, as JSON, and by its exit status")
    func compare() async throws {
        try await withDatabase(setup: setup) { client in
            try await withFile("employees.csv", "name,phone,age\nAnn,1,31\nBob,,42\n") { file in
                let before = try await client.lines(everyone)
                let command = try await Command.run(["compare", file] + usual, in: client)
                #expect(command.status == 0 && command.errors == "")
                #expect(
                    command.lines.sorted()
                        == [
                            "+ name: \"Bob\" | age: 42, phone: null, company_id: 501",
                            "- name: \"Carl\" | age: 58, phone: null, company_id: 501",
                            "1 to insert, 1 to update, 1 to delete",
                            "~ name: \"Ann\" | age: 30 → 31",
                        ].sorted()
                )
                let json = try await Command.run(["compare", file, "--json", "--exit-code"] + usual, in: client)
                #expect(json.status == 1)
                let changes = try json.lines.map { line in
                    try JSONDecoder().decode([String: SyncValue].self, from: Data(line.utf8))
                }
                #expect(Set(changes.compactMap { $0["action"] }) == ["insert", "update", "delete"])
                let update = changes.first { $0["action"] == "update" }
                #expect(update?["changed_columns"] == .array(["age"]))
                #expect(update?["staged_row"] == 1)
                #expect(try await client.lines(everyone) == before)
                #expect(try await Command.run([file] + usual, in: client).status == 0)
                let same = try await Command.run(
                    ["compare", file, "--exit-code", "--include-unchanged"] + usual, in: client)
                #expect(same.status == 0)
                #expect(same.lines.contains("= name: \"Ann\""))
                #expect(same.lines.last == "0 to insert, 0 to update, 0 to delete, 2 unchanged")
            }
        }
    }

    @Test("reads other formats, other columns, and columns with other names")
    func files() async throws {
        try await withDatabase(setup: setup) { client in
            let json = "{\"name\":\"Ann\",\"phone\":\"1\",\"age\":30}\n{\"name\":\"Carl\"}\n"
            let cases: [(String, String, [String])] = [
                (
                    "a.csv", "age;x;telefon;name\n30;;'1';Ann\n58;;-;Carl\n",
                    [
                        "--delimiter", ";", "--quote", "'", "--null", "-", "--column", "phone=telefon", "--columns",
                        "age,phone",
                    ]
                ),
                ("a.csv", "Ann,1,30\nCarl,,58\n", ["--no-header", "--columns", "name,phone", "--columns", "age"]),
                ("a.csv", "501,Ann,1,30\n501,Carl,,58\n", ["--no-header"]),
                ("a.tsv", "name\tphone\tage\nAnn\t1\t30\nCarl\t\\N\t58\n", []),
                ("a.txt", "name\tphone\tage\nAnn\t\"1\"\t30\nCarl\t\t58\n", ["--format", "csv", "--delimiter", "tab"]),
                ("a.jsonl", json.replacing("\"Carl\"", with: "\"Carl\",\"age\":58"), []),
                (
                    "a.json", "[{\"name\":\"Ann\",\"tel\":1,\"age\":30},{\"name\":\"Carl\",\"age\":58}]",
                    ["--column", "phone=tel"]
                ),
                ("a.csv", "NAME\nAnn\nCarl\n", ["--column", "name=NAME"]),
            ]
            for (name, text, options) in cases {
                let command = try await withFile(name, text) { file in
                    try await Command.run([file] + options + usual, in: client)
                }
                #expect(command.output == "0 inserted, 0 updated, 0 deleted, 2 unchanged\n", "\(name) \(options)")
                #expect(command.errors == "", "\(name) \(options)")
            }
        }
    }

    @Test("sends a binary file as it is")
    func binary() async throws {
        try await withDatabase(setup: "CREATE TABLE word (word text PRIMARY KEY)") { client in
            var bytes = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            bytes += [0, 1, 0, 0, 0, 2, 0x68, 0x69, 0xFF, 0xFF]
            try await withFile("words.bin", Data(bytes)) { file in
                let command = try await Command.run([file, "--into", "word", "--scope", "true"], in: client)
                #expect(command.output == "1 inserted, 0 updated, 0 deleted, 0 unchanged\n")
            }
            #expect(try await client.lines("SELECT word FROM word") == ["hi"])
        }
    }

    @Test("hands every option on to the server")
    func options() async throws {
        let table = """
            CREATE TABLE item (
                id int PRIMARY KEY, region text, a text, b text, c text, d text, seen timestamptz, gone timestamptz,
                code text UNIQUE);
            INSERT INTO item VALUES (1, NULL, 'a', 'b', NULL, 'd'), (2, NULL, 'a', 'b', 'c', 'd');
            INSERT INTO item (id, region, code) VALUES (3, NULL, NULL), (4, 'x', 'x');
            """
        try await withDatabase(setup: table) { client in
            let file = "id,a,b,c,d,seq\n1,A,B,C,,1\n1,A,B,CC,,2\n2,a,B,C,,1\n5,a,b,c,d,1\n"
            let command = try await Command.run(
                [
                    "-", "--into", "item", "--scope-null", "region", "--insert-only", "b", "--fill", "c", "--keep", "d",
                    "--duplicates", "last", "--order-column", "seq", "--extra-column", "seq=int", "--soft-delete",
                    "gone",
                    "--update-where", "target.id < 100", "--max-deletes", "1", "--max-delete-fraction", "50%",
                    "--expect-rows", "4", "--allow-empty", "--ignore-conflicts", "--lock-mode", "exclusive",
                    "--actions", "insert,update,delete",
                ],
                input: file,
                in: client
            )
            #expect(command.errors == "")
            #expect(command.output == "1 inserted, 1 updated, 1 deleted, 1 unchanged, 1 skipped\n")
            #expect(
                try await client.lines("SELECT id, region, a, b, c, d, gone IS NOT NULL FROM item ORDER BY id") == [
                    "1,NULL,A,b,CC,d,f", "2,NULL,a,b,c,d,f", "3,NULL,NULL,NULL,NULL,NULL,t",
                    "4,x,NULL,NULL,NULL,NULL,f",
                    "5,NULL,a,b,c,d,f",
                ]
            )
            let touch = try await Command.run(
                ["-", "--into", "item", "--scope-column", "id", "--touch", "seen"],
                input: "id,a,seen\n1,A,2026-01-01\n2,Z,2026-01-01\n",
                in: client
            )
            #expect(touch.output == "0 inserted, 1 updated, 0 deleted, 1 unchanged\n")
            let conflict = try await Command.run(
                ["-", "--into", "item", "--actions", "insert", "--ignore-conflicts"],
                input: "id,code\n8,y\n9,x\n",
                in: client
            )
            #expect(conflict.output == "1 inserted, 0 updated, 0 deleted, 0 unchanged, 1 skipped\n")
        }
    }

    @Test("names the line and the column of a row that is broken, or that the server refuses")
    func places() async throws {
        try await withDatabase(setup: setup) { client in
            let file = "name,phone,age\n\"An\nn\",\"1\n\",31\n\nBob,,x\n"
            let refused = try await Command.run(["-"] + usual, input: file, in: client)
            #expect(refused.status == 65)
            #expect(
                refused.errors == """
                    bulk-sync: error: invalid input syntax for type integer: "x" (line 6 of standard input, column age)\n
                    """
            )
            let broken = try await withFile("employees.csv", "name,age\nAnn,31\nBob,\"4\"2\n") { file in
                try await Command.run([file] + usual, in: client)
            }
            #expect(broken.status == 65)
            #expect(
                broken.errors == """
                    bulk-sync: error: line 3 of employees.csv, column age: text after the closing quote
                    bulk-sync: hint: Quotes in a quoted field must be doubled.\n
                    """
            )
            #expect(try await client.lines("SELECT count(*) FROM employee") == ["3"])
        }
    }

    private static let refusals: [(status: Int32, arguments: [String], file: String, part: String)] = [
        (2, ["--scope", "true", "--expect-rows", "3"], "name\nAnn\n", "error: "),
        (3, ["--scope", "true"], "name\n", "error: "),
        (4, ["--scope", "true", "--max-deletes", "0"], "name\nAnn\n", "error: "),
        (4, ["--scope", "true", "--max-delete-fraction", "10%"], "name\nAnn\n", "error: "),
        (5, ["--scope", "true"], "name\nAnn\nAnn\n", "detail: "),
        (6, ["--scope", "company_id = 7"], "name\nDora\n", "error: "),
        (7, ["--scope", "true"], "name,age\nBob,-1\n", "error: "),
        (64, [], "name\nAnn\n", "hint: "),
        (64, ["--scope", "true"], "name,agee\nAnn,1\n", "hint: "),
        (64, ["--scope", "true", "--into", "nowhere"], "name\nAnn\n", "relation \"nowhere\" does not exist"),
        (64, ["--scope", "no_column = 1"], "name\nAnn\n", "error: "),
        (64, ["--scope", "true", "--actions", "destroy"], "name\nAnn\n", "no action"),
        (64, ["--scope", "true", "--no-such-option"], "name\nAnn\n", "--no-such-option"),
        (64, ["--scope", "true", "--format", "jsonl", "--delimiter", ";"], "name\nAnn\n", "--delimiter"),
        (64, ["--scope", "true", "--max-delete-fraction", "200%"], "name\nAnn\n", "--max-delete-fraction"),
        (65, ["--scope", "true"], "name,age\nAnn\n", "line 2 of standard input, column age"),
        (65, ["--scope", "true"], "name,age\nAnn,1e9\n", "line 2 of standard input, column age"),
        (65, ["--scope", "true"], "", "empty"),
        (64, ["--scope", "true", "--dsn", "host=/nowhere nonsense"], "name\nAnn\n", "missing \"=\""),
        (64, ["--scope", "true", "--dsn", "postgresql://a%zz@host/x"], "name\nAnn\n", "percent-encoded"),
        (64, ["--scope", "true", "--dsn", "sslmode=always"], "name\nAnn\n", "sslmode"),
        (69, ["--scope", "true", "--dsn", "host=/nowhere"], "name\nAnn\n", "error: "),
        (69, ["--scope", "true", "--dsn", "dbname=no_such_database"], "name\nAnn\n", "error: "),
    ]

    @Test("ends with a status that tells what was refused", arguments: refusals.indices)
    func refused(index: Int) async throws {
        let (status, arguments, file, part) = Self.refusals[index]
        try await withDatabase(setup: setup) { client in
            let before = try await client.lines(everyone)
            let table = arguments.contains("--into") ? [] : ["--into", "employee"]
            let command = try await Command.run(["-", "--key", "name"] + table + arguments, input: file, in: client)
            #expect(command.status == status, "\(arguments): \(command.errors)")
            #expect(command.errors.contains(part), "\(arguments): \(command.errors)")
            #expect(command.output == "")
            #expect(try await client.lines(everyone) == before)
        }
    }

    @Test("tells that the table was changed where the result cannot be printed")
    func unprintable() async throws {
        try await withDatabase(setup: setup) { client in
            for redirection in [">/dev/full", ">&-"] {
                _ = try await client.execute("UPDATE employee SET age = 30 WHERE name = 'Ann'")
                let shell = "exec \"$0\" \"$@\" \(redirection)"
                let sync = try await Command.run(
                    shell: shell, ["-"] + usual, input: "name,age\nAnn,31\n", in: client)
                #expect(sync.status == 73)
                #expect(sync.errors.hasPrefix("bulk-sync: error: the table was changed ("), "\(sync.errors)")
                #expect(sync.errors.contains(", but the result could not be printed: "))
                #expect(sync.errors.split(separator: "\n").count == 1)
                #expect(try await client.lines("SELECT age FROM employee WHERE name = 'Ann'") == ["31"])
                let compare = try await Command.run(
                    shell: shell, ["compare", "-"] + usual, input: "name,age\nAnn,32\n", in: client)
                #expect(compare.status == 73)
                #expect(compare.errors.hasPrefix("bulk-sync: error: nothing was changed, but"), "\(compare.errors)")
            }
        }
    }

    @Test("speaks of options where the server speaks of arguments, and of the file where it was staged")
    func words() async throws {
        let all = ["--into", "employee", "--key", "name", "--scope", "true"]
        let cases: [(file: String, arguments: [String], errors: String)] = [
            (
                "name\n", all,
                """
                error: there are no rows in the file, so that all rows in scope would be deleted
                hint: Use --allow-empty if that is what you want.
                """
            ),
            (
                "name\nAnn\nAnn\n", all,
                """
                error: 1 key occurs more than once in the file
                detail: Duplicate key: (name)=(Ann).
                hint: Use --duplicates first or --duplicates last to keep one row of each key.
                """
            ),
            (
                "name\nAnn\n", all + ["--expect-rows", "9"],
                """
                error: expected 9 rows, but the file holds 1
                hint: Check that the file is complete, or correct --expect-rows.
                """
            ),
            (
                "name\nAnn\n", all + ["--max-deletes", "1", "--max-delete-fraction", "10%"],
                """
                error: 2 of the 3 rows in scope of "employee" would be deleted
                detail: The limits are: --max-deletes 1, --max-delete-fraction 0.1.
                hint: Check that the feed is complete, or raise the limit.
                """
            ),
            (
                "name\nAnn\n", ["--into", "employee", "--key", "name"],
                """
                error: a scope is required to delete rows
                hint: State which part of the table the file describes, for example --scope 'company_id = 501', \
                or --scope true for the whole table; or delete nothing: --actions insert,update.
                """
            ),
            (
                "name\nAnn\n", ["--into", "employee", "--key", "name", "--scope", "zz = 1"],
                "error: --scope: column \"zz\" does not exist"
            ),
            (
                "name\nAnn\n", all + ["--touch", "phone", "--keep", "phone"],
                """
                error: column "phone" has more than one role
                detail: It is named in --touch and in --keep.
                """
            ),
            (
                "name\nAnn\n", all + ["--max-deletes=-5"],
                "error: --max-deletes must not be negative: -5"
            ),
            (
                "phone\n1\n", ["--into", "employee", "--scope", "true"],
                """
                error: key column "company_id" of relation "employee" is neither in the file nor given by an option
                hint: Add the column to the file, or give its value with --scope-value.
                """
            ),
        ]
        try await withDatabase(setup: setup) { client in
            for (file, arguments, errors) in cases {
                let command = try await Command.run(["-"] + arguments, input: file, in: client)
                let lines = errors.split(separator: "\n").map { "bulk-sync: \($0)\n" }
                #expect(command.errors == lines.joined())
            }
        }
    }

    @Test("deletes only where all of several scopes hold", arguments: [["--scope", "active"], ["--scope=active"]])
    func severalScopes(second: [String]) async throws {
        let setup = """
            CREATE TABLE sc (company_id int, name text, active bool, PRIMARY KEY (company_id, name));
            INSERT INTO sc VALUES (501, 'Ann', true), (501, 'Bob', true), (501, 'Old', false), (7, 'Zed', true);
            """
        try await withDatabase(setup: setup) { client in
            let command = try await Command.run(
                ["-", "--into", "sc", "--scope", "company_id = 501 OR false"] + second,
                input:
                    "company_id,name,active\n501,Ann,t\n", in: client)
            #expect(command.output == "0 inserted, 0 updated, 1 deleted, 1 unchanged\n", "\(command.errors)")
            #expect(try await client.lines("SELECT name FROM sc ORDER BY 1") == ["Ann", "Old", "Zed"])
        }
    }

    @Test("leaves the words of a row alone that the server quotes")
    func quotedRows() async throws {
        try await withDatabase(setup: setup) { client in
            let file = "name,phone,age\nAnn,allow_empty => true,-1\n"
            let command = try await Command.run(["-"] + usual, input: file, in: client)
            #expect(command.status == 7)
            #expect(command.errors.contains("detail: Failing row contains (501, Ann, allow_empty => true, -1)."))
        }
    }

    @Test("refuses an extra column that the file lacks")
    func absentExtraColumn() async throws {
        try await withDatabase(setup: setup) { client in
            let files = [
                ("name,age\nAnn,31\n", ["--format", "csv"]),
                ("Ann,31\n", ["--no-header", "--columns", "name,age"]),
                ("{\"name\":\"Ann\",\"age\":31}\n", ["--format", "jsonl"]),
            ]
            for (file, options) in files {
                let command = try await Command.run(
                    ["-", "--extra-column", "zz=int"] + options + usual, input: file, in: client)
                #expect(command.status == 64)
                #expect(command.errors.contains("\"zz\""), "\(command.errors)")
            }
            #expect(try await client.lines("SELECT age FROM employee WHERE name = 'Ann'") == ["30"])
        }
    }

    @Test("calls a file broken whose header has a name twice")
    func repeatedName() async throws {
        try await withDatabase(setup: setup) { client in
            let command = try await Command.run(["-"] + usual, input: "name,age,age\nAnn,1,1\n", in: client)
            #expect(command.status == 65, "\(command.errors)")
        }
    }

    @Test("tells how to read a compressed file")
    func compressed() async throws {
        for (name, format) in [("data.csv.gz", "csv"), ("DATA.NDJSON.GZ", "jsonl")] {
            let command = try await Command.run([name] + usual)
            #expect(command.status == 64)
            #expect(command.errors.contains("gunzip -c \(name) | bulk-sync sync - --format \(format)"))
        }
        try await withDatabase(setup: setup) { client in
            for format in ["csv", "tsv", "jsonl", "binary"] {
                let command = try await withFile("data.csv", Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3])) { file in
                    try await Command.run([file, "--format", format] + usual, in: client)
                }
                #expect(command.status == 65)
                #expect(command.errors.hasPrefix("bulk-sync: error: data.csv: the file is compressed\n"))
                #expect(command.errors.contains("gunzip -c FILE | bulk-sync sync -"))
            }
        }
    }

    @Test("ends with a status that tells what it needs")
    func environment() async throws {
        try await withDatabase(extension: false, setup: setup) { client in
            let missing = try await Command.run(["-"] + usual, input: "name\nAnn\n", in: client)
            #expect(missing.status == 78)
            #expect(missing.errors.contains("hint: CREATE EXTENSION bulk_sync;"))
        }
        try await withDatabase(setup: setup) { client in
            let file = try await Command.run(["/no/such/file.csv"] + usual, in: client)
            #expect(file.status == 66)
            #expect(file.errors == "bulk-sync: error: cannot read /no/such/file.csv: No such file or directory\n")
            let unnamed = try await Command.run(["/no/such/file.dat"] + usual, in: client)
            #expect(unnamed.status == 64)
            #expect(unnamed.errors.contains("--format"))
            let readOnly = try await Command.run(
                ["-"] + usual, input: "name\nAnn\n", in: client,
                environment: ["PGOPTIONS": "-c default_transaction_read_only=on"])
            #expect(readOnly.status == 77, "\(readOnly.errors)")
        }
    }

    @Test("gives up by a timeout, and on Ctrl-C, and leaves nothing running", arguments: [SIGINT, SIGTERM])
    func interrupted(signal: Int32) async throws {
        try await withDatabase(setup: setup) { client in
            let other = try await client.another()
            try await other.withTransaction { transaction in
                try await transaction.execute("LOCK TABLE employee")
                let file = "name\nAnn\n"
                let late = try await Command.run(
                    ["-"] + usual, input: file, in: client, environment: ["PGOPTIONS": "-c lock_timeout=100ms"])
                #expect(late.status == 75)
                let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'employee'::regclass"
                let command = try await Command.run(["-"] + usual, input: file, in: client, signal: signal) {
                    try await client.lines(waiting) == ["1"]
                }
                #expect(command.status == 128 + signal)
                let word = signal == SIGINT ? "interrupted" : "terminated"
                #expect(command.output == "" && command.errors == "bulk-sync: \(word): nothing was changed\n")
                #expect(try await client.lines(waiting) == ["0"])
            }
            await other.close()
        }
    }

    @Test("is interrupted while it waits for standard input")
    func interruptedInput() async throws {
        try await withDatabase(setup: setup) { client in
            let connected = """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
                """
            let command = try await Command.run(["-"] + usual, input: nil, in: client, signal: SIGINT) {
                try await client.lines(connected) == ["1"]
            }
            #expect(command.status == 130)
            #expect(command.errors == "bulk-sync: interrupted: nothing was changed\n")
        }
    }

    @Test("never prints a password")
    func password() async throws {
        for dsn in [
            "host=/nowhere password=geheim", "postgresql://someone:geheim@localhost:1/x", "postgresql://a:geheim@[/x",
            "host=/nowhere password=geheim nonsense", "password='geheim", "geheim", "postgres:geheim@127.0.0.1/db",
            "postgres//u:geheim@h",
        ] {
            for options in [["--json"], []] {
                let command = try await Command.run(["-", "--dsn", dsn] + usual + options, input: "name\n")
                #expect(command.status != 0)
                #expect(dsn == "geheim" || !(command.output + command.errors).contains("geheim"), "\(command.errors)")
            }
        }
        let variable = try await Command.run(
            ["-"] + usual, input: "name\n", environment: ["PGHOST": "/nowhere", "PGPASSWORD": "geheim"])
        #expect(variable.status == 69)
        #expect(!variable.errors.contains("geheim"))
    }

    @Test("shows a progress bar on a terminal, and takes it away")
    func progress() async throws {
        try await withDatabase(setup: setup) { client in
            try await withFile("employees.csv", "name\nAnn\n") { file in
                let command = try await Command.run([file] + usual, in: client, onTerminal: true)
                #expect(command.errors.contains("1 rows sent"))
                #expect(command.errors.hasSuffix("\r\u{1B}[K"))
                let quiet = try await Command.run([file, "--quiet"] + usual, in: client, onTerminal: true)
                #expect(quiet.errors == "")
            }
        }
    }
}

@Suite("The command without a server")
struct CommandHelpTests {
    @Test("has the version of the extension")
    func version() async throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let names = try FileManager.default.subpathsOfDirectory(atPath: repository.path)
        let control = try #require(names.first { $0.hasSuffix("bulk_sync.control") && !$0.hasPrefix(".") })
        let text = try String(contentsOf: repository.appendingPathComponent(control), encoding: .utf8)
        let version = try #require(text.firstMatch(of: /default_version = '(.*)'/)).1
        #expect(try await Command.run(["--version"]).output == "bulk-sync \(version)\n")
    }

    @Test("refuses an option that is given twice and takes one value")
    func repeatedOptions() async throws {
        let once = ["--into", "t", "--scope", "true"]
        let options = [
            "--max-deletes 0", "--expect-rows 9", "--update-where a", "--max-delete-fraction 10%", "--into t",
            "--actions insert", "--soft-delete a", "--duplicates last", "--order-column a", "--lock-mode exclusive",
            "--format csv", "--delimiter ,", "--quote none", "--null -", "--dsn dbname=x",
        ]
        for option in options {
            let words = option.split(separator: " ").map(String.init)
            for second in [words, ["\(words[0])=\(words[1])"]] {
                let others = words[0] == "--into" ? ["--scope", "true"] : once
                let command = try await Command.run(["-"] + words + others + second, input: "a\n1\n")
                #expect(command.status == 64, "\(option)")
                #expect(
                    command.errors.hasPrefix("bulk-sync: error: \(words[0]) is given more than once."),
                    "\(command.errors)")
            }
        }
        let compare = try await Command.run(["compare", "-", "--dsn", "a", "--dsn", "b"] + once, input: "a\n1\n")
        #expect(compare.status == 64 && compare.errors.contains("--dsn is given more than once."))
    }

    @Test("takes an option twice that may be repeated, and a flag")
    func repeatableOptions() async throws {
        let command = try await Command.run(
            [
                "--into", "t", "--scope", "a", "--scope=--dsn=a", "--key", "a", "--key", "b", "--columns", "a",
                "--columns", "b", "--touch", "c", "--touch=--dsn", "--scope-value", "x=1", "--scope-value", "y=--into",
                "--quiet", "--quiet", "--dsn", "host=/nowhere", "--", "-",
            ], input: "a,b\n1,2\n")
        #expect(command.status == 69, "\(command.errors)")
    }

    @Test("tells which options may be repeated")
    func repeatableInHelp() async throws {
        // An option begins a line, two blanks behind its edge.
        let entries = try await Command.run(["help", "sync"]).output.split(separator: #/\n  (?=--)/#).dropFirst()
        let repeatable = entries.filter { $0.replacing(#/\s+/#, with: " ").contains("May be repeated") }
        let names = repeatable.map { String($0.prefix { $0 != " " }) }
        #expect(
            Set(names) == [
                "--scope", "--scope-value", "--scope-null", "--scope-column", "--key", "--columns", "--column",
                "--insert-only", "--touch", "--fill", "--keep", "--extra-column",
            ])
    }

    @Test("tells how to use it")
    func help() async throws {
        let command = try await Command.run(["help", "sync"])
        #expect(command.status == 0)
        for word in ["--scope-value", "--max-delete-fraction", "--dry-run", "Examples:"] {
            #expect(command.output.contains(word))
        }
        #expect(try await Command.run(["--help"]).output.contains("Exit status:"))
        let completion = try await Command.run(["--generate-completion-script", "bash"])
        #expect(completion.output.contains("complete"))
        let usage = try await Command.run(["sync"])
        #expect(usage.status == 64)
        #expect(usage.errors.hasPrefix("bulk-sync: error: Missing expected argument"), "\(usage.errors)")
        #expect(usage.errors.contains("Usage: bulk-sync sync"))
    }
}
