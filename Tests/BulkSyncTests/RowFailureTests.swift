// Rows that ask for what a row of a table cannot hold, and rows that catch the errors of their own values.

import Foundation
import Testing

@testable import BulkSync

@Suite("A Codable row that cannot be written")
struct RowFailureTests {
    enum Way: CaseIterable {
        case nestedContainer, nestedUnkeyed, superEncoder, superEncoderForKey
    }

    /// A row that encodes one of its keys in a way that no column has.
    struct Odd: Encodable {
        var way: Way?

        enum Keys: String, CodingKey { case id, extra, last, `super` }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(1, forKey: .id)
            switch way {
            case nil: try container.encode("x", forKey: .extra)
            case .nestedContainer:
                var nested = container.nestedContainer(keyedBy: Keys.self, forKey: .extra)
                try? nested.encode(1, forKey: .id)
            case .nestedUnkeyed:
                var nested = container.nestedUnkeyedContainer(forKey: .extra)
                try? nested.encode(1)
            case .superEncoder:
                var nested = container.superEncoder().singleValueContainer()
                try? nested.encode(1)
            case .superEncoderForKey:
                var nested = container.superEncoder(forKey: .extra).singleValueContainer()
                try? nested.encode(1)
            }
            try container.encode(2, forKey: .last)
        }
    }

    @Test("is refused with its row and column, if it is the first or a later one", arguments: Way.allCases)
    func nested(way: Way) async throws {
        for (rows, number) in [([Odd(way: way)], 1), ([Odd(), Odd(way: way)], 2)] {
            let error = await #expect(throws: BulkSyncError.self) {
                try await encoded(Rows(rows), types: [23, 25, 23])
            }
            #expect(error?.code == .encoding)
            #expect(error?.row == number)
            #expect(error?.column == (way == .superEncoder ? "super" : "extra"))
        }
    }

    @Test("is refused where it is an array, whatever it puts into that")
    func unkeyed() async throws {
        struct Tuple: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try? container.encode(1)
            }
        }
        let error = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([Tuple()]), types: [23]) }
        #expect(error?.code == .encoding)
        #expect(error?.row == 1)
    }

    /// A row that goes on after an error of one of its values.
    struct Careless<Value: Encodable>: Encodable {
        var id = 1
        var value: Value
        var last = 2

        enum Keys: String, CodingKey { case id, value, last }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(id, forKey: .id)
            try? container.encode(value, forKey: .value)
            try container.encode(last, forKey: .last)
        }
    }

    /// A value that fails, after it has encoded something or before.
    struct Failing: Encodable {
        struct Reason: Error {}
        var elements: [Int]?

        func encode(to encoder: any Encoder) throws {
            if let elements {
                var container = encoder.unkeyedContainer()
                for element in elements { try container.encode(element) }
            }
            throw Reason()
        }
    }

    private func failure(_ rows: [some Encodable], types: [UInt32]) async throws -> BulkSyncError? {
        await #expect(throws: BulkSyncError.self) { try await encoded(Rows(rows), types: types) }
    }

    @Test("is refused by the first error that it caught, with its row and column", arguments: [[], [0]] as [[UInt32]])
    func careless(text: [UInt32]) async throws {
        func check(_ rows: [Careless<some Encodable>], _ type: UInt32, row: Int = 1) async throws -> BulkSyncError? {
            let error = try await failure(rows, types: [23, type, text.first ?? 23])
            #expect(error?.code == .encoding)
            #expect(error?.row == row)
            #expect(error?.column == "value")
            return error
        }
        _ = try await check([Careless(value: 1), Careless(value: 40_000)], 21, row: 2)
        _ = try await check([Careless(value: "a"), Careless(value: "a\0")], 25, row: 2)
        _ = try await check([Careless(value: [1]), Careless(value: [1, 1 << 40])], 1007, row: 2)
        let own = try await check([Careless(value: Failing())], 23)
        #expect(own?.underlying is Failing.Reason)
        let array = try await check([Careless(value: Failing(elements: [1, 2]))], 1007)
        #expect(array?.underlying is Failing.Reason)
        _ = try await check([Careless(value: Failing(elements: [1]))], 3802)
    }

    @Test("is refused where a value of it writes nothing, or more than one value")
    func wrongCount() async throws {
        struct Nothing: Encodable { func encode(to encoder: any Encoder) throws {} }
        struct Twice: Encodable {
            func encode(to encoder: any Encoder) throws {
                for value in 1...2 {
                    var container = encoder.singleValueContainer()
                    try container.encode(value)
                }
            }
        }
        for types in [[23, 23, 23], [23, 25, 0], [23, 0, 23], [23, 3802, 23]] as [[UInt32]] {
            #expect(try await failure([Careless(value: Nothing())], types: types)?.row == 1)
            #expect(try await failure([Careless(value: Twice())], types: types)?.code == .encoding)
        }
    }

    /// A row that tries a key again with another value.
    struct Stubborn<First: Encodable, Second: Encodable>: Encodable {
        var id = 1
        var first: First
        var second: Second?
        var isBackwards = false

        enum Keys: String, CodingKey { case id, value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            if !isBackwards { try container.encode(id, forKey: .id) }
            do {
                try container.encode(first, forKey: .value)
            } catch {
                if let second {
                    try? container.encode(second, forKey: .value)
                } else {
                    try? container.encodeNil(forKey: .value)
                }
            }
            if isBackwards { try container.encode(id, forKey: .id) }
        }
    }

    @Test("is refused by its first error where it tries the key again", arguments: [23, 25] as [UInt32])
    func again(id: UInt32) async throws {
        func check(_ rows: [some Encodable], _ type: UInt32, row: Int) async throws {
            let error = try await failure(rows, types: [id, type])
            #expect(error?.code == .encoding)
            #expect(error?.row == row)
            #expect(error?.column == "value")
        }
        typealias Number = Stubborn<[String: Decimal], String>
        for isBackwards in [false, true] {
            let broken = Number(first: ["a": .nan], isBackwards: isBackwards)
            for rows in [[broken], [Number(first: ["a": 1]), broken]] {
                for type in [3802, 114] as [UInt32] { try await check(rows, type, row: rows.count) }
            }
            try await check(
                [
                    Stubborn(first: [1], second: "a"),
                    Stubborn(first: [1 << 40], second: "b", isBackwards: isBackwards),
                ],
                1007, row: 2)
        }
    }

    @Test("is written as text where it caught that a value has no binary form")
    func caughtFormat() async throws {
        struct Row: Encodable {
            var isArray = false

            enum Keys: String, CodingKey { case id, value }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Keys.self)
                try container.encode(1, forKey: .id)
                if isArray { try? container.encode(["a"], forKey: .value) }
                try? container.encode("b", forKey: .value)
            }
        }
        // As text, an array has no place in a column of text, and the first error counts.
        for types in [[23, 25], [0, 25]] as [[UInt32]] {
            let error = try await failure([Row(), Row(isArray: true)], types: types)
            #expect(error?.row == 2)
            #expect(error?.column == "value")
        }
    }

    @Test("is refused in the column of the value that is encoded more than once")
    func severalValues() async throws {
        struct Wrapper<Value: Encodable>: Encodable {
            var values: [Value]

            func encode(to encoder: any Encoder) throws {
                for value in values {
                    var container = encoder.singleValueContainer()
                    try container.encode(value)
                }
            }
        }
        for type in [23, 25, 0] as [UInt32] {
            for rows in [[[1, 2]], [[1], [1, 2]]] {
                let error = try await failure(
                    rows.map { Careless(value: Wrapper(values: $0)) }, types: [23, type, 23])
                #expect(error?.column == "value")
                #expect(error?.row == rows.count)
                #expect(error?.message.contains("the value is encoded more than once") == true)
            }
        }
        let nested = try await failure([Careless(value: Wrapper(values: [["a"], ["b"]]))], types: [23, 1009, 23])
        #expect(nested?.column == "value")
        let last = try await failure([One(Wrapped(values: [1, 2]))], types: [23])
        #expect(last?.column == "value")
    }

    /// A value that is encoded once for each of its numbers.
    struct Wrapped: Codable {
        var values: [Int]

        func encode(to encoder: any Encoder) throws {
            for value in values {
                var container = encoder.singleValueContainer()
                try container.encode(value)
            }
        }
    }

    @Test("is refused where it has no keys")
    func noKeys() async throws {
        struct Empty: Encodable {}
        for rows in [Rows([Empty()]), Rows([[String: Int]()])] {
            let error = await #expect(throws: BulkSyncError.self) { try await encoded(rows, types: []) }
            #expect(error?.code == .encoding)
            #expect(error?.message == "row 1: the row encodes no keys, which would name its columns")
        }
    }

    @Test("that writes itself is refused by the error that it caught")
    func direct() async throws {
        struct Own: RowEncodable {
            var number: Int
            static let columns = ["number", "name"]
            func encode(to row: inout RowWriter) throws {
                try? row.append(number)
                try row.append("x")
            }
        }
        for types in [[21, 25], [21, 0]] as [[UInt32]] {
            let error = await #expect(throws: BulkSyncError.self) {
                try await encoded(Rows([Own(number: 1), Own(number: 40_000)]), types: types)
            }
            #expect(error?.row == 2)
            #expect(error?.column == "number")
        }
    }

    @Test("because of a key that comes twice is refused, also as the first one in its buffer")
    func twice() async throws {
        struct Ordered: Encodable {
            var keys: [String]
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodableRowTests.Name.self)
                for key in keys { try container.encode(key, forKey: CodableRowTests.Name(stringValue: key)) }
            }
        }
        let encoder = CodableRowEncoder(.propertyNames)
        try encoder.probe(Ordered(keys: ["a", "b"]))
        encoder.writer.pointee.setTypes([StagedColumn(name: "a", type: 0), StagedColumn(name: "b", type: 0)])
        #expect(throws: BulkSyncError.self) { try encoder.encode(Ordered(keys: ["b", "b", "a"])) }
    }
}

