// How one value of a Codable row is written: a type that has a form of its own, else whatever its `encode(to:)` makes of it.

import Foundation

/// Encodes the value of one column.
final class FieldEncoder: Encoder {
    /// The writer of the row encoder that owns this one.
    let writer: UnsafeMutablePointer<RowWriter>
    /// What the value that is encoded has turned out to be.
    fileprivate var outcome = Outcome.nothing
    /// Whether the array that is encoded has elements that only JSON can hold.
    fileprivate var holdsNested = false

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
        if Value.self == Duration.self { return try known(unsafeBitCast(value, as: Duration.self)) }
        // Foundation's own encoders take it for a text, too; its encode(to:) writes an object.
        if Value.self == URL.self, !isJSONColumn {
            return try encodeAny(unsafeBitCast(value, as: URL.self).absoluteString)
        }
        try encodeAny(value)
    }

    private func unsafeBitCast<Value, Result>(_ value: Value, as: Result.Type) -> Result {
        Swift.unsafeBitCast(value, to: Result.self)
    }

    private func known(_ value: some RowValue) throws {
        try value.append(to: &writer.pointee)
        outcome = .value
    }

    /// Writes a NULL where a value of some type could have been.
    func encodeNil<Value: Encodable>(of type: Value.Type) throws {
        let kind: ValueKind =
            if type == Date.self { .timestamp } else if type == UUID.self { .uuid } else if type == Decimal.self {
                .decimal
            } else if type == Data.self { .bytes } else if type == PostgresDate.self {
                .date
            } else if type == PostgresTime.self { .time } else if type == PostgresInterval.self {
                .interval
            } else if type == Duration.self { .interval } else { .null }
        try writer.pointee.null(kind)
    }

    /// A value whose type has no form of its own: an enumeration, an array, an optional, a nested structure.
    private func encodeAny<Value: Encodable>(_ value: Value) throws {
        if isJSONColumn { return try encodeJSON(value) }
        // Its own encode(to:) makes an array of the bounds.
        if let range = value as? any TextualRange {
            guard let text = range.text else {
                throw writer.pointee.failure(
                    "a range of this type cannot be written; give its text instead", at: upcomingColumn)
            }
            return try writer.pointee.append(range: text)
        }
        let depth = writer.pointee.shape.depth
        let column = upcomingColumn
        if depth == 0 { holdsNested = false }
        outcome = .nothing
        do {
            try value.encode(to: self)
        } catch {
            throw writer.pointee.reported(error, at: column)
        }
        switch outcome {
        case .value:
            break
        case .array:
            // A value that asks for a second container, or for none where it had one, is none that a column could hold.
            guard writer.pointee.shape.depth == depth + 1 else {
                throw writer.pointee.failure("the value cannot be encoded", at: upcomingColumn)
            }
            if depth == 0, holdsNested, writer.pointee.mode != .probing {
                writer.pointee.takeBackArray()
                try writer.pointee.append(json: value)
            } else {
                try writer.pointee.endArray()
            }
        case .nothing, .object:
            if depth == 0 {
                try writer.pointee.append(json: value)
            } else {
                // The whole array becomes JSON, if its column takes that.
                holdsNested = true
                if writer.pointee.mode == .probing { try writer.pointee.note(.json) { _ in } }
            }
        }
        outcome = depth == 0 ? .value : .array
    }

    private func encodeJSON<Value: Encodable>(_ value: Value) throws {
        // An optional may hold nothing; JSON would make the text null of it.
        if let optional = value as? any OptionalValue {
            guard let wrapped = optional.wrapped else { return try writer.pointee.appendNull() }
            return try encode(wrapped)
        }
        switch value {
        // A text is the text of the JSON value, also where it is wrapped.
        case let text as String: try writer.pointee.append(text)
        case let number as Double: try writer.pointee.append(number)
        case let number as Float: try writer.pointee.append(number)
        default: try writer.pointee.append(json: value)
        }
    }

    private var isJSONColumn: Bool {
        writer.pointee.mode != .probing && writer.pointee.upcomingType.isJSON
    }

    /// Refuses a second value in the place of one, which would go into the next column.
    fileprivate func refuseSecond() throws {
        if outcome == .nothing { return }
        throw writer.pointee.failure(
            "the value is encoded more than once", at: outcome == .object ? upcomingColumn : nil)
    }

    /// The column of a value of which nothing is written yet.
    private var upcomingColumn: Int {
        writer.pointee.column - (writer.pointee.shape.depth > 0 ? 1 : 0)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        outcome = .object
        return KeyedEncodingContainer(RefusingKeyedContainer<Key>(error: nil))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        do {
            try writer.pointee.beginArray()
        } catch {
            return RefusingContainer(error: error)
        }
        outcome = .array
        return ElementContainer(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        FieldContainer(encoder: self)
    }
}

/// Tells what is in a value whose type is not known to be an optional.
private protocol OptionalValue {
    var wrapped: (any Encodable)? { get }
}

extension Optional: OptionalValue {
    fileprivate var wrapped: (any Encodable)? { flatMap { $0 as? any Encodable } }
}

/// A value that encodes another one in its place: a RawRepresentable, an optional, a wrapper.
private struct FieldContainer: SingleValueEncodingContainer {
    let encoder: FieldEncoder

    var codingPath: [any CodingKey] { [] }

    private func value(_ append: (inout RowWriter) throws -> Void) throws {
        try encoder.refuseSecond()
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
    func encode(_ value: Int128) throws { try self.value { try $0.append(value) } }
    func encode(_ value: UInt128) throws { try self.value { try $0.append(value) } }

    func encode(_ value: some Encodable) throws {
        try encoder.refuseSecond()
        try encoder.encode(value)
        encoder.outcome = .value
    }
}

/// The elements of an array.
private struct ElementContainer: UnkeyedEncodingContainer {
    let encoder: FieldEncoder

    var codingPath: [any CodingKey] { [] }
    var count: Int { encoder.writer.pointee.shape.count }

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
    func encode(_ value: Int128) throws { try encoder.writer.pointee.append(value) }
    func encode(_ value: UInt128) throws { try encoder.writer.pointee.append(value) }

    func encode(_ value: some Encodable) throws {
        try encoder.encode(value)
        encoder.outcome = .array
    }

    // What is encoded so is nested, and comes with the whole value, as JSON.

    func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
        KeyedEncodingContainer(RefusingKeyedContainer<Nested>(error: noteNested()))
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { RefusingContainer(error: noteNested()) }
    func superEncoder() -> any Encoder { RefusingContainer(error: noteNested()) }

    private func noteNested() -> (any Error)? {
        encoder.holdsNested = true
        guard encoder.writer.pointee.mode == .probing else { return nil }
        do {
            try encoder.writer.pointee.note(.json) { _ in }
            return nil
        } catch {
            return error
        }
    }
}
