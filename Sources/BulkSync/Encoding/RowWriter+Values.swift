// Which values a row can be made of. Each is written in binary if the whole COPY is, and as text otherwise.

public import Foundation

extension RowWriter {
    /// Appends a NULL.
    ///
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the row has a value for each column already.
    public mutating func appendNull() throws {
        try null(.null)
    }

    /// Appends a boolean.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: Bool?) throws {
        guard let value else { return try null(.bool) }
        switch mode {
        case .probing: try note(.bool) { try $0.append(value) }
        case .binary: try binary(value, next())
        case .text:
            _ = try next()
            try append(text: value ? "true" : "false")
        }
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: Int?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: Int8?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: Int16?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: Int32?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: Int64?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: UInt8?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: UInt16?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append(_ value: UInt32?) throws {
        guard let value else { return try null(.integer) }
        try append(integer: Int64(value))
    }

    /// Appends an integer of any width.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if it is out of the range of the column's
    ///   type, or the column cannot take it.
    public mutating func append<Integer: FixedWidthInteger>(_ value: Integer?) throws {
        guard let value else { return try null(.integer) }
        if let narrow = Int64(exactly: value) { return try append(integer: narrow) }
        switch mode {
        case .probing: try note(.integer) { try $0.append(value) }
        case .binary:
            let type = try next()
            switch type {
            case .numeric, .text, .json, .jsonb: try binary(digits: String(value), type)
            case .float4, .float8: throw failure("the integer cannot be written exactly to a column of type \(type)")
            case .int2, .int4, .int8, .oid: throw outOfRange(type)
            default: throw mismatch("an integer", type)
            }
        case .text:
            _ = try next()
            try append(text: String(value))
        }
    }

