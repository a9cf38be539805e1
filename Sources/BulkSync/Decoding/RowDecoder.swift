// How a row that the server sends as JSON (to_jsonb) becomes a Swift value.

import Foundation

/// Decodes rows.
///
/// It is made for one operation and not shared: it remembers the columns of properties.
struct RowDecoder {
    private let decoder = JSONDecoder()
    private let keyStrategy: KeyStrategy

    init(_ keyStrategy: KeyStrategy) {
        self.keyStrategy = keyStrategy
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) { return Date(timeIntervalSinceReferenceDate: number) }
            guard let date = TimestampText.parse(try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "this is not a date")
            }
            return date
        }
        decoder.dataDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let data = text.hasPrefix("\\x") ? Self.bytes(hex: text.dropFirst(2)) : Data(base64Encoded: text)
            else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "these are not bytes")
            }
            return data
        }
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity",
            negativeInfinity: "-Infinity",
            nan: "NaN"
        )
        if let key = KeyMap.userInfoKey { decoder.userInfo[key] = KeyMap(keyStrategy) }
    }

    /// Decodes a row, or the value of a key.
    func decode<Value: Decodable>(_ type: Value.Type, from json: String) throws(BulkSyncError) -> Value {
        do {
            let data = Data(json.utf8)
            return switch keyStrategy {
            case .propertyNames: try decoder.decode(type, from: data)
            case .snakeCase: try decoder.decode(MappedRow<Value>.self, from: data).row
            }
        } catch {
            throw Self.failure(error, type)
        }
    }

    private static func bytes(hex: Substring) -> Data? {
        let digits = hex.utf8.map { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        guard digits.count % 2 == 0 else { return nil }
        var data = Data(capacity: digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            data.append(high << 4 | low)
        }
        return data
    }

    /// The error for a row that does not fit: where and how, but not which value.
    private static func failure(_ error: any Error, _ type: Any.Type) -> BulkSyncError {
        let (path, problem): ([any CodingKey], String) =
            switch error {
            case DecodingError.keyNotFound(let key, let context): (context.codingPath + [key], "is missing")
            case DecodingError.valueNotFound(let type, let context): (context.codingPath, "is NULL and not a \(type)")
            case DecodingError.typeMismatch(let type, let context): (context.codingPath, "is not a \(type)")
            case DecodingError.dataCorrupted(let context):
                (context.codingPath, "cannot be read: \(context.debugDescription)")
            default: ([], "cannot be read")
            }
        let place = path.isEmpty ? "the row" : "\"" + path.map(\.stringValue).joined(separator: ".") + "\""
        var failure = BulkSyncError(code: .decoding, message: "\(type): \(place) \(problem)")
        failure.column = path.first?.stringValue
        failure.underlying = error
        return failure
    }
}

/// The columns of the properties that were asked for.
private final class KeyMap: @unchecked Sendable {
    // It is used by one decoder, on the task that decodes; userInfo asks for Sendable.
    private let keyStrategy: KeyStrategy
    private var columns: [String: String] = [:]

    static let userInfoKey = CodingUserInfoKey(rawValue: "BulkSync.KeyMap")

    init(_ keyStrategy: KeyStrategy) {
        self.keyStrategy = keyStrategy
    }

    func column(_ key: some CodingKey) -> ColumnKey {
        let property = key.stringValue
        if let column = columns[property] { return ColumnKey(stringValue: column) }
        let column = keyStrategy.column(for: property)
        columns[property] = column
        return ColumnKey(stringValue: column)
    }
}

private struct ColumnKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) {
        nil
    }
}

/// A row whose properties are asked for by the names of their columns.
///
/// JSONDecoder's own strategy goes the other way, from columns to properties, and does not find back to `userID`.
private struct MappedRow<Row: Decodable>: Decodable {
    let row: Row

    init(from decoder: any Decoder) throws {
        guard let key = KeyMap.userInfoKey, let map = decoder.userInfo[key] as? KeyMap else {
            row = try Row(from: decoder)
            return
        }
        row = try Row(from: MappingDecoder(decoder: decoder, map: map))
    }
}

private struct MappingDecoder: Decoder {
    let decoder: any Decoder
    let map: KeyMap

    var codingPath: [any CodingKey] { decoder.codingPath }
    var userInfo: [CodingUserInfoKey: Any] { decoder.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(
            MappingContainer<Key>(container: try decoder.container(keyedBy: ColumnKey.self), map: map)
        )
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try decoder.unkeyedContainer() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { try decoder.singleValueContainer() }
}

private struct MappingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let container: KeyedDecodingContainer<ColumnKey>
    let map: KeyMap

    var codingPath: [any CodingKey] { container.codingPath }
    var allKeys: [Key] { container.allKeys.compactMap { Key(stringValue: $0.stringValue) } }

    func contains(_ key: Key) -> Bool { container.contains(map.column(key)) }
    func decodeNil(forKey key: Key) throws -> Bool { try container.decodeNil(forKey: map.column(key)) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try container.decode(type, forKey: map.column(key)) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try container.decode(type, forKey: map.column(key))
    }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try container.decode(type, forKey: map.column(key))
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws
        -> KeyedDecodingContainer<Nested>
    {
        try container.nestedContainer(keyedBy: type, forKey: map.column(key))
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try container.nestedUnkeyedContainer(forKey: map.column(key))
    }
    func superDecoder() throws -> any Decoder { try container.superDecoder() }
    func superDecoder(forKey key: Key) throws -> any Decoder { try container.superDecoder(forKey: map.column(key)) }
}