@Suite("Arrays of arrays")
struct NestedArrayTests {
    private func header(_ dimensions: [UInt8]) -> [UInt8] {
        [0, 0, 0, UInt8(dimensions.count), 0, 0, 0, 0, 0, 0, 0, 23]
            + dimensions.flatMap { [0, 0, 0, $0, 0, 0, 0, 1] as [UInt8] }
    }

    private func elements(_ values: [UInt8?]) -> [UInt8] {
        values.flatMap { $0.map { [0, 0, 0, 4, 0, 0, 0, $0] } ?? [255, 255, 255, 255] as [UInt8] }
    }

    @Test("have the dimensions that they show, in binary and as text")
    func shapes() async throws {
        #expect(
            try await field([[1, 2, 3], [4, nil, 6]] as [[Int?]], 1007) == header([2, 3])
                + elements([1, 2, 3, 4, nil, 6]))
        #expect(
            try await field([[[1], [2]], [[3], [4]], [[5], [6]]], 1007) == header([3, 2, 1])
                + elements([1, 2, 3, 4, 5, 6]))
        #expect(try await line([[1, 2, 3], [4, nil, 6]] as [[Int?]]) == #"{{"1","2","3"},{"4",NULL,"6"}}"# + "\n")
        #expect(try await line([["a,b"], ["\""]]) == #"{{"a,b"},{"\\""}}"# + "\n")
        for empty in [[], [[]], [[], []]] as [[[Int]]] {
            #expect(try await field(empty, 1007) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23])
            #expect(try await line(empty) == "{}\n")
        }
    }

    @Test("stay JSON in a column of JSON, of any form")
    func json() async throws {
        #expect(try await field([[1], [2, 3]], 3802) == [1] + Array("[[1],[2,3]]".utf8))
        #expect(try await field([[[1]], []], 114) == Array("[[[1]],[]]".utf8))
    }

    @Test("are refused where they are not rectangular, with row and column", arguments: [1007, 0] as [UInt32])
    func ragged(type: UInt32) async throws {
        let jagged: [[[Int]?]] = [[[1], [2, 3]], [[1], []], [[], [1]], [[1], nil], [nil, [1]]]
        for value in jagged {
            let error = await #expect(throws: BulkSyncError.self) {
                try await encoded(Rows([One([[7]] as [[Int]?]), One(value)]), types: [type])
            }
            #expect(error?.code == .encoding)
            #expect(error?.row == 2)
            #expect(error?.column == "value")
        }
        let deep = await #expect(throws: BulkSyncError.self) {
            try await encoded(Rows([One([[[[[[[1]]]]]]])]), types: [type])
        }
        #expect(deep?.column == "value")
        struct Mixed: Codable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try container.encode([1])
                try container.encode(2)
            }
        }
        let mixed = await #expect(throws: BulkSyncError.self) { try await encoded(Rows([One(Mixed())]), types: [type]) }
        #expect(mixed?.column == "value")
    }

    @Test("can be appended by a type that writes itself")
    func direct() async throws {
        struct Matrix: RowEncodable {
            var values: [[Int?]]
            static let columns = ["value"]
            func encode(to row: inout RowWriter) throws { try row.append(values) }
        }
        let values = [[1, 2], [nil, 4]] as [[Int?]]
        for type in [1007, 0] as [UInt32] {
            let own = try await encoded(Rows([Matrix(values: values)]), types: [type])
            #expect(own == (try await encoded(Rows([One(values)]), types: [type])))
        }
    }
}

