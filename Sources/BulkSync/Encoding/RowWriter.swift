// How the values of one row become a tuple of a COPY. The values by type are in RowWriter+Values.swift, the bytes of each
// in RowWriter+Binary.swift.

import Foundation

/// Takes the values of a row, one after the other, in the order of its columns.
///
/// A row that conforms to ``RowEncodable`` writes itself:
///
/// ```swift
/// extension Employee: RowEncodable {
///     static let columns = ["name", "phone", "age"]
///
///     func encode(to row: inout RowWriter) throws {
///         try row.append(name)
///         try row.append(phone)
///         try row.append(age)
///     }
/// }
/// ```
public struct RowWriter: ~Copyable {
    /// What the writer does with values.
    enum Mode {
        /// Learn their kinds, and write nothing.
        case probing
        case binary
        case text
    }

    var mode = Mode.probing
    var buffer: CopyBuffer
    /// The number of rows that are complete.
    private(set) var rowCount = 0

    // The columns. They are known, but for their types, before the first row is probed; a Codable row's are found then.
    private(set) var names: [String] = []
    private(set) var types: UnsafeMutablePointer<ColumnType>
    private(set) var columnCount = 0
    var kinds: [ColumnKind] = []
    /// The values of the row that is probed, for a row that can be had only once; nil where it can be had again.
    var recorded: [(inout RowWriter) throws -> Void]?
    /// The keys of a Codable row's columns.
    ///
    /// They and the flag are here, behind a pointer, and not in the encoder's object, where each look at them would
    /// cost a check for overlapping access.
    private(set) var keys: UnsafeMutablePointer<String>
    private var keyCount = 0
    /// Whether the next key is expected to be that of the next column.
    var expectsOrder = false

    // The row that is being written.
    /// The column that the next value belongs to.
    var column = 0
    /// Where the row begins in the buffer.
    var rowStart = 0

    // The array that is being written, if one is.
    var isInArray = false
    var elementCount = 0
    var elementKind = ValueKind.null
    var textElements: [String?] = []

    init(names: [String]) {
        buffer = CopyBuffer(capacity: 64)
        types = .allocate(capacity: 1)
        keys = .allocate(capacity: 1)
        self.names = names
        columnCount = names.count
    }

    deinit {
        types.deallocate()
        keys.deinitialize(count: keyCount)
        keys.deallocate()
    }

    /// Takes the columns of a Codable row and their keys, as its first row told them.
    mutating func setNames(_ names: [String], keys: [String]) {
        self.names = names
        columnCount = names.count
        self.keys.deinitialize(count: keyCount)
        self.keys.deallocate()
        keyCount = keys.count
        self.keys = .allocate(capacity: max(keyCount, 1))
        for (index, key) in keys.enumerated() { (self.keys + index).initialize(to: key) }
    }

    /// Takes the types of the columns, and decides the format: binary if each column has a binary form for what the
    /// first row holds there, and text for all of them otherwise.
    ///
    /// Text is never wrong, only slower; but the server takes any text for bytes, so that a column of bytes is for bytes.
    mutating func setTypes(_ columns: [StagedColumn]) throws(BulkSyncError) {
        types.deallocate()
        types = .allocate(capacity: max(columns.count, 1))
        for (index, column) in columns.enumerated() {
            (types + index).initialize(to: ColumnType(column.type))
        }
        for (index, kind) in kinds.enumerated() where index < columns.count && !types[index].canMean(kind) {
            throw failure("a column of type bytea takes Data, or its text", at: index)
        }
        let isBinary = kinds.count == columns.count && kinds.indices.allSatisfy { types[$0].takes(kinds[$0]) }
        mode = isBinary ? .binary : .text
    }

    var format: CopyFormat {
        mode == .binary ? .binary : .text
    }

    /// Begins what the server expects before the first row.
    mutating func beginCopy() {
        guard mode == .binary else { return }
        for byte in [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00] as [UInt8] {
            buffer.append(byte)
        }
        buffer.append(bigEndian: Int32(0))
        buffer.append(bigEndian: Int32(0))
    }

    mutating func endCopy() {
        if mode == .binary { buffer.append(bigEndian: Int16(-1)) }
    }

    @inline(__always)
    mutating func beginRow() {
        column = 0
        rowStart = buffer.count
        if mode == .binary { buffer.append(bigEndian: Int16(truncatingIfNeeded: columnCount)) }
    }

    /// Ends a row, which must have a value for every column.
    @inline(__always)
    mutating func endRow() throws(BulkSyncError) {
        if column != columnCount {
            throw failure("the row has \(column) values for \(columnCount) columns", at: min(column, columnCount - 1))
        }
        if mode == .text {
            if columnCount > 0 { buffer.overwriteLast(UInt8(ascii: "\n")) } else { buffer.append(UInt8(ascii: "\n")) }
        }
        rowCount += 1
    }

