/// What a row is in the binary format of COPY.
///
/// The bytes are sent as they are; here their framing is checked, so that a file that was cut off or damaged is
/// refused, and its rows are counted.
final class BinaryParser: RecordParser {
    private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    let place: FilePlace
    private(set) var columns: [String]?
    private(set) var rowCount = 0
    private var fieldCount = 0
    /// The position in the file.
    private var offset = 0
    /// The bytes before the first row, which are sent with it.
    private var header: [UInt8] = []
    private var hasTrailer = false

    init(_ selection: ColumnSelection) throws(BulkSyncError) {
        place = selection.place
        columns = selection.columns
        if selection.hasNames {
            throw BulkSyncError(
                code: .invalidArgument,
                "columns cannot be renamed in a binary file, which has no names",
                hint: "Name the columns in the order of the fields."
            )
        }
    }

    var line: Int? {
        nil
    }

    func location(ofRow row: Int) -> String? {
        nil
    }

    func begin(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) throws(BulkSyncError) -> Int? {
        let fixed = Self.signature.count + 8
        guard bytes.prefix(Self.signature.count).elementsEqual(Self.signature.prefix(bytes.count)) else {
            throw place.error("the file does not begin like a binary COPY")
        }
        guard bytes.count >= fixed else { return try cutOff(atEnd) }
        let flags: UInt32 = bytes.bigEndian(at: Self.signature.count)
        guard flags >> 16 == 0 else {
            throw place.error("the header has flags that are not supported, such as object ids")
        }
        let extensionLength: Int32 = bytes.bigEndian(at: Self.signature.count + 4)
        guard extensionLength >= 0 else { throw place.error("the length of the header is negative") }
        let length = fixed + Int(extensionLength)
        guard bytes.count >= length else { return try cutOff(atEnd) }
        header = Array(bytes.prefix(length))
        offset = length
        return length
    }

    private func cutOff(_ atEnd: Bool) throws(BulkSyncError) -> Int? {
        if atEnd { throw place.error("the file ends in its header") }
        return nil
    }

    func prepare(columns: [StagedColumn]) {
        fieldCount = columns.count
    }

    func parse(
        _ bytes: UnsafeRawBufferPointer,
        atEnd: Bool,
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Int {
        var parsed = 0
        while let length = try rowLength(bytes, from: parsed) {
            parsed += length
            offset += length
        }
        if atEnd && parsed < bytes.count {
            throw place.error("the file ends in row \(rowCount + 1), which begins at byte \(offset)")
        }
        if parsed > 0 {
            header.withUnsafeBytes { buffer.append($0) }
            header = []
            buffer.append(UnsafeRawBufferPointer(rebasing: bytes[..<parsed]))
        }
        return parsed
    }

    func finish() throws(BulkSyncError) {
        if !hasTrailer {
            throw place.error("the file ends without the end mark, at byte \(offset) after \(rowCount) rows")
        }
    }

    /// The number of bytes of the row or end mark at a position; nil if it is not all there.
    private func rowLength(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(BulkSyncError) -> Int? {
        guard start < bytes.count else { return nil }
        if hasTrailer {
            throw place.error("more bytes after the end mark, at byte \(offset)")
        }
        guard bytes.count - start >= 2 else { return nil }
        let count: Int16 = bytes.bigEndian(at: start)
        if count == -1 {
            hasTrailer = true
            return 2
        }
        guard Int(count) == fieldCount else {
            throw place.error("row \(rowCount + 1) at byte \(offset) has \(count) fields instead of \(fieldCount)")
        }
        var position = start + 2
        for field in 0..<fieldCount {
            guard bytes.count - position >= 4 else { return nil }
            let length: Int32 = bytes.bigEndian(at: position)
            guard length >= -1 else {
                let at = offset + position - start
                throw place.error("field \(field + 1) of row \(rowCount + 1) at byte \(at) has a negative length")
            }
            position += 4 + max(0, Int(length))
        }
        guard position <= bytes.count else { return nil }
        rowCount += 1
        return position - start
    }
}

extension UnsafeRawBufferPointer {
    /// The integer at a position, whose most significant byte comes first.
    fileprivate func bigEndian<Integer: FixedWidthInteger>(at position: Int) -> Integer {
        Integer(bigEndian: loadUnaligned(fromByteOffset: position, as: Integer.self))
    }
}
