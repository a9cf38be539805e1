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
    private mutating func field<Integer: FixedWidthInteger>(_ value: Integer) {
        buffer.reserve(4 + MemoryLayout<Integer>.size)
        buffer.append(bigEndian: Int32(MemoryLayout<Integer>.size))
        buffer.append(bigEndian: value)
    }

    mutating func binary(_ value: Bool, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .bool: field(UInt8(value ? 1 : 0))
        case .text, .json, .jsonb: try binary(digits: value ? "true" : "false", type)
        default: throw mismatch("a boolean", type)
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
        switch type {
        case .int2:
            guard let narrow = Int16(exactly: value) else { throw outOfRange(type) }
            field(narrow)
        case .oid:
            guard let narrow = UInt32(exactly: value) else { throw outOfRange(type) }
            field(narrow)
        case .float8:
            guard let float = Double(exactly: value) else { throw inexact(type) }
            field(float.bitPattern)
        case .float4:
            guard let float = Float(exactly: value) else { throw inexact(type) }
            field(float.bitPattern)
        case .numeric: numeric(magnitude: UInt128(value.magnitude), exponent: 0, isNegative: value < 0)
        case .text, .json, .jsonb: try binary(digits: String(value), type)
        default: throw mismatch("an integer", type)
        }
    }

    private func inexact(_ type: FieldType) -> BulkSyncError {
        failure("the integer cannot be written exactly to a column of type \(type)")
    }

    mutating func binary(_ value: Double, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .float8: field(value.bitPattern)
        case .float4:
            let narrow = Float(value)
            // A value that only the wider type holds would become infinite, or nothing.
            if value.isFinite != narrow.isFinite || (value != 0 && narrow == 0) { throw outOfRange(type) }
            field(narrow.bitPattern)
        case .numeric, .text: try binary(digits: Self.text(value), type)
        default: throw mismatch("a floating-point number", type)
        }
    }

    mutating func binary(_ value: Float, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .float8: field(Double(value).bitPattern)
        case .float4: field(value.bitPattern)
        case .numeric, .text: try binary(digits: Self.text(value), type)
        default: throw mismatch("a floating-point number", type)
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
        case .text: try binary(digits: value.description, type)
        default: throw mismatch("a decimal number", type)
        }
    }

    @inline(__always)
    mutating func binary(_ value: String, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .text, .json:
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
        default: throw mismatch("a text", type)
        }
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
        case .text: try binary(TimestampText.text(value) ?? "", type)
        default: throw mismatch("a Date", type)
        }
    }

    mutating func binary(_ value: UUID, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .uuid:
            var bytes = value.uuid
            buffer.append(bigEndian: Int32(16))
            withUnsafeBytes(of: &bytes) { buffer.append($0) }
        case .text: try binary(value.uuidString.lowercased(), type)
        default: throw mismatch("a UUID", type)
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
        case .text: try binary(value.description, type)
        default: throw mismatch("a day", type)
        }
    }

    mutating func binary(_ value: PostgresTime, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .time: field(value.microseconds)
        case .text: try binary(value.description, type)
        default: throw mismatch("a time of day", type)
        }
    }

    mutating func binary(_ value: PostgresInterval, _ type: FieldType) throws(BulkSyncError) {
        switch type {
        case .interval:
            buffer.append(bigEndian: Int32(16))
            buffer.append(bigEndian: value.microseconds)
            buffer.append(bigEndian: value.days)
            buffer.append(bigEndian: value.months)
        case .text: try binary(value.description, type)
        default: throw mismatch("an interval", type)
        }
    }

    /// Appends a number, or a word that a text column takes, by its text.
    mutating func binary(digits: String, _ type: FieldType) throws(BulkSyncError) {
        guard type == .numeric else { return try binary(digits, type) }
        switch digits {
        case "NaN": specialNumeric(0xC000)
        case "Infinity": specialNumeric(0xD000)
        case "-Infinity": specialNumeric(0xF000)
        default:
            guard let number = DecimalText(digits) else { throw mismatch("the number", type) }
            numeric(number.digits, exponent: number.exponent, isNegative: number.isNegative)
        }
    }
}

/// Arrays of one dimension, from index 1.
extension RowWriter {
    mutating func beginArray() throws {
        if isInArray { throw failure("an array of arrays cannot be written") }
        if mode == .probing {
            elementKind = .null
            column += 1
        } else {
            let type = try next()
            if mode == .binary {
                guard type == .array else { throw mismatch("an array", type) }
                for _ in 0..<6 { buffer.append(bigEndian: Int32(0)) }
            }
            textElements.removeAll(keepingCapacity: true)
        }
        elementCount = 0
        isInArray = true
    }

    /// Ends an array whose elements begin at an offset of the buffer.
    mutating func endArray(from start: Int) throws {
        isInArray = false
        switch mode {
        case .probing:
            kinds.append(ColumnKind(kind: .array, element: elementKind))
            if !names.isEmpty, column > names.count {
                throw failure("the row has more values than columns", at: names.count)
            }
        case .text:
            try append(text: arrayText(textElements))
        case .binary:
            let header = start - 24
            if elementCount == 0 { buffer.truncate(to: header + 16) }
            guard let length = Int32(exactly: buffer.count - header - 4) else {
                throw failure("the value is longer than 2 GiB")
            }
            buffer.overwrite(at: header, bigEndian: length)
            buffer.overwrite(at: header + 4, bigEndian: Int32(elementCount == 0 ? 0 : 1))
            // Whether there are NULLs is for the server to see: it reads the lengths.
            buffer.overwrite(at: header + 8, bigEndian: Int32(0))
            buffer.overwrite(at: header + 12, bigEndian: types[column - 1].elementOID)
            if elementCount > 0 {
                buffer.overwrite(at: header + 16, bigEndian: Int32(elementCount))
                buffer.overwrite(at: header + 20, bigEndian: Int32(1))
            }
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
