import Foundation
import Testing

@testable import BulkSync

/// The bytes that a source sends for rows, in a staged table with columns of these types.
func encoded(_ rows: Rows, types: [UInt32], keyStrategy: KeyStrategy = .propertyNames) async throws -> [UInt8] {
    guard case .source(let make) = rows.origin else { return [] }
    var source = make(keyStrategy)
    let names = try await source.begin() ?? []
    try source.prepare(columns: zip(names, types).map { StagedColumn(name: $0, type: $1) })
    var buffer = CopyBuffer()
    while try await source.next(into: &buffer) {}
    return Array(buffer.bytes)
}

/// A row of one value.
struct One<Value: Codable>: Codable {
    var value: Value

    init(_ value: Value) {
        self.value = value
    }
}

/// The bytes of one field in a binary COPY, without what stands around it; nil for NULL.
func field<Value: Codable>(_ value: Value, _ type: UInt32) async throws -> [UInt8]? {
    let bytes = try await encoded(Rows([One(value)]), types: [type])
    let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(Array(bytes.prefix(19)) == header)
    #expect(Array(bytes.suffix(2)) == [0xFF, 0xFF])
    #expect(Array(bytes[19..<21]) == [0, 1])
    let length = Int(
        bytes[21..<25].reduce(UInt32(0)) { (sum: UInt32, byte: UInt8) -> UInt32 in sum << 8 | UInt32(byte) })
    if length == Int(UInt32.max) { return nil }
    let end = 25 + length
    #expect(bytes.count == end + 2)
    return Array(bytes[25..<end])
}

/// The one line that a row of one value makes in a COPY as text.
func line<Value: Codable>(_ value: Value, _ type: UInt32 = 0) async throws -> String {
    String(decoding: try await encoded(Rows([One(value)]), types: [type]), as: UTF8.self)
}

@Suite("A value in a binary COPY")
struct BinaryValueTests {
    @Test("is an integer of the width of its column, whatever the width of the Swift type")
    func integers() async throws {
        #expect(try await field(-2, 21) == [0xFF, 0xFE])
        #expect(try await field(Int8(-2), 23) == [0xFF, 0xFF, 0xFF, 0xFE])
        #expect(try await field(UInt16(258), 20) == [0, 0, 0, 0, 0, 0, 1, 2])
        #expect(try await field(UInt32.max, 26) == [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(try await field(3, 701) == [0x40, 0x08, 0, 0, 0, 0, 0, 0])
        #expect(try await field(7, 25) == [0x37])
    }

    @Test("is refused with its row and column when it is out of range")
    func range() async throws {
        for (value, type) in [(32_768, 21), (Int(Int32.max) + 1, 23), (-1, 26), (1 << 60 + 1, 701)] as [(Int, UInt32)] {
            let error = await #expect(throws: BulkSyncError.self) { try await field(value, type) }
            #expect(error?.code == .encoding)
            #expect(error?.row == 1)
            #expect(error?.column == "value")
            #expect(error?.message.contains("\(value)") == false, "no value in the message")
        }
        await #expect(throws: BulkSyncError.self) { try await field(UInt64.max, 20) }
    }

    @Test("is a boolean, a floating-point number, a text, bytes, a UUID")
    func simple() async throws {
        #expect(try await field(true, 16) == [1])
        #expect(try await field(false, 25) == Array("false".utf8))
        #expect(try await field(1.5, 701) == [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])
        #expect(try await field(Float(1.5), 700) == [0x3F, 0xC0, 0, 0])
        #expect(try await field(Float(1.5), 701) == [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])
        #expect(try await field(Double.nan, 700)?.count == 4)
        #expect(try await field(-Double.infinity, 701) == [0xFF, 0xF0, 0, 0, 0, 0, 0, 0])
        #expect(try await field("Grüße", 25) == Array("Grüße".utf8))
        #expect(try await field("", 1043) == [])
        #expect(try await field(Data([0, 255]), 17) == [0, 255])
        let uuid = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
        #expect(try await field(uuid, 2950) == Array(1...16))
        #expect(try await field(uuid, 25) == Array("01020304-0506-0708-090a-0b0c0d0e0f10".utf8))
    }

