// Every Swift type against every common type of a column: what is stored is what SQL itself makes of the value, or the value
// is refused, with its row and column.

import Foundation
import Testing

@testable import BulkSync

/// A Swift value, and what it is to the server.
private struct Sample: Sendable {
    var name: String
    /// What a column of text gets.
    var text: String
    /// What a column of JSON gets; nil where the value must be refused.
    var json: String?
    /// The value in SQL as its own type, to be cast to a column's; nil if it must be refused whatever SQL would make of it.
    var sql: @Sendable (_ type: String) -> String?
    /// Types that must take the value, so that refusing everything would not do.
    var isTakenBy: Set<String>
    var send: @Sendable (BulkSyncClient, Form) async throws -> Void
}

/// How a value is sent.
private enum Form: CaseIterable {
    case codable, writerWithText, array, arrayWithText

    var isArray: Bool { self == .array || self == .arrayWithText }
}

private struct Row<Value: Encodable>: Encodable { var id = 1, value: Value }
private struct TextRow<Value: Encodable>: Encodable { var id = 1, value: Value, address = "10.0.0.1" }

extension Sample {
    init<Value: Codable & RowValue & Sendable>(
        _ value: Value,
        _ text: String,
        json: String?,
        in isTakenBy: Set<String>,
        sql: @escaping @Sendable (_ type: String) -> String?
    ) {
        self.init(encoding: value, text, json: json, in: isTakenBy, sql: sql)
        let codable = send
        send = { client, form in
            switch form {
            case .writerWithText:
                try await client.sync(columns: ["id", "value", "address"], into: "t", scope: .all) { rows in
                    try await rows.append {
                        try $0.append(1)
                        try value.append(to: &$0)
                        try $0.append("10.0.0.1")
                    }
                }
            default: try await codable(client, form)
            }
        }
    }

    init<Value: Codable & Sendable>(
        encoding value: Value,
        _ text: String,
        json: String?,
        in isTakenBy: Set<String>,
        sql: @escaping @Sendable (_ type: String) -> String?
    ) {
        self.init(name: "\(Value.self) \(text)", text: text, json: json, sql: sql, isTakenBy: isTakenBy) {
            client, form in
            switch form {
            case .codable: try await client.sync([Row(value: value)], into: "t", scope: .all)
            case .writerWithText:
                try await client.sync([TextRow(value: value)], into: "t", scope: .all)
            case .array: try await client.sync([Row(value: [value, nil] as [Value?])], into: "t", scope: .all)
            case .arrayWithText:
                try await client.sync([TextRow(value: [value, nil] as [Value?])], into: "t", scope: .all)
            }
        }
    }

    private static let numbers: Set = [
        "smallint", "integer", "bigint", "real", "double precision", "numeric(8,2)", "small",
    ]
    private static let floats: Set = ["real", "double precision"]
    private static let texts: Set = ["text", "varchar(40)", "char(40)", "name"]
    private static let documents: Set = ["json", "jsonb"]

    /// A value whose SQL is the same for every type but those that it must be refused by.
    private static func unless(_ types: Set<String>, _ sql: String) -> @Sendable (String) -> String? {
        { types.contains($0) ? nil : sql }
    }

    private static func integer<Value: FixedWidthInteger & Codable & RowValue & Sendable>(
        _ value: Value,
        in types: Set<String>
    ) -> Sample {
        Sample(value, "\(value)", json: "\(value)", in: types.union(documents).union(["text", "varchar(40)", "name"])) {
            type in
            // SQL has no cast to these, but its text is theirs; and one of its bits is none that a client should guess.
            if ["xid", "cid", "xid8"].contains(type) { return value < 0 ? nil : "'\(value)'" }
            if type == "\"char\"" || type.hasPrefix("bit") { return nil }
            return
                "\(value)::numeric::\(type == "oid" || type == "regtype" ? "bigint" : value < 1 << 31 ? "int" : "numeric")"
        }
    }
}

