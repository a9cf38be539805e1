// How one value of a Codable row is written: a type that has a form of its own, else whatever its `encode(to:)` makes of it.

import Foundation

/// Encodes the value of one column.
final class FieldEncoder: Encoder {
    /// The writer of the row encoder that owns this one.
    let writer: UnsafeMutablePointer<RowWriter>
    /// What the value that is encoded has turned out to be.
    fileprivate var outcome = Outcome.nothing
    fileprivate var arrayStart = 0

    fileprivate enum Outcome {
        case nothing
        case value
        case array
        case object
    }

    init(_ writer: UnsafeMutablePointer<RowWriter>) {
        self.writer = writer
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Writes the value of a column.
    func encode<Value: Encodable>(_ value: Value) throws {
        // A generic comparison of types costs next to nothing, and tells what the compiler does not know here.
        if Value.self == Date.self { return try known(unsafeBitCast(value, as: Date.self)) }
        if Value.self == UUID.self { return try known(unsafeBitCast(value, as: UUID.self)) }
        if Value.self == Decimal.self { return try known(unsafeBitCast(value, as: Decimal.self)) }
        if Value.self == Data.self { return try known(unsafeBitCast(value, as: Data.self)) }
        if Value.self == PostgresDate.self { return try known(unsafeBitCast(value, as: PostgresDate.self)) }
        if Value.self == PostgresTime.self { return try known(unsafeBitCast(value, as: PostgresTime.self)) }
        if Value.self == PostgresInterval.self { return try known(unsafeBitCast(value, as: PostgresInterval.self)) }
        // Foundation's own encoders take it for a text, too; its encode(to:) writes an object.
        if Value.self == URL.self, !isJSONColumn {
            return try encodeAny(unsafeBitCast(value, as: URL.self).absoluteString)
        }
        try encodeAny(value)
    }

    private func unsafeBitCast<Value, Result>(_ value: Value, as: Result.Type) -> Result {
        Swift.unsafeBitCast(value, to: Result.self)
    }

    private func known(_ value: some RowValue & Encodable) throws {
        if isJSONColumn { return try writer.pointee.append(json: value) }
        try value.append(to: &writer.pointee)
        noteCodable()
    }

    /// Writes a NULL where a value of some type could have been.
    func encodeNil<Value: Encodable>(of type: Value.Type) throws {
        let kind: ValueKind =
            if type == Date.self { .timestamp } else if type == UUID.self { .uuid } else if type == Decimal.self {
                .decimal
            } else if type == Data.self { .bytes } else if type == PostgresDate.self {
                .date
            } else if type == PostgresTime.self { .time } else if type == PostgresInterval.self { .interval } else {
                .null
            }
        try writer.pointee.null(kind)
        noteCodable()
    }

    /// A value whose type has no form of its own: an enumeration, an array, an optional, a nested structure.
    private func encodeAny<Value: Encodable>(_ value: Value) throws {
        if isJSONColumn {
            // An optional may hold nothing; JSON would make the text null of it.
            if let optional = value as? any OptionalValue, optional.isNil { return try writer.pointee.appendNull() }
            // A text is the text of the JSON value, also where it is wrapped.
            if let text = value as? String { return try writer.pointee.append(text) }
            return try writer.pointee.append(json: value)
        }
        if writer.pointee.isNestedArrayInText { return try writer.pointee.append(json: value) }
        outcome = .nothing
        let isElement = writer.pointee.isInArray
        try value.encode(to: self)
        switch outcome {
        case .value:
            break
        case .array where !isElement:
            try writer.pointee.endArray(from: arrayStart)
        case .nothing, .object, .array:
            if writer.pointee.mode == .probing, isElement {
                // The column may turn out to be a json column, which takes the whole array.
                try writer.pointee.note(.json) { try $0.append(json: value) }
            } else if writer.pointee.mode != .binary, !isElement {
                try writer.pointee.append(json: value)
            } else {
                throw writer.pointee.failure(
                    "a nested value needs a column of type json or jsonb",
                    at: writer.pointee.column - (isElement ? 1 : 0)
                )
            }
        }
        if !isElement { noteCodable() }
        outcome = isElement ? .array : .value
    }

    private var isJSONColumn: Bool {
        guard writer.pointee.mode != .probing else { return false }
        let type = writer.pointee.upcomingType
        return type == .json || type == .jsonb
    }

    private func noteCodable() {
        guard writer.pointee.mode == .probing, !writer.pointee.isInArray, !writer.pointee.kinds.isEmpty else { return }
        writer.pointee.kinds[writer.pointee.kinds.count - 1].isCodable = true
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        outcome = .object
        return KeyedEncodingContainer(RefusingKeyedContainer<Key>(error: nil))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        outcome = .array
        if writer.pointee.isInArray { return RefusingContainer(error: nil) }
        do {
            try writer.pointee.beginArray()
        } catch {
            return RefusingContainer(error: error)
        }
        arrayStart = writer.pointee.buffer.count
        return ElementContainer(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        FieldContainer(encoder: self)
    }
}

/// Tells whether a value whose type is not known is an empty optional.
private protocol OptionalValue {
    var isNil: Bool { get }
}

extension Optional: OptionalValue {
    fileprivate var isNil: Bool { self == nil ? true : false }
}

/// A value that encodes another one in its place: a RawRepresentable, an optional, a wrapper.
private struct FieldContainer: SingleValueEncodingContainer {
    let encoder: FieldEncoder

    var codingPath: [any CodingKey] { [] }

    private func value(_ append: (inout RowWriter) throws -> Void) throws {
        try append(&encoder.writer.pointee)
        encoder.outcome = .value
    }

    func encodeNil() throws { try value { try $0.appendNull() } }
    func encode(_ value: Bool) throws { try self.value { try $0.append(value) } }
    func encode(_ value: String) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Double) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Float) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Int) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Int8) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Int16) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Int32) throws { try self.value { try $0.append(value) } }
    func encode(_ value: Int64) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt8) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt16) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt32) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt64) throws { try self.value { try $0.append(value) } }

    func encode(_ value: some Encodable) throws {
        try encoder.encode(value)
        encoder.outcome = .value
    }
}

/// The elements of an array.
private struct ElementContainer: UnkeyedEncodingContainer {
    let encoder: FieldEncoder

    var codingPath: [any CodingKey] { [] }
    var count: Int { encoder.writer.pointee.elementCount }

    func encodeNil() throws { try encoder.writer.pointee.appendNull() }
    func encode(_ value: Bool) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: String) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Double) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Float) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Int) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Int8) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Int16) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Int32) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: Int64) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt8) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt16) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt32) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt64) throws { try encoder.writer.pointee.append(value) }

    func encode(_ value: some Encodable) throws {
        try encoder.encode(value)
        encoder.outcome = .array
    }

    func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
        KeyedEncodingContainer(RefusingKeyedContainer<Nested>())
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { RefusingContainer() }
    func superEncoder() -> any Encoder { RefusingContainer() }
}