    @Test("is a date: microseconds or days since 2000")
    func dates() async throws {
        let second = Date(timeIntervalSinceReferenceDate: -31_622_400 + 1)
        #expect(try await field(second, 1184) == [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40])
        #expect(try await field(second, 1082) == [0, 0, 0, 0])
        #expect(try await field(second.addingTimeInterval(-2), 1082) == [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(try await field(Date.distantFuture, 1114) == [0x7F] + [UInt8](repeating: 0xFF, count: 7))
        #expect(try await field(Date.distantPast, 1082) == [0x80, 0, 0, 0])
        #expect(try await field(PostgresDate(year: 2000, month: 1, day: 3), 1082) == [0, 0, 0, 2])
        #expect(
            try await field(PostgresTime(hour: 0, minute: 0, second: 1), 1083) == [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40])
        #expect(
            try await field(PostgresInterval(months: 1, days: 2, microseconds: 3), 1186)
                == [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1]
        )
    }

    @Test(
        "is a numeric: groups of four digits, with weight, sign and scale",
        arguments: [
            ("0", [0, 0, 0, 0]), ("1", [1, 0, 0, 0, 1]), ("-12345.678", [3, 1, 0x4000, 3, 1, 2345, 6780]),
            ("0.0001", [1, -1, 0, 4, 1]), ("0.00001", [1, -2, 0, 5, 1000]), ("10000", [1, 1, 0, 0, 1]),
            ("12340000", [1, 1, 0, 0, 1234]),
            ("99999999999999999999.5", [6, 4, 0, 1, 9999, 9999, 9999, 9999, 9999, 5000]),
        ] as [(String, [Int])]
    )
    func numeric(text: String, expected: [Int]) async throws {
        // The server does not mind zeros at the end, so they are left out of the comparison.
        func words(_ bytes: [UInt8]?) -> [Int] {
            let bytes = bytes ?? []
            var words: [Int] = []
            for index in stride(from: 0, to: bytes.count, by: 2) {
                words.append(Int(Int8(bitPattern: bytes[index])) * 256 + Int(bytes[index + 1]))
            }
            while words.count > 4, words.last == 0 {
                words.removeLast()
                words[0] -= 1
            }
            return words
        }
        let value = try #require(Decimal(string: text))
        #expect(words(try await field(value, 1700)) == expected)
        if let number = Double(text), text.count < 15 {
            #expect(words(try await field(number, 1700)) == expected)
        }
        if let number = Int(text) {
            #expect(words(try await field(number, 1700)) == expected)
        }
    }

    @Test("is NULL where there is none, in a column that the optional's type decides")
    func null() async throws {
        #expect(try await field(Int?.none, 23) == nil)
        #expect(try await field(String?.none, 25) == nil)
        #expect(try await field(Date?.none, 1184) == nil)
        #expect(try await field([Int]?.none, 1007) == nil)
        #expect(try await field(One<Int>?.none, 3802) == nil)
        // A text for a date is left to the server to read, even if the first row does not have one.
        struct Row: Encodable { var day: String? }
        #expect(try await encoded(Rows([Row()]), types: [1082]) == Array("\\N\n".utf8))
    }

    @Test("is an array of one dimension, with NULLs")
    func arrays() async throws {
        #expect(
            try await field([1, nil] as [Int?], 1007)
                == [
                    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 0xFF, 0xFF,
                    0xFF, 0xFF,
                ]
        )
        #expect(try await field([String](), 1009) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25])
        #expect(
            try await field([Date(timeIntervalSinceReferenceDate: -31_622_400)], 1185)?.suffix(8) == [
                0, 0, 0, 0, 0, 0, 0, 0,
            ])
        #expect(try await field([Decimal(1)], 1231)?.suffix(10) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test("is JSON where it is nested")
    func nested() async throws {
        #expect(try await field(One(1), 114) == Array(#"{"value":1}"#.utf8))
        #expect(try await field([One("a")], 3802) == [1] + Array(#"[{"value":"a"}]"#.utf8))
        #expect(try await field([1, 2], 3802) == [1] + Array("[1,2]".utf8))
        #expect(try await field("[1]", 3802) == [1] + Array("[1]".utf8))
        #expect(try await field(5, 114) == Array("5".utf8))
        #expect(
            try await field(Date(timeIntervalSinceReferenceDate: 0), 114) == Array(#""2001-01-01T00:00:00+00:00""#.utf8)
        )
    }

    @Test("is that of a raw value where an enumeration has one")
    func rawRepresentable() async throws {
        #expect(try await field(Color.red, 25) == Array("red".utf8))
        #expect(try await field([Color.red], 1009)?.suffix(3) == Array("red".utf8)[...])
        #expect(try await field(Level.low, 21) == [0, 7])
    }

    @Test("is refused when a text holds U+0000")
    func nul() async throws {
        for type: UInt32 in [25, 114, 3802, 0] {
            let error = await #expect(throws: BulkSyncError.self) { try await field("a\0b", type) }
            #expect(error?.code == .encoding)
            #expect(error?.column == "value")
        }
    }
}

enum Color: String, Codable { case red }
enum Level: Int, Codable { case low = 7 }