extension Sample {
    static let all: [Sample] = simple + numeric + temporal + ranges

    private static let simple: [Sample] = [
        Sample(
            true, "true", json: "true", in: texts.union(documents).union(["boolean"]),
            sql: unless(["\"char\"", "bit(4)"], "true")),
        Sample("abc", "abc", json: nil, in: texts.union(["char(3)", "varchar(3)", "word"])) { _ in "'abc'" },
        Sample("12", "12", json: "12", in: texts.union(numbers).union(["money", "xid", "oid"])) { _ in "'12'" },
        Sample("2026-11-21", "2026-11-21", json: nil, in: texts.union(["date", "timestamp"])) { _ in "'2026-11-21'" },
        Sample("1010", "1010", json: "1010", in: ["bit(4)", "varbit", "text"]) { _ in "'1010'" },
        Sample("happy", "happy", json: nil, in: ["mood", "text"]) { _ in "'happy'" },
        Sample("10.1.2.3", "10.1.2.3", json: nil, in: ["inet", "cidr"]) { _ in "'10.1.2.3'" },
        Sample("{}", "{}", json: "{}", in: ["json", "jsonb", "text"]) { _ in "'{}'" },
        Sample("[1,5)", "[1,5)", json: nil, in: ["int4range", "numrange"]) { _ in "'[1,5)'" },
        Sample(
            UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255)),
            "01020304-0506-0708-090a-0b0c0d0e0fff",
            json: "\"01020304-0506-0708-090a-0b0c0d0e0fff\"", in: texts.union(documents).union(["uuid"]),
            sql: unless([], "'01020304-0506-0708-090a-0b0c0d0e0fff'::uuid")),
        Sample(
            Data([0, 1, 255]), #"\x0001ff"#, json: "\"AAH/\"", in: ["bytea", "text", "json", "jsonb"],
            sql: unless([], #"'\x0001ff'::bytea"#)),
    ]

    private static let numeric: [Sample] = [
        integer(0, in: numbers.union(["boolean", "oid", "xid", "xid8", "money"])),
        integer(1, in: numbers.union(["boolean", "oid"])),
        integer(Int8(-7), in: numbers.union(["money"])),
        integer(Int16(258), in: ["smallint", "integer", "bigint", "real", "double precision", "numeric(8,2)"]),
        integer(UInt8(12), in: numbers),
        integer(Int32.max, in: ["integer", "bigint", "oid", "double precision"]),
        integer(UInt32.max, in: ["bigint", "oid", "xid", "cid", "xid8", "double precision"]),
        integer(16_777_217, in: ["integer", "double precision"]),
        integer(9_007_199_254_740_993, in: ["bigint", "xid8"]),
        integer(UInt64.max, in: ["xid8", "text"]),
        integer(Int128(1) << 100, in: ["text"]),
        integer(UInt128(7), in: numbers),
        Sample(1.5, "1.5", json: "1.5", in: floats.union(texts).union(documents).union(["numeric(8,2)"])) {
            whole($0) || $0 == "money" ? nil : "1.5::float8"
        },
        Sample(-3.0, "-3", json: "-3", in: numbers.union(texts)) { $0 == "money" ? nil : "(-3)::float8" },
        Sample(-0.0, "-0", json: "-0", in: numbers) {
            ["oid", "regtype", "xid", "cid", "xid8"].contains($0) ? "'0'" : $0 == "money" ? nil : "'-0'::float8"
        },
        Sample(1e300, "1e+300", json: "1e+300", in: ["double precision", "text"]) {
            $0 == "money" ? nil : "1e300::float8"
        },
        Sample(1e-300, "1e-300", json: "1e-300", in: ["double precision", "text"]) {
            whole($0) || $0 == "money" ? nil : "1e-300::float8"
        },
        Sample(Double.nan, "NaN", json: "\"NaN\"", in: floats.union(["numeric(8,2)"])) {
            $0 == "money" ? nil : "'NaN'::float8"
        },
        Sample(Double.infinity, "Infinity", json: "\"Infinity\"", in: floats) {
            $0 == "money" ? nil : "'Infinity'::float8"
        },
        Sample(Float(1.25), "1.25", json: "1.25", in: floats.union(["numeric(8,2)"])) {
            whole($0) || $0 == "money" ? nil : "1.25::float4"
        },
        Sample(Float(0.1), "0.1", json: "0.1", in: floats.union(["numeric(8,2)"])) {
            whole($0) || $0 == "money" ? nil : "0.1::float4"
        },
        Sample(Decimal(string: "1.5") ?? 0, "1.5", json: "1.5", in: floats.union(texts).union(["numeric(8,2)"])) {
            whole($0) || $0 == "money" ? nil : "1.5::numeric"
        },
        Sample(Decimal(12), "12", json: "12", in: numbers.union(["oid"])) {
            ["oid", "regtype", "xid", "cid", "xid8"].contains($0) ? "'12'" : $0 == "money" ? nil : "12::numeric"
        },
        Sample(Decimal.nan, "NaN", json: nil, in: floats.union(["numeric(8,2)"])) {
            $0 == "money" ? nil : "'NaN'::numeric"
        },
    ]

    /// Whether rounding could make the value fit.
    private static func whole(_ type: String) -> Bool {
        ["smallint", "integer", "bigint", "oid", "regtype", "xid", "cid", "xid8", "small"].contains(type)
    }

    /// 2026-11-21 08:30:00.5 UTC.
    private static let moment = Date(timeIntervalSinceReferenceDate: 816_942_600.5)

    private static let temporal: [Sample] = [
        Sample(
            moment, "2026-11-21 08:30:00.5+00", json: "\"2026-11-21T08:30:00.5+00:00\"",
            in: texts.union(documents).union(["timestamptz", "timestamp", "date", "time", "timetz"])
        ) { type in
            let zoned = "'2026-11-21 08:30:00.5+00'::timestamptz"
            if type == "timetz" { return "'08:30:00.5+00'::timetz" }
            return type == "timestamptz" ? zoned : "(\(zoned) AT TIME ZONE 'UTC')"
        },
        Sample(
            Date.distantFuture, "infinity", json: "\"infinity\"", in: ["timestamptz", "timestamp", "date", "text"],
            sql: unless(["time", "timetz"], "'infinity'::timestamptz")),
        Sample(
            PostgresDate(year: 2026, month: 11, day: 21) ?? .infinity, "2026-11-21", json: "\"2026-11-21\"",
            in: texts.union(documents).union(["date", "timestamp", "timestamptz"]),
            sql: unless([], "'2026-11-21'::date")),
        Sample(
            halfPastEight, "08:30:00", json: "\"08:30:00\"",
            in: texts.union(documents).union(["time", "timetz", "interval"]), sql: unless([], "'08:30'::time")),
        Sample(
            PostgresInterval(months: -14, days: 3, microseconds: 500_000), "P-1Y-2M3DT0.5S", json: "\"P-1Y-2M3DT0.5S\"",
            in: texts.union(documents).union(["interval"]), sql: unless(["time"], "'P-14M3DT0.5S'::interval")),
        Sample(
            Duration.seconds(90), "PT1M30S", json: "\"PT1M30S\"", in: texts.union(documents).union(["interval"]),
            sql: unless(["time"], "'90 s'::interval")),
    ]

    private static let halfPastEight = PostgresTime("08:30") ?? { fatalError("08:30 is a time") }()

    private static let ranges: [Sample] = [
        Sample(encoding: 1..<5, "[1,5)", json: "[1,5]", in: ["int4range", "numrange", "text", "name", "jsonb"]) { _ in
            "'[1,5)'"
        },
        Sample(encoding: 1...5, "[1,5]", json: "[1,5]", in: ["int4range", "numrange", "text"]) { _ in "'[1,5]'" },
        Sample(encoding: 5..., "[5,)", json: "[5]", in: ["int4range", "numrange", "text"]) { _ in "'[5,)'" },
        Sample(
            encoding: moment..<Date.distantFuture, "[\"2026-11-21 08:30:00.5+00\",\"infinity\")",
            json: "[\"2026-11-21T08:30:00.5+00:00\",\"infinity\"]", in: ["tstzrange", "text"]
        ) { _ in
            "'[\"2026-11-21 08:30:00.5+00\",\"infinity\")'"
        },
    ]
}

