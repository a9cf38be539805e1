import Foundation
import Testing

@testable import BulkSync

@Suite("A configuration")
struct ConfigurationTests {
    private func parameters(_ configuration: BulkSyncClient.Configuration) throws -> [String: String] {
        var result: [String: String] = [:]
        for (keyword, value) in try configuration.libpqParameters(environmentHasName: false) { result[keyword] = value }
        return result
    }

    @Test("becomes parameters of libpq")
    func parameters() throws {
        var configuration = BulkSyncClient.Configuration()
        configuration.host = "db.example.com"
        configuration.port = 5433
        configuration.user = "loader"
        configuration.password = "it's \\ = secret"
        configuration.database = "hr"
        configuration.options = "-c lock_timeout=5s"
        configuration.sslMode = .verifyFull
        configuration.connectTimeout = .seconds(1)
        configuration.parameters = ["sslrootcert": "system"]
        let expected = [
            "host": "db.example.com", "port": "5433", "user": "loader", "password": "it's \\ = secret", "dbname": "hr",
            "options": "-c lock_timeout=5s", "sslmode": "verify-full", "connect_timeout": "2", "sslrootcert": "system",
            "fallback_application_name": "bulk-sync", "client_encoding": "UTF8",
        ]
        #expect(try parameters(configuration) == expected)
    }

    @Test("does not take the name of a database for a connection string")
    func databaseName() throws {
        var configuration = BulkSyncClient.Configuration("host=a")
        configuration.database = "x' host=evil"
        let all = try configuration.libpqParameters(environmentHasName: true).filter { $0.keyword == "dbname" }.map(
            \.value)
        #expect(all == ["host=a", #"dbname='x\' host=evil'"#])
    }

    @Test(
        "refuses a URI mistyped, which libpq would take for the name of a database, without quoting it",
        arguments: [
            "postgres:hunter2@127.0.0.1/db", "postgres//joe:hunter2@host", "postgresql:/joe:hunter2@host/db",
            "Postgres://joe:hunter2@host", "joe:hunter2@host", "https://host/hunter2", "//host/hunter2",
        ]
    )
    func mistypedURI(string: String) async throws {
        let configuration = BulkSyncClient.Configuration(string)
        let error = await #expect(throws: BulkSyncError.self) { try await BulkSyncClient.connect(configuration) }
        #expect(error?.code == .invalidConnectionString)
        #expect(error?.hint?.contains("postgresql://user@host/database") == true)
        #expect(!"\(String(describing: error)) \(configuration)".contains("hunter2"))
    }

    @Test("takes a name with such characters where it is said to be one")
    func oddName() throws {
        #expect(try parameters(.init("dbname='a@b//c'"))["dbname"] == "dbname='a@b//c'")
        #expect(try parameters(.init("a-b.c"))["dbname"] == "a-b.c")
    }

    @Test(
        "never shows a password, however it is given",
        arguments: [
            "postgresql://joe:hunter2@host/db?sslpassword=hunter2", "host=host user=joe password=hunter2 dbname=db",
            "host=host password = 'hunter2' user=joe",
        ]
    )
    func redaction(string: String) {
        var configuration = BulkSyncClient.Configuration(string)
        configuration.password = "hunter2"
        configuration.parameters = ["sslpassword": "hunter2"]
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in [configuration.description, configuration.debugDescription, dumped, "\(configuration)"] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("host=host"))
            #expect(text.contains("user=joe"))
        }
    }

    @Test(
        "refuses a malformed connection string without quoting it",
        arguments: [
            "postgresql://joe:hun@ter2@host/db", "postgresql://joe:hunter2/x@host/db", "host=a password=hun ter2",
            "postgresql://joe:hunter2%zz@host/db", "postgresql://[hunter2/db", "host=a pasword=hunter2",
            "postgresql://host/db?ter2", "postgresql://host/db?ter2=a", "postgresql://[::1]ter2", "password='hunter2",
            "host=a password=x ter2=y", "postgresql://a:ter\"2\\\"ter2@[/x", "sslmode=hunter2",
        ]
    )
    func malformed(string: String) async throws {
        let configuration = BulkSyncClient.Configuration(string)
        let error = await #expect(throws: BulkSyncError.self) { try await BulkSyncClient.connect(configuration) }
        #expect(error?.code == .invalidConnectionString)
        #expect(error?.message.contains("ter2") == string.hasPrefix("sslmode"))
        #expect(string.hasPrefix("sslmode") || !configuration.description.contains("ter2"))
    }

    @Test(
        "says what is wrong with a connection string in the words of libpq",
        arguments: [
            ("host=a nonsense", "missing \"=\" after a word"), ("host=a pasword=x", "invalid connection option"),
            ("password='x", "unterminated quoted string"),
            ("postgresql://joe:x%zz@host/db", "invalid percent-encoded token"),
            ("postgresql://host/db?x", "missing key/value separator \"=\" in URI query parameter"),
        ]
    )
    func reason(string: String, reason: String) throws {
        let configuration = BulkSyncClient.Configuration(string)
        let error = #expect(throws: BulkSyncError.self) {
            try configuration.libpqParameters(environmentHasName: false)
        }
        #expect(error?.message == "the connection string is malformed: \(reason)")
    }
}