@Suite("A value in a COPY as text")
struct TextValueTests {
    @Test("is written so that the server reads it whatever its settings")
    func values() async throws {
        #expect(try await line("a\tb\nc\\d\re") == "a\\tb\\nc\\\\d\\re\n")
        #expect(try await line("\\N") == "\\\\N\n")
        #expect(try await line("\\.") == "\\\\.\n")
        #expect(try await line(String?.none) == "\\N\n")
        #expect(try await line(true) == "true\n")
        #expect(try await line(1.0) == "1\n")
        #expect(try await line(-Double.infinity) == "-Infinity\n")
        #expect(try await line(Float(1.1)) == "1.1\n")
        #expect(try await line(Data([1, 171])) == "\\\\x01ab\n")
        #expect(try await line(Date(timeIntervalSinceReferenceDate: 0.5)) == "2001-01-01 00:00:00.5+00\n")
        #expect(try await line(["a\"b", nil, "NULL", ""] as [String?]) == #"{"a\\"b",NULL,"NULL",""}"# + "\n")
        #expect(try await line(One(["x"])) == #"{"value":["x"]}"# + "\n")
        #expect(try await line([One(1)]) == #"[{"value":1}]"# + "\n")
    }

    @Test("takes only a text for a list of the server's own", arguments: [22, 30] as [UInt32])
    func vector(type: UInt32) async throws {
        #expect(try await line("1 2", type) == "1 2\n")
        #expect(try await line(String?.none, type) == "\\N\n")
        for rows in [Rows([One(1)]), Rows([One([1, 2])]), Rows([One(1.5)]), Rows([One(true)]), Rows([One(Data([1]))])] {
            let error = await #expect(throws: BulkSyncError.self) { try await encoded(rows, types: [type]) }
            #expect(error?.code == .encoding)
            #expect(error?.message.contains(type == 22 ? "int2vector" : "oidvector") == true)
        }
    }

    @Test("is chosen for all columns when one of them has no binary form for its value")
    func fallback() async throws {
        struct Row: Codable { var number = 1, day = "2026-11-21" }
        let bytes = try await encoded(Rows([Row(), Row()]), types: [23, 1082])
        #expect(String(decoding: bytes, as: UTF8.self) == "1\t2026-11-21\n1\t2026-11-21\n")
    }
}

@Suite("A Codable row")
struct CodableRowTests {
    /// Encodes its keys in an order of its own.
    struct Ordered: Encodable {
        var keys: [String]

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            for key in keys { try container.encode(key, forKey: Name(stringValue: key)) }
        }
    }

    struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    @Test("may encode its keys in another order than the first", arguments: [25, 0] as [UInt32])
    func order(type: UInt32) async throws {
        let types = [type, type, type]
        let rows = [["a", "b", "c"], ["c", "a", "b"], ["a", "c", "b"], ["b", "a", "c"]].map { Ordered(keys: $0) }
        let same = [["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"]].map { Ordered(keys: $0) }
        #expect(try await encoded(Rows(rows), types: types) == (try await encoded(Rows(same), types: types)))
    }

    @Test(
        "must have the keys of the first row, each once",
        arguments: [
            (["a", "b", "x"], "x"), (["a", "b"], "c"), (["b", "c"], "a"), (["c", "b"], "a"), (["a", "b", "b"], "b"),
            (["c", "a", "c", "b"], "c"),
        ]
    )
    func keys(second: [String], column: String) async throws {
        let rows = [Ordered(keys: ["a", "b", "c"]), Ordered(keys: second)]
        let error = await #expect(throws: BulkSyncError.self) { try await encoded(Rows(rows), types: [25, 25, 25]) }
        #expect(error?.code == .encoding)
        #expect(error?.row == 2)
        #expect(error?.column == column)
    }

    @Test("must be keyed")
    func keyed() async throws {
        let number = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([1]), types: [23]) }
        #expect(number?.code == .encoding)
        let array = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([[1]]), types: [23]) }
        #expect(array?.code == .encoding)
        #expect(try await encoded(Rows([["a": 1]]), types: [0]) == Array("1\n".utf8))
    }

    @Test("can be a class with a superclass")
    func classes() async throws {
        class Base: Encodable { var id = 1 }
        final class Derived: Base {
            var name = "x"
            enum CodingKeys: String, CodingKey { case name }
            override func encode(to encoder: any Encoder) throws {
                try super.encode(to: encoder)
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(name, forKey: .name)
            }
        }
        #expect(try await encoded(Rows([Derived()]), types: [0, 0]) == Array("1\tx\n".utf8))
    }

    @Test("keeps what its own encode(to:) throws as the underlying error")
    func ownError() async throws {
        struct Broken: Encodable {
            struct Failure: Error {}
            func encode(to encoder: any Encoder) throws { throw Failure() }
        }
        let error = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([Broken()]), types: []) }
        #expect(error?.underlying is Broken.Failure)
    }

    @Test(
        "has columns in snake case if that is the strategy",
        arguments: [
            ("name", "name"), ("phoneNumber", "phone_number"), ("userID", "user_id"),
            ("myURLProperty", "my_url_property"),
            ("URL", "url"), ("_private", "_private"), ("already_snake", "already_snake"), ("a1B", "a1_b"),
        ]
    )
    func snakeCase(property: String, column: String) {
        #expect(KeyStrategy.snakeCase.column(for: property) == column)
        #expect(KeyStrategy.propertyNames.column(for: property) == property)
    }
}