@Suite("A value in a column", .needsServer)
struct TypeTableTests {
    static let types = [
        "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric(8,2)", "money", "oid", "xid",
        "cid",
        "xid8", "text", "varchar(3)", "varchar(40)", "char(3)", "char(40)", "name", "\"char\"", "bit(4)", "varbit",
        "bytea",
        "uuid", "json", "jsonb", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "inet", "cidr",
        "int4range",
        "numrange", "tstzrange", "daterange", "regtype", "mood", "small", "word", "citext_like",
    ]

    static let setup = """
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE DOMAIN small AS smallint CHECK (value < 100);
        CREATE DOMAIN word AS varchar(3);
        CREATE DOMAIN citext_like AS text;
        """

    /// What SQL makes of a value, or nil if it makes nothing of it.
    private func expected(_ sample: Sample, _ type: String, isArray: Bool, _ client: BulkSyncClient) async -> String? {
        let text = "'\(sample.text.replacing("'", with: "''"))'"
        let value: String?
        switch type {
        case "json", "jsonb": value = sample.json.map { "'\($0)'" }
        case "text", "varchar(40)", "char(40)", "varchar(3)", "char(3)", "name", "word", "citext_like":
            // Too long is an error for a value, and silently cut off for a cast.
            let limit = type.hasSuffix("(3)") || type == "word" ? 3 : 40
            value = sample.text.count > limit ? nil : text
        default: value = sample.sql(type)
        }
        guard let value else { return nil }
        let cast = "(\(value))::\(type)"
        let expression =
            isArray ? "ARRAY[\(cast), NULL]::text" : type == "json" ? "(\(value))::jsonb::text" : "\(cast)::text"
        return try? await client.bare("SELECT \(expression)").first?.first ?? nil
    }