    /// Forgets what a row that failed has written.
    mutating func abandonRow() {
        isInArray = false
        if rowStart <= buffer.count { buffer.truncate(to: rowStart) }
    }

    /// The error for the row that is being written.
    func failure(_ message: String, at column: Int? = nil) -> BulkSyncError {
        let index = column ?? max(0, self.column - 1)
        let name = names.indices.contains(index) ? names[index] : nil
        let place = name.map { ", column \"\($0)\"" } ?? ""
        var error = BulkSyncError(code: .encoding, message: "row \(rowCount + 1)\(place): \(message)")
        error.row = rowCount + 1
        error.column = name
        return error
    }

    /// Moves on to the column of the next value, and returns its type.
    @inline(__always)
    mutating func next() throws(BulkSyncError) -> FieldType {
        if isInArray {
            elementCount += 1
            return types[column - 1].element
        }
        if column >= columnCount { throw tooMany() }
        column += 1
        return types[column - 1].field
    }

    @inline(never)
    private func tooMany() -> BulkSyncError {
        failure("the row has more values than columns", at: columnCount)
    }

    /// The type that the next value is for.
    var upcomingType: FieldType {
        if isInArray { return types[column - 1].element }
        return column < columnCount ? types[column].field : .other
    }

    /// Whether the next value is an array whose elements have no form of their own, for a column that gets text.
    var isNestedArrayInText: Bool {
        guard mode == .text, !isInArray, column < kinds.count else { return false }
        return kinds[column].kind == .array && kinds[column].element == .json
    }

    /// Notes what a value of the first row is.
    ///
    /// - Parameters:
    ///   - kind: What it is.
    ///   - append: Appends the value again.
    /// - Throws: ``BulkSyncError`` if the row has more values than columns.
    mutating func note(
        _ kind: ValueKind,
        _ append: @escaping (inout RowWriter) throws -> Void
    ) throws(BulkSyncError) {
        if isInArray {
            if elementKind == .null || kind == .json { elementKind = kind }
            return
        }
        column += 1
        kinds.append(ColumnKind(kind: kind))
        recorded?.append(append)
        if !names.isEmpty, column > names.count { throw tooMany() }
    }

    /// Writes a value as text: a field, or an element of an array.
    mutating func append(text: String?) throws(BulkSyncError) {
        if isInArray {
            if let text, text.utf8.contains(0) { throw nul() }
            textElements.append(text)
            return
        }
        guard var text else {
            buffer.append(UInt8(ascii: "\\"))
            buffer.append(UInt8(ascii: "N"))
            buffer.append(UInt8(ascii: "\t"))
            return
        }
        var hasNul = false
        text.withUTF8 { bytes in
            buffer.reserve(2 * bytes.count + 1)
            for byte in bytes {
                switch byte {
                case 0: hasNul = true
                case UInt8(ascii: "\t"): escape(UInt8(ascii: "t"))
                case UInt8(ascii: "\n"): escape(UInt8(ascii: "n"))
                case UInt8(ascii: "\r"): escape(UInt8(ascii: "r"))
                case UInt8(ascii: "\\"): escape(UInt8(ascii: "\\"))
                default: buffer.append(byte)
                }
            }
        }
        if hasNul { throw nul() }
        buffer.append(UInt8(ascii: "\t"))
    }

    @inline(__always)
    private mutating func escape(_ byte: UInt8) {
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(byte)
    }

    func nul() -> BulkSyncError {
        failure("a text cannot hold the character U+0000")
    }

    func mismatch(_ value: String, _ type: FieldType) -> BulkSyncError {
        failure("\(value) cannot be written to a column of type \(type == .array ? "array" : "\(type)")")
    }

    func outOfRange(_ type: FieldType) -> BulkSyncError {
        failure("the value is out of range for type \(type)")
    }
}

/// A row that writes itself, without `Codable`: the fast way.
///
/// ```swift
/// struct Price: RowEncodable {
///     var sku: String
///     var amount: Decimal
///
///     static let columns = ["sku", "amount"]
///
///     func encode(to row: inout RowWriter) throws {
///         try row.append(sku)
///         try row.append(amount)
///     }
/// }
/// ```
public protocol RowEncodable {
    /// The exact names of the columns, in the order in which ``encode(to:)`` appends their values.
    static var columns: [String] { get }

    /// Appends one value for each column.
    ///
    /// - Parameter row: What takes the values.
    /// - Throws: What `append` throws, or an error of its own, which ends the operation.
    func encode(to row: inout RowWriter) throws
}