@Suite("The text of names and values")
struct QuotingTests {
    @Test("of a table is quoted where it is exact")
    func tableName() {
        #expect(TableName(schema: "a\"b", name: "C d").sql == #""a""b"."C d""#)
        #expect(TableName(name: "x").sql == #""x""#)
        let literal: TableName = "hr.employee"
        #expect(literal.sql == "hr.employee")
    }

    @Test("of an array holds any text")
    func array() {
        #expect(arrayText([]) == "{}")
        #expect(arrayText(["a", "b\"\\,{}", "", "NULL", nil]) == #"{"a","b\"\\,{}","","NULL",NULL}"#)
    }

    @Test("of a scope's values is JSON")
    func json() throws {
        let values: [String: SyncValue] = ["a": 501, "b": nil, "c": "x\"", "d": true, "e": 0.1, "f": .array([1])]
        #expect(try FunctionCall.json(values) == #"{"a":501,"b":null,"c":"x\"","d":true,"e":0.1,"f":[1]}"#)
    }
}

@Suite("Dates and times")
struct DateTests {
    @Test(
        "are days of the calendar, leap days included",
        arguments: [-2_451_545, -730_425, -1, 0, 59, 60, 1460, 36_524, 146_097, 9_000_000])
    func calendar(days: Int) {
        let (year, month, day) = CivilCalendar.date(days: days)
        #expect(CivilCalendar.days(year: year, month: month, day: day) == days)
        #expect(CivilCalendar.isValid(year: year, month: month, day: day))
    }

    @Test(
        "are read as they are written",
        arguments: ["2026-11-21", "0001-01-01", "0044-03-15 BC", "12345-01-01", "infinity"])
    func dates(text: String) {
        #expect(PostgresDate(text)?.description == text)
    }

    @Test(
        "are refused where there is no such day",
        arguments: ["2025-02-29", "2026-13-01", "2026-11-31", "26-1-1", "2026-11-21x", ""])
    func noDates(text: String) {
        #expect(PostgresDate(text) == nil)
    }

    @Test(
        "of the day reach from 00:00 to 24:00", arguments: ["00:00:00", "23:59:59.999999", "24:00:00", "08:30:15.25"])
    func times(text: String) {
        #expect(PostgresTime(text)?.description == text)
        #expect(PostgresTime("24:00:01") == nil)
        #expect(PostgresTime(hour: 1, minute: 60) == nil)
    }

    @Test(
        "that are spans have months, days and microseconds apart",
        arguments: [
            "PT0S", "P1Y2M3DT4H5M6.7S", "P-1Y-2M3DT-4H-5M-6.7S", "P1D", "PT-0.000001S", "P-3M",
            "PT-2562047788H-54.775808S",
        ]
    )
    func intervals(text: String) {
        #expect(PostgresInterval(text)?.description == text)
        for broken in ["", "P", "1D", "P1", "PT1Y", "P1.5D", "P99999999999Y"] {
            #expect(PostgresInterval(broken) == nil)
        }
    }

    @Test(
        "that are spans beyond what counts them are none",
        arguments: [
            "P999999999999999999Y", "P999999999999999999M999999999999999999Y", "PT999999999999999999H",
            "PT2562047787H999999999999M", "PT2562047788H54.775808S", "PT999999999999999999S",
        ])
    func longIntervals(text: String) {
        #expect(PostgresInterval(text) == nil)
    }

    @Test(
        "of the server's JSON may be any day of the type date",
        arguments: [("5874897-12-31", 2_145_031_948), ("0001-12-31 BC", -730_120), ("4714-11-24 BC", -2_451_545)])
    func extremeDays(text: String, daysSince2000: Double) {
        // Foundation begins to count in 2001, and 2000 was a leap year.
        let expected = (daysSince2000 - 366) * 86_400
        #expect(TimestampText.parse(text)?.timeIntervalSinceReferenceDate == expected)
    }

    @Test("of the server's JSON are points in time")
    func timestamps() {
        #expect(TimestampText.parse("2001-01-01T00:00:00+00:00")?.timeIntervalSinceReferenceDate == 0)
        #expect(TimestampText.parse("2001-01-01T02:30:00.5+02:30")?.timeIntervalSinceReferenceDate == 0.5)
        #expect(TimestampText.parse("2001-01-02")?.timeIntervalSinceReferenceDate == 86_400)
        #expect(TimestampText.parse("-infinity") == .distantPast)
        #expect(TimestampText.parse("2001-01-01T00:00:00+00:00x") == nil)
        #expect(TimestampText.parse("soon") == nil)
        #expect(TimestampText.text(.distantFuture) == "infinity")
    }
}