    @inline(__always)
    mutating func append(integer value: Int64) throws(BulkSyncError) {
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.integer) { try $0.append(integer: value) }
        case .text:
            _ = try next()
            try append(text: String(value))
        }
    }

    /// Appends a floating-point number.
    ///
    /// Infinity and NaN are written as such; a `numeric` gets the shortest digits that stand for the value.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: Double?) throws {
        guard let value else { return try null(.float) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.float) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: Self.text(value))
        }
    }

    /// Appends a floating-point number of single precision.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: Float?) throws {
        guard let value else { return try null(.float) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.float) { try $0.append(value) }
        case .text:
            // What a wider column would hold does not depend on the format of the COPY.
            let type = try next()
            try append(text: type == .float8 ? Self.text(Double(value)) : Self.text(value))
        }
    }

    /// Appends a decimal number, exactly.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: Decimal?) throws {
        guard let value else { return try null(.decimal) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.decimal) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value.description)
        }
    }

    /// Appends a text.
    ///
    /// A column of any type takes it, as the server reads the text of a value; a `json` or `jsonb` column takes it as
    /// the text of the JSON value.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the text holds U+0000.
    public mutating func append(_ value: String?) throws {
        guard let value else { return try null(.string) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.string) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value)
        }
    }

    /// Appends a text.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the text holds U+0000.
    public mutating func append(_ value: Substring?) throws {
        try append(value.map(String.init))
    }

    /// Appends a point in time, to the microsecond.
    ///
    /// A `timestamp` or `date` column gets what a clock in UTC shows; `Date.distantFuture` and `.distantPast` are
    /// written as `infinity` and `-infinity`.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the server's types do not reach that
    ///   far, or the column cannot take it.
    public mutating func append(_ value: Date?) throws {
        guard let value else { return try null(.timestamp) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.timestamp) { try $0.append(value) }
        case .text:
            let type = try next()
            guard let text = TimestampText.text(value) else { throw outOfRange(type) }
            try append(text: text)
        }
    }

    /// Appends a UUID.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: UUID?) throws {
        guard let value else { return try null(.uuid) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.uuid) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value.uuidString.lowercased())
        }
    }

    /// Appends bytes, for a `bytea` column.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: Data?) throws {
        guard let value else { return try null(.bytes) }
        switch mode {
        case .binary:
            let type = try next()
            guard type == .bytea else { throw mismatch("bytes", type) }
            try value.withUnsafeBytes { try field($0) }
        case .probing: try note(.bytes) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: Self.text(value))
        }
    }

    /// Appends a day.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: PostgresDate?) throws {
        guard let value else { return try null(.date) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.date) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value.description)
        }
    }

    /// Appends a time of day.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: PostgresTime?) throws {
        guard let value else { return try null(.time) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.time) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value.description)
        }
    }

    /// Appends a span of time.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(_ value: PostgresInterval?) throws {
        guard let value else { return try null(.interval) }
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.interval) { try $0.append(value) }
        case .text:
            _ = try next()
            try append(text: value.description)
        }
    }

    /// Appends a value as JSON, for a `json` or `jsonb` column: dates as ISO 8601, bytes as Base64.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append(json value: (some Encodable)?) throws {
        guard let value else { return try null(.json) }
        if mode == .probing { return try note(.json) { try $0.append(json: value) } }
        let json: Data
        do {
            json = try NestedJSON.encoder.encode(value)
        } catch {
            var failure = failure("the value cannot be written as JSON", at: column)
            failure.underlying = error
            throw failure
        }
        let type = try next()
        if mode == .text {
            try append(text: String(decoding: json, as: UTF8.self))
        } else {
            guard type == .json || type == .jsonb else { throw mismatch("a nested value", type) }
            try json.withUnsafeBytes { try binary(json: $0, type) }
        }
    }

    /// Appends an array.
    ///
    /// - Parameter values: The elements, nil for NULL; nil instead of an array is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append<Element: RowValue>(_ values: [Element]?) throws {
        guard let values else { return try null(.array) }
        try beginArray()
        let start = buffer.count
        for value in values { try value.append(to: &self) }
        try endArray(from: start)
        if mode == .probing { recorded?.append { try $0.append(values) } }
    }

    /// Appends an array that may hold NULL.
    ///
    /// - Parameter values: The elements, nil for NULL; nil instead of an array is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append<Element: RowValue>(_ values: [Element?]?) throws {
        guard let values else { return try null(.array) }
        try beginArray()
        let start = buffer.count
        for value in values {
            if let value { try value.append(to: &self) } else { try null(.null) }
        }
        try endArray(from: start)
        if mode == .probing { recorded?.append { try $0.append(values) } }
    }

    mutating func null(_ kind: ValueKind) throws(BulkSyncError) {
        switch mode {
        case .probing: try note(kind) { try $0.null(kind) }
        case .binary:
            _ = try next()
            buffer.append(bigEndian: Int32(-1))
        case .text:
            _ = try next()
            try append(text: nil)
        }
    }
}

/// A value that can be an element of an array in a row.
public protocol RowValue {
    /// Appends the value.
    ///
    /// - Parameter row: What takes the values of the row.
    /// - Throws: What `append` throws.
    func append(to row: inout RowWriter) throws
}

extension Bool: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension RowValue where Self: FixedWidthInteger {
    /// Appends the value.
    ///
    /// - Parameter row: What takes the values of the row.
    /// - Throws: What `append` throws.
    public func append(to row: inout RowWriter) throws { try row.append(Optional(self)) }
}

extension Int: RowValue {}
extension Int8: RowValue {}
extension Int16: RowValue {}
extension Int32: RowValue {}
extension Int64: RowValue {}
extension UInt: RowValue {}
extension UInt8: RowValue {}
extension UInt16: RowValue {}
extension UInt32: RowValue {}
extension UInt64: RowValue {}

extension Double: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension Float: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension Decimal: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension String: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension Date: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension UUID: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension Data: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension PostgresDate: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension PostgresTime: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension PostgresInterval: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}