    @Test("is what SQL makes of it, or refused with its row and column", arguments: types)
    func table(type: String) async throws {
        try await withDatabase(setup: Self.setup) { client async throws in
            // Settings that the values must not depend on, but for the first one.
            _ = try await client.bare(
                "SET synchronous_commit = off; SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'"
            )
            for form in Form.allCases {
                _ = try await client.bare(
                    """
                    DROP TABLE IF EXISTS t;
                    CREATE TABLE t (id int PRIMARY KEY, value \(type)\(form.isArray ? "[]" : ""), address inet)
                    """
                )
                for sample in Sample.all {
                    try await check(sample, type, form, client)
                }
            }
        }
    }

    private func check(_ sample: Sample, _ type: String, _ form: Form, _ client: BulkSyncClient) async throws {
        let place: Comment = "\(sample.name) as \(type), \(form)"
        let expected = await expected(sample, type, isArray: form.isArray, client)
        do {
            try await sample.send(client, form)
            let column = type == "json" && !form.isArray ? "value::jsonb::text" : "value::text"
            let stored = try await client.bare("SELECT \(column) FROM t").first?.first ?? nil
            #expect(stored == expected, place)
            _ = try await client.bare("TRUNCATE t")
        } catch let error as BulkSyncError {
            #expect(error.row == 1, "\(place): \(error)")
            #expect(error.column == "value", "\(place): \(error)")
            #expect(!sample.isTakenBy.contains(type), "\(place): \(error)")
        }
    }
}
