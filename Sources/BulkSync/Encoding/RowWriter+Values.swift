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
            _ = try next(asTextOf: .bool)
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
            if type == .xid8, let wide = UInt64(exactly: value) { return field(wide) }
            if let failure = failure(ofWideIntegerIn: type) { throw failure }
            try binary(digits: String(value), type)
        case .text:
            let type = try next()
            if type != .xid8 || UInt64(exactly: value) == nil, let failure = failure(ofWideIntegerIn: type) {
                throw failure
            }
            try append(text: String(value))
        }
    }

    @inline(__always)
    mutating func append(integer value: Int64) throws(BulkSyncError) {
        switch mode {
        case .binary: try binary(value, next())
        case .probing: try note(.integer) { try $0.append(integer: value) }
        case .text: try appendText(value)
        }
    }

    private mutating func appendText(_ value: Int64) throws(BulkSyncError) {
        let type = try next(asTextOf: .integer)
        if let failure = failure(of: value, in: type) { throw failure }
        try append(text: String(value))
    }

    /// Why an integer that is not an Int64 cannot be written to a column, if so.
    private mutating func failure(ofWideIntegerIn type: FieldType) -> BulkSyncError? {
        switch type {
        case .float4, .float8: inexact(.integer, type)
        case .int2, .int4, .int8, .oid, .xid, .xid8: outOfRange(type)
        case _ where type.form(of: .integer) == .binary, _ where mode == .text && type.form(of: .integer) == .text: nil
        default: mismatch(.integer, type)
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
            let type = try next(asTextOf: .float)
            if let integer = try integer(value, type) { return try append(text: integer) }
            try append(text: type.isJSON ? Self.jsonText(value) : Self.text(value), type)
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
            let type = try next(asTextOf: .float)
            if let integer = try integer(Double(value), type) { return try append(text: integer) }
            if type.isJSON, !value.isFinite { return try append(text: Self.jsonText(Double(value))) }
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
            let type = try next(asTextOf: .decimal)
            if let integer = try integer(value, type) { return try append(text: integer) }
            if type.isJSON, value.isNaN { throw notANumberInJSON() }
            try append(text: value.description, type)
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
            try append(text: value, next())
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
            let type = try next(asTextOf: .timestamp)
            guard let text = type.isJSON ? TimestampText.isoText(value) : TimestampText.text(value) else {
                throw outOfRange(type)
            }
            try append(text: type.isJSON ? Self.quoted(text) : text)
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
            try append(word: value.uuidString.lowercased(), next(asTextOf: .uuid))
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
            if type.isJSON { return try binary(digits: Self.quoted(value.base64EncodedString()), type) }
            guard type == .bytea else { throw mismatch(.bytes, type) }
            try value.withUnsafeBytes { try field($0) }
        case .probing: try note(.bytes) { try $0.append(value) }
        case .text:
            let type = try next(asTextOf: .bytes)
            try append(text: type.isJSON ? Self.quoted(value.base64EncodedString()) : Self.text(value), type)
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
        case .text: try append(word: value.description, next(asTextOf: .date))
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
        case .text: try append(word: value.description, next(asTextOf: .time))
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
        case .text: try append(word: value.description, next(asTextOf: .interval))
        }
    }

    /// Appends a span of time, to the microsecond.
    ///
    /// - Parameter value: The value; nil is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the server's type does not reach that
    ///   far, or the column cannot take it.
    public mutating func append(_ value: Duration?) throws {
        guard let value else { return try null(.interval) }
        guard let interval = PostgresInterval(value) else {
            throw failure("the duration is out of range for type interval", at: shape.depth > 0 ? nil : column)
        }
        try append(interval)
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
            throw failure("the value cannot be written as JSON", at: shape.depth > 0 ? nil : column, underlying: error)
        }
        let type = mode == .text ? try next(asTextOf: .json) : try next()
        if NestedJSON.hasNaN(json) { throw notANumberInJSON() }
        if mode == .text {
            try append(text: String(decoding: json, as: UTF8.self), type)
        } else {
            guard type.isJSON else { throw mismatch(.json, type) }
            try json.withUnsafeBytes { try binary(json: $0, type) }
        }
    }

    mutating func notANumberInJSON() -> BulkSyncError {
        failure("a Decimal that is not a number has no form in JSON")
    }

    /// Appends the text of a range, which the caller has made.
    mutating func append(range text: String) throws {
        switch mode {
        case .probing: try note(.range) { try $0.append(range: text) }
        case .binary:
            let type = try next()
            guard type.form(of: .range) == .binary else { throw mismatch(.range, type) }
            try binary(text, type)
        case .text: try append(word: text, next(asTextOf: .range))
        }
    }

    /// Appends an array.
    ///
    /// An array of arrays is one of several dimensions, which must be rectangular. A `json` or `jsonb` column takes an array
    /// by `append(json:)`.
    ///
    /// - Parameter values: The elements, nil for NULL; nil instead of an array is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append<Element: RowValue>(_ values: [Element]?) throws {
        guard let values else { return try null(.array) }
        try beginArray()
        do {
            for value in values { try value.append(to: &self) }
        } catch {
            // Caught by the caller, it would leave half of an array.
            _ = reported(error)
            throw error
        }
        try endArray()
        if mode == .probing { recorded?.append { try $0.append(values) } }
    }

    /// Appends an array that may hold NULL.
    ///
    /// - Parameter values: The elements, nil for NULL; nil instead of an array is NULL.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if the column cannot take it.
    public mutating func append<Element: RowValue>(_ values: [Element?]?) throws {
        guard let values else { return try null(.array) }
        try beginArray()
        do {
            for value in values {
                if let value { try value.append(to: &self) } else { try null(.null) }
            }
        } catch {
            _ = reported(error)
            throw error
        }
        try endArray()
        if mode == .probing { recorded?.append { try $0.append(values) } }
    }

    /// Appends a text that stands in quotes in JSON.
    private mutating func append(word: String, _ type: FieldType) throws(BulkSyncError) {
        try append(text: type.isJSON ? Self.quoted(word) : word, type)
    }

    /// Appends the text of a value, which must be no longer than its column.
    private mutating func append(text: String, _ type: FieldType) throws(BulkSyncError) {
        if type == .name, text.utf8.count > Self.nameSize { throw longName() }
        try append(text: text)
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
extension Int128: RowValue {}
extension UInt128: RowValue {}

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

extension Duration: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

/// An array in an array is one dimension more.
extension Array: RowValue where Element: RowValue {
    /// Appends the value.
    public func append(to row: inout RowWriter) throws { try row.append(self) }
}

extension Optional: RowValue where Wrapped: RowValue {
    /// Appends the value, or a NULL.
    public func append(to row: inout RowWriter) throws {
        if let value = self { try value.append(to: &row) } else { try row.appendNull() }
    }
}