@Suite("A column of bytes")
struct ByteColumnTests {
    struct Row<Value: Encodable>: Encodable {
        var id: Int
        var payload: Value
    }

    private func code(_ value: some Encodable, type: UInt32 = 17) async -> BulkSyncError.Code? {
        do {
            _ = try await encoded(Rows([Row(id: 1, payload: value)]), types: [23, type])
            return nil
        } catch {
            return (error as? BulkSyncError)?.code
        }
    }

    @Test("takes nothing whose text the server would take for bytes")
    func refused() async {
        #expect(await code(7) == .encoding)
        #expect(await code(UUID()) == .encoding)
        #expect(await code([1, 2] as [UInt8]) == .encoding)
        #expect(await code([1, 2], type: 1001) == .encoding)
        #expect(await code(Data([1])) == nil)
        #expect(await code([Data([1])], type: 1001) == nil)
        #expect(await code(#"\\x01"#) == nil)
    }
}

@Suite("A URL")
struct URLTests {
    struct Row<Value: Encodable>: Encodable { var page: Value }

    @Test("is its text", arguments: [[25], [0]] as [[UInt32]])
    func text(types: [UInt32]) async throws {
        let url = try #require(URL(string: "http://x.example/y?z=1"))
        let bytes = try await encoded(Rows([Row(page: url)]), types: types)
        #expect(bytes == (try await encoded(Rows([Row(page: url.absoluteString)]), types: types)))
        #expect(!bytes.contains(UInt8(ascii: "\"")))
    }
}

@Suite("A date that no type of the server reaches")
struct FarDateTests {
    struct Row: Encodable { var at: Date }

    @Test("is refused", arguments: [1e13, 9.3e12, -1e13, 1e300, .nan])
    func refused(seconds: Double) async {
        let row = Row(at: Date(timeIntervalSince1970: seconds))
        let error = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([row]), types: [1184]) }
        #expect(error?.code == .encoding)
        #expect(error?.row == 1)
        #expect(error?.column == "at")
    }
}

@Suite("A date near and far")
struct DateRoundingTests {
    @Test(
        "is rounded to the next microsecond, before and after the beginning of the count",
        arguments: [
            (0, 0), (0.25, 250_000), (-0.25, -250_000), (0.000_000_4, 0), (0.000_000_6, 1), (-0.000_000_6, -1),
            (-1, -1_000_000), (816_942_600.5, 816_942_600_500_000), (0.999_999_9, 1_000_000),
            (9_999_999_999.5, 9_999_999_999_500_000), (-9_999_999_999.5, -9_999_999_999_500_000),
            (10_000_000_000.5, 10_000_000_000_500_000), (-10_000_000_000.5, -10_000_000_000_500_000),
        ] as [(Double, Int64)]
    )
    func rounding(seconds: Double, expected: Int64) {
        let microseconds = TimestampText.microseconds(Date(timeIntervalSinceReferenceDate: seconds))
        #expect(microseconds == expected + 31_622_400_000_000)
    }
}

@Suite("A row that writes itself")
struct RowEncodableTests {
    struct Price: RowEncodable {
        var sku: String
        var amount: Int?
        var tags: [String?] = []
        var extra = false

        static let columns = ["sku", "amount", "tags"]

        func encode(to row: inout RowWriter) throws {
            try row.append(sku)
            try row.append(amount)
            try row.append(tags)
            if extra { try row.append(true) }
        }
    }

    @Test("has the bytes of the same Codable row")
    func bytes() async throws {
        struct Same: Encodable { var sku = "A", amount: Int? = 2, tags: [String?] = ["x", nil] }
        for types in [[25, 23, 1009], [0, 23, 1009]] as [[UInt32]] {
            let own = try await encoded(Rows([Price(sku: "A", amount: 2, tags: ["x", nil])]), types: types)
            #expect(own == (try await encoded(Rows([Same()]), types: types)))
        }
    }

    @Test("must write one value for each column")
    func count() async throws {
        let rows = [Price(sku: "A"), Price(sku: "B", extra: true)]
        let error = await #expect(throws: BulkSyncError.self) { try await encoded(Rows(rows), types: [25, 23, 1009]) }
        #expect(error?.row == 2)
        let first = await #expect(throws: BulkSyncError.self) {
            try await encoded(Rows([Price(sku: "B", extra: true)]), types: [25, 23, 1009])
        }
        #expect(first?.code == .encoding)
    }
}