@Suite("A value that is not a number")
struct NotANumberTests {
    private struct Deep: Codable { var a = ["NaN"], b: Decimal }

    @Test(
        "has no form in JSON where it is a Decimal, and is refused",
        arguments: [[114], [3802], [114, 0]] as [[UInt32]])
    func refused(types: [UInt32]) async throws {
        struct Row<Value: Encodable>: Encodable { var value: Value, other: String? }
        struct Single<Value: Encodable>: Encodable { var value: Value }
        for value in [Decimal.nan, [Decimal.nan], Deep(b: .nan)] as [any Encodable & Sendable] {
            func rows(_ value: some Encodable) -> Rows {
                types.count == 1 ? Rows([Single(value: value)]) : Rows([Row(value: value, other: "x")])
            }
            let error = await #expect(throws: BulkSyncError.self) { try await encoded(rows(value), types: types) }
            #expect(error?.code == .encoding)
            #expect(error?.row == 1)
            #expect(error?.column == "value")
        }
        // The text is one like any other.
        #expect(try await field(Deep(b: 1), 114) == Array(#"{"a":["NaN"],"b":1}"#.utf8))
        #expect(try await field(["\\\"", "NaN"], 114) == Array(#"["\\\"","NaN"]"#.utf8))
    }
}

@Suite("Nested values")
struct NestedValueTests {
    @Test("are JSON in a column of text, also where the first row had none")
    func text() async throws {
        struct Row: Encodable {
            var items: [One<Int>]?
        }
        let bytes = try await encoded(Rows([Row(), Row(items: [One(1)])]), types: [25])
        #expect(String(decoding: bytes, as: UTF8.self).hasSuffix(#"[{"value":1}]"# + "\n"))
        #expect(try await line([One(1)], 25) == #"[{"value":1}]"# + "\n")
    }

