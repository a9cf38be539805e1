// The bytes of each value in a binary COPY: a length, and what the receive function of the type reads.

import Foundation

extension RowWriter {
    /// Appends bytes as they are, behind their length.
    @inline(__always)
    mutating func field(_ bytes: UnsafeRawBufferPointer) throws(BulkSyncError) {
        guard let length = Int32(exactly: bytes.count) else { throw failure("the value is longer than 2 GiB") }
        buffer.append(bigEndian: length)
        buffer.append(bytes)
    }

    @inline(__always)
    mutating func field<Integer: FixedWidthInteger>(_ value: Integer) {
        buffer.reserve(4 + MemoryLayout<Integer>.size)
        buffer.append(bigEndian: Int32(MemoryLayout<Integer>.size))
        buffer.append(bigEndian: value)
    }

    mutating func binary(_ value: Bool, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .bool: field(UInt8(value ? 1 : 0))
        case .text, .name, .json, .jsonb: try binary(digits: value ? "true" : "false", type)
        default: throw mismatch(.bool, type)
        }
    }

    @inline(__always)
    mutating func binary(_ value: Int64, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .int8: field(value)
        case .int4:
            guard let narrow = Int32(exactly: value) else { throw outOfRange(type) }
            field(narrow)
        default: try other(value, type)
        }
    }

    @inline(never)
    private mutating func other(_ value: Int64, _ type: FieldType) throws(BulkSyncError) {
        if let failure = failure(of: value, in: type) { throw failure }
        switch type {
        case .int2: field(Int16(truncatingIfNeeded: value))
        case .oid, .xid: field(UInt32(truncatingIfNeeded: value))
        case .xid8: field(value)
        case .float8: field(Double(value).bitPattern)
        case .float4: field(Float(value).bitPattern)
        case .numeric: numeric(magnitude: UInt128(value.magnitude), exponent: 0, isNegative: value < 0)
        case .text, .name, .json, .jsonb: try binary(digits: String(value), type)
        default: throw mismatch(.integer, type)
        }
    }

    /// Why a column cannot take an integer, if so.
    ///
    /// As text, the server would round one for `real`, and take a negative one for the `oid` that has the same bits.
    mutating func failure(of value: Int64, in type: FieldType) -> BulkSyncError? {
        switch type {
        case .int2: Int16(exactly: value) == nil ? outOfRange(type) : nil
        case .int4: Int32(exactly: value) == nil ? outOfRange(type) : nil
        case .oid, .xid: UInt32(exactly: value) == nil ? outOfRange(type) : nil
        case .xid8: value < 0 ? outOfRange(type) : nil
        case .float4: Float(exactly: value) == nil ? inexact(.integer, type) : nil
        case .float8: Double(exactly: value) == nil ? inexact(.integer, type) : nil
        default: nil
        }
    }

    mutating func inexact(_ kind: ValueKind, _ type: FieldType) -> BulkSyncError {
        failure("\(kind.noun) cannot be written exactly to a column of type \(type.noun)")
    }

    /// The whole number that a column of integers gets for a number with a point; nil for another column.
    private mutating func whole(_ value: Double, _ type: FieldType) throws(BulkSyncError) -> Int64? {
        guard type.isInteger else { return nil }
        guard let whole = Int64(exactly: value) else { throw inexact(.float, type) }
        if let failure = failure(of: whole, in: type) { throw failure }
        return whole
    }

    private mutating func whole(_ value: Decimal, _ type: FieldType) throws(BulkSyncError) -> Int64? {
        guard type.isInteger else { return nil }
        guard !value.isNaN, let whole = Int64(value.description) else { throw inexact(.decimal, type) }
        if let failure = failure(of: whole, in: type) { throw failure }
        return whole
    }

    /// The text of the whole number that a column of integers gets.
    mutating func integer(_ value: Double, _ type: FieldType) throws(BulkSyncError) -> String? {
        try whole(value, type).map { String($0) }
    }

    mutating func integer(_ value: Decimal, _ type: FieldType) throws(BulkSyncError) -> String? {
        try whole(value, type).map { String($0) }
    }

    mutating func binary(_ value: Double, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .float8: field(value.bitPattern)
        case .float4:
            let narrow = Float(value)
            // A value that only the wider type holds would become infinite, or nothing.
            if value.isFinite != narrow.isFinite || (value != 0 && narrow == 0) { throw outOfRange(type) }
            field(narrow.bitPattern)
        case .numeric, .text, .name: try binary(digits: Self.text(value), type)
        case .json, .jsonb: try binary(digits: Self.jsonText(value), type)
        default:
            guard let whole = try whole(value, type) else { throw mismatch(.float, type) }
            try binary(whole, type)
        }
    }

    mutating func binary(_ value: Float, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .float8: field(Double(value).bitPattern)
        case .float4: field(value.bitPattern)
        case .numeric, .text, .name: try binary(digits: Self.text(value), type)
        case .json, .jsonb:
            try binary(digits: value.isFinite ? Self.text(value) : Self.jsonText(Double(value)), type)
        default:
            guard let whole = try whole(Double(value), type) else { throw mismatch(.float, type) }
            try binary(whole, type)
        }
    }

    mutating func binary(_ value: Decimal, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .numeric:
            if value.isNaN {
                specialNumeric(0xC000)
            } else if let magnitude = value.magnitude128 {
                numeric(magnitude: magnitude, exponent: value.exponent, isNegative: value.sign == .minus)
            } else {
                try binary(digits: value.description, type)
            }
        case .text, .name: try binary(digits: value.description, type)
        case .json, .jsonb:
            if value.isNaN { throw notANumberInJSON() }
            try binary(digits: value.description, type)
        case .float8:
            guard let float = Self.float(value, Double.self) else { throw outOfRange(type) }
            field(float.bitPattern)
        case .float4:
            guard let float = Self.float(value, Float.self) else { throw outOfRange(type) }
            field(float.bitPattern)
        default:
            guard let whole = try whole(value, type) else { throw mismatch(.decimal, type) }
            try binary(whole, type)
        }
    }

    /// The number next to a decimal one; nil if that is infinite, or zero where the decimal number is not.
    private static func float<Float: BinaryFloatingPoint & LosslessStringConvertible>(
        _ value: Decimal,
        _ type: Float.Type
    ) -> Float? {
        if value.isNaN { return .nan }
        guard let float = Float(value.description), float.isFinite, (float == 0) == value.isZero else { return nil }
        return float
    }

    @inline(__always)
    mutating func binary(_ value: String, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .text, .json, .name:
            if type == .name, value.utf8.count > Self.nameSize { throw longName() }
            var value = value
            let isClean = value.withUTF8 { bytes in
                buffer.reserve(4 + bytes.count)
                buffer.append(bigEndian: Int32(truncatingIfNeeded: bytes.count))
                buffer.append(UnsafeRawBufferPointer(bytes))
                guard let base = bytes.baseAddress, !bytes.isEmpty else { return true }
                return bytes.count <= Int32.max && memchr(base, 0, bytes.count) == nil
            }
            if !isClean { throw nul() }
        case .jsonb:
            if value.utf8.contains(0) { throw nul() }
            // The version of the form stands before the text.
            guard let length = Int32(exactly: value.utf8.count + 1) else {
                throw failure("the value is longer than 2 GiB")
            }
            buffer.append(bigEndian: length)
            buffer.append(1)
            var value = value
            value.withUTF8 { buffer.append(UnsafeRawBufferPointer($0)) }
        default: throw mismatch(.string, type)
        }
    }

    /// The length of a `name` in bytes; what is longer, the server would cut off.
    static let nameSize = 63

    mutating func longName() -> BulkSyncError {
        failure("the text is longer than \(Self.nameSize) bytes, which is all a column of type name holds")
    }

    mutating func binary(json bytes: UnsafeRawBufferPointer, _ type: FieldType) throws(BulkSyncError) {
        guard type == .jsonb else { return try field(bytes) }
        guard let length = Int32(exactly: bytes.count + 1) else { throw failure("the value is longer than 2 GiB") }
        buffer.append(bigEndian: length)
        // The version of the form.
        buffer.append(1)
        buffer.append(bytes)
    }

    mutating func binary(_ value: Date, _ type: FieldType) throws(BulkSyncError) {
        guard let microseconds = TimestampText.microseconds(value) else { throw outOfRange(type) }
        switch type {
        case .timestamptz, .timestamp: field(microseconds)
        case .date:
            if microseconds == .max || microseconds == .min {
                field(microseconds == .max ? Int32.max : Int32.min)
            } else {
                field(Int32(CivilCalendar.split(microseconds, by: TimestampText.microsecondsPerDay).whole))
            }
        case .text, .name: try binary(TimestampText.text(value) ?? "", type)
        case .json, .jsonb: try binary(word: TimestampText.isoText(value) ?? "", type)
        default: throw mismatch(.timestamp, type)
        }
    }

    mutating func binary(_ value: UUID, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .uuid:
            var bytes = value.uuid
            buffer.append(bigEndian: Int32(16))
            withUnsafeBytes(of: &bytes) { buffer.append($0) }
        case .text, .name, .json, .jsonb: try binary(word: value.uuidString.lowercased(), type)
        default: throw mismatch(.uuid, type)
        }
    }

    mutating func binary(_ value: PostgresDate, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .date: field(value.daysSince2000)
        case .timestamp:
            switch value {
            case .infinity: field(Int64.max)
            case .minusInfinity: field(Int64.min)
            default:
                let (product, overflow) = Int64(value.daysSince2000).multipliedReportingOverflow(
                    by: TimestampText.microsecondsPerDay)
                if overflow { throw outOfRange(type) }
                field(product)
            }
        case .text, .name, .json, .jsonb: try binary(word: value.description, type)
        default: throw mismatch(.date, type)
        }
    }

    mutating func binary(_ value: PostgresTime, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .time: field(value.microseconds)
        case .text, .name, .json, .jsonb: try binary(word: value.description, type)
        default: throw mismatch(.time, type)
        }
    }

    mutating func binary(_ value: PostgresInterval, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .interval:
            buffer.append(bigEndian: Int32(16))
            buffer.append(bigEndian: value.microseconds)
            buffer.append(bigEndian: value.days)
            buffer.append(bigEndian: value.months)
        case .text, .name, .json, .jsonb: try binary(word: value.description, type)
        default: throw mismatch(.interval, type)
        }
    }

    /// Appends a text that stands in quotes in JSON.
    private mutating func binary(word: String, _ type: FieldType) throws(BulkSyncError) {
        try binary(type.isJSON ? Self.quoted(word) : word, type)
    }

    /// Appends a number, or a word that a text column takes, by its text.
    mutating func binary(digits: String, _ type: FieldType) throws(BulkSyncError) {
        guard type == .numeric else { return try binary(digits, type) }
        switch digits {
        case "NaN": specialNumeric(0xC000)
        case "Infinity": specialNumeric(0xD000)
        case "-Infinity": specialNumeric(0xF000)
        default:
            guard let number = DecimalText(digits) else { throw outOfRange(type) }
            numeric(number.digits, exponent: number.exponent, isNegative: number.isNegative)
        }
    }
}

/// The texts of values that are not the description of their Swift type.
extension RowWriter {
    static func text(_ value: Double) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : withoutPoint("\(value)")
    }

    static func text(_ value: Float) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : withoutPoint("\(value)")
    }

    /// JSON has no infinity; the server's own functions make texts of it, and of NaN.
    static func jsonText(_ value: Double) -> String {
        value.isFinite ? text(value) : quoted(text(value))
    }

    /// A text of letters, digits and the like in quotes, as JSON has it.
    static func quoted(_ word: String) -> String {
        "\"" + word + "\""
    }

    private static func withoutPoint(_ text: String) -> String {
        text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    static func text(_ value: Data) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = [UInt8(ascii: "\\"), UInt8(ascii: "x")]
        text.reserveCapacity(2 + 2 * value.count)
        for byte in value {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
