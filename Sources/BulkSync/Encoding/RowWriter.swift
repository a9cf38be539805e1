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

    /// The first failure of the row, which ends it even if whoever writes the row catches it: half of a value may be there.
    private(set) var pendingFailure: BulkSyncError?
    private var hasFailed = false
    /// Whether the row failed for nothing but a value that can only be written as text.
    private var wantsText = false

    /// Where rows as text follow those in binary, if they do in the present bytes.
    private var formatChange: FormatChange?

    // The array that is being written, if one is; see RowWriter+Arrays.swift.
    var shape = ArrayShape()
    /// Where its elements begin in the buffer.
    var arrayStart = 0
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

    /// Takes one more column of a Codable row while it is probed, for messages.
    mutating func noteName(_ name: String) {
        names.append(name)
    }

    /// Takes the types of the columns, and decides the format: binary if each column has a binary form for what the
    /// first row holds there, and text for all of them otherwise.
    ///
    /// Text is only slower. A later row that needs it gets it: see ``goOnAsText()``.
    mutating func setTypes(_ columns: [StagedColumn]) {
        types.deallocate()
        types = .allocate(capacity: max(columns.count, 1))
        for (index, column) in columns.enumerated() {
            (types + index).initialize(to: ColumnType(column.type))
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

    /// The number of bytes that end a binary COPY.
    private static let trailerSize = 2

    mutating func endCopy() {
        if mode == .binary { buffer.append(bigEndian: Int16(-1)) }
    }

    @inline(__always)
    mutating func beginRow() {
        column = 0
        rowStart = buffer.count
        if hasFailed { forgetFailure() }
        if mode == .binary { buffer.append(bigEndian: Int16(truncatingIfNeeded: columnCount)) }
    }

    /// Ends a row, which must have a value for every column.
    @inline(__always)
    mutating func endRow() throws(BulkSyncError) {
        if column != columnCount || hasFailed { throw incomplete() }
        if mode == .text {
            if columnCount > 0 { buffer.overwriteLast(UInt8(ascii: "\n")) } else { buffer.append(UInt8(ascii: "\n")) }
        }
        rowCount += 1
    }

    /// Why the row that was probed cannot be written, if so.
    mutating func failureOfProbe(_ count: Int) -> BulkSyncError? {
        column == count && !hasFailed ? nil : incomplete(count)
    }

    @inline(never)
    private mutating func incomplete() -> BulkSyncError {
        incomplete(columnCount)
    }

    private mutating func incomplete(_ columnCount: Int) -> BulkSyncError {
        pendingFailure
            ?? failure("the row has \(column) values for \(columnCount) columns", at: min(column, columnCount - 1))
    }

    /// Forgets what a row that failed has written.
    mutating func abandonRow() {
        shape.depth = 0
        if rowStart <= buffer.count { buffer.truncate(to: rowStart) }
        forgetFailure()
        // The row for which the format was changed was refused as text, too.
        if let change = formatChange, change.offset == rowStart {
            formatChange = nil
            mode = .binary
            buffer.truncate(to: rowStart - Self.trailerSize)
        }
    }

    private mutating func forgetFailure() {
        pendingFailure = nil
        hasFailed = false
        wantsText = false
    }

    /// Prepares for a row whose values tell their kinds.
    mutating func beginProbing() {
        column = 0
        kinds.removeAll()
        shape.depth = 0
        forgetFailure()
    }

    /// Makes text of what follows, if the row failed for a value that has no binary form in its column.
    ///
    /// The rows before it cannot be written again, as nobody has them any more: they are the end of one COPY, and another
    /// one into the same table goes on with this row, which is to be written once more.
    ///
    /// - Returns: Whether the row is to be written again.
    mutating func goOnAsText() -> Bool {
        guard mode == .binary, wantsText else { return false }
        shape.depth = 0
        buffer.truncate(to: rowStart)
        forgetFailure()
        endCopy()
        formatChange = FormatChange(offset: buffer.count, rows: rowCount)
        mode = .text
        return true
    }

    /// Tells where the format changes in the bytes that are about to be sent, once.
    mutating func takeFormatChange() -> FormatChange? {
        defer { formatChange = nil }
        return formatChange
    }

    /// The error for the row that is being written, which also ends the row.
    mutating func failure(
        _ message: String,
        at index: Int? = nil,
        column name: String? = nil,
        underlying: (any Error)? = nil
    ) -> BulkSyncError {
        let index = index ?? max(0, column - 1)
        let name = name ?? (names.indices.contains(index) ? names[index] : nil)
        let place = name.map { ", column \"\($0)\"" } ?? ""
        var error = BulkSyncError(code: .encoding, message: "row \(rowCount + 1)\(place): \(message)")
        error.row = rowCount + 1
        error.column = name
        error.underlying = underlying
        note(error)
        return error
    }

    /// Takes an error for the reason that the row fails, unless it had one before.
    mutating func note(_ error: BulkSyncError) {
        if hasFailed { return }
        hasFailed = true
        pendingFailure = error
    }

    /// The error to report for a row that has failed: the first one.
    mutating func reported(_ error: any Error, at column: Int? = nil) -> BulkSyncError {
        if let pendingFailure { return pendingFailure }
        if let error = error as? BulkSyncError {
            note(error)
            return error
        }
        return failure("the row cannot be encoded", at: column, underlying: error)
    }

    /// Moves on to the column of the next value, and returns its type.
    @inline(__always)
    mutating func next() throws(BulkSyncError) -> FieldType {
        if shape.depth > 0 {
            if shape.depth != shape.leafDepth { try beginLeaves() }
            shape.count += 1
            return types[column - 1].element
        }
        if column >= columnCount { throw tooMany() }
        column += 1
        return types[column - 1].field
    }

    @inline(never)
    private mutating func tooMany() -> BulkSyncError {
        failure("the row has more values than columns", at: columnCount)
    }

    /// The type that the next value is for.
    var upcomingType: FieldType {
        if shape.depth > 0 { return types[column - 1].element }
        return column < columnCount ? types[column].field : .other
    }

    /// Moves on to the column of the next value, in a COPY as text, if the text of such a value means the value there.
    mutating func next(asTextOf kind: ValueKind) throws(BulkSyncError) -> FieldType {
        let type = try next()
        if type.form(of: kind) == .none { throw mismatch(kind, type) }
        return type
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
        if shape.depth > 0 {
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
        if shape.depth > 0 {
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

    mutating func nul() -> BulkSyncError {
        failure("a text cannot hold the character U+0000")
    }

    /// The error for a value that has no binary form in its column, and perhaps another one.
    mutating func mismatch(_ kind: ValueKind, _ type: FieldType) -> BulkSyncError {
        let isFirst = !hasFailed
        let error =
            switch (kind, type) {
            case (.json, _): failure("a nested value needs a column of type json or jsonb")
            case (_, .bytea): failure("a column of type bytea takes Data, or its text")
            case (.float, .money), (.decimal, .money):
                failure(
                    "\(kind.noun) cannot be written to a column of type money; "
                        + "give it as a text that the server's lc_monetary asks for"
                )
            default: failure("\(kind.noun) cannot be written to a column of type \(type.noun)")
            }
        if isFirst, mode == .binary, type.form(of: kind) == .text { wantsText = true }
        return error
    }

    /// Has the row written again as text, where it is decided whether its column takes the value.
    mutating func askForText(_ kind: ValueKind, _ type: FieldType) -> BulkSyncError {
        let isFirst = !hasFailed
        let error = mismatch(kind, type)
        if isFirst, mode == .binary { wantsText = true }
        return error
    }

    mutating func outOfRange(_ type: FieldType) -> BulkSyncError {
        failure("the value is out of range for type \(type.noun)")
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