    @Test("are refused by a name that is too short for their text, whatever the format")
    func name() async throws {
        struct Row: Encodable {
            var id = 1
            var value: One<String>?
            var items: [One<String>]?
            var digits: Decimal?
            var bytes: Data?
        }
        let long = String(repeating: "x", count: 60)
        let tooLong = [
            Row(value: One(long)), Row(items: [One(long)]),
            Row(digits: Decimal(sign: .plus, exponent: 80, significand: 1)),
            Row(bytes: Data(repeating: 1, count: 40)),
        ]
        for id in [23, 0] as [UInt32] {
            for isFirst in [true, false] {
                let types: [UInt32] = [id, 19, 19, 19, 19]
                let before = isFirst ? [] : [Row()]
                for (row, column) in zip(tooLong, ["value", "items", "digits", "bytes"]) {
                    let error = await #expect(throws: BulkSyncError.self) {
                        try await encoded(Rows(before + [row]), types: types)
                    }
                    #expect(error?.code == .encoding)
                    #expect(error?.column == column)
                    #expect(error?.message.contains("63 bytes") == true)
                }
                let fitting = Row(value: One("x"), items: [One("x")], digits: 1, bytes: Data([1]))
                _ = try await encoded(Rows(before + [fitting]), types: types)
            }
        }
    }

    @Test("are refused by a column of another type", arguments: [23, 1007, 1009, 1184, 17] as [UInt32])
    func refused(type: UInt32) async throws {
        for rows in [Rows([One(One(1))]), Rows([One([One(1)])]), Rows([One(1..<2)])] {
            let error = await #expect(throws: BulkSyncError.self) { try await encoded(rows, types: [type]) }
            #expect(error?.code == .encoding)
            #expect(error?.column == "value")
        }
    }
}
