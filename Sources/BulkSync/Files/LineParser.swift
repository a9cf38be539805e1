/// What a row of a file of lines and fields is, and how it becomes a line of COPY.
///
/// How a field is written, its `Fields` know.
final class LineParser<Fields: FieldReader & ~Copyable>: RecordParser {
    private let fields: Fields
    private let hasHeader: Bool

    let place: FilePlace
    private var layout: FieldLayout
    private var lines = LineMap()
    private var currentLine = 1
    private(set) var rowCount = 0
    /// Whether a line that ends the data has been seen.
    private var hasEnded = false

    init(_ fields: consuming Fields, header: Bool, _ selection: ColumnSelection) throws(BulkSyncError) {
        self.fields = fields
        hasHeader = header
        place = selection.place
        layout = try FieldLayout(selection, header: header)
    }

    var columns: [String]? {
        layout.columns
    }

    var line: Int? {
        currentLine
    }

    func location(ofRow row: Int) -> String? {
        lines.line(ofRow: row).map { place.named(line: $0) }
    }

    func prepare(columns: [StagedColumn]) {
        layout.prepare(columns: columns)
    }

    func begin(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) throws(BulkSyncError) -> Int? {
        guard hasHeader else { return 0 }
        var cursor = FieldCursor(bytes, atEnd: atEnd, line: currentLine)
        if cursor.isEmpty && atEnd {
            throw place.error("the file is empty, without even a header")
        }
        var buffer = CopyBuffer(capacity: 1024)
        var header: [String] = []
        while true {
            let end: FieldCursor.End
            do throws(FieldFault) {
                (end, _) = try fields.copyField(&cursor, into: &buffer)
            } catch {
                throw layout.error(error, line: cursor.line, field: header.count)
            }
            if end == .cutOff { return nil }
            header.append(CopyText.unescape(buffer.bytes))
            if end != .delimiter { break }
            buffer.removeAll()
        }
        let line = UnsafeRawBufferPointer(rebasing: bytes[..<cursor.position])
        if let delimiter = Self.announcedDelimiter(line) {
            throw place.error(
                "the line announces the delimiter to Excel, and is no header",
                line: currentLine,
                hint: "Leave it out: tail -n +2 FILE | bulk-sync sync - --delimiter \(delimiter) …"
            )
        }
        if let other = fields.otherDelimiter(in: line) {
            try layout.checkDelimiter(other, ofHeader: header, line: currentLine)
        }
        try layout.setHeader(header, line: currentLine)
        currentLine = cursor.line
        return cursor.position
    }

    /// The delimiter that a line `sep=;` names, as an option is told it.
    private static func announcedDelimiter(_ line: UnsafeRawBufferPointer) -> String? {
        let bytes = line.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\"") }
        guard bytes.count == 5, String(decoding: bytes.prefix(4), as: UTF8.self).lowercased() == "sep=" else {
            return nil
        }
        return bytes[4] == UInt8(ascii: "\t") ? "tab" : "'\(Character(Unicode.Scalar(bytes[4])))'"
    }

    func parse(
        _ bytes: UnsafeRawBufferPointer,
        atEnd: Bool,
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Int {
        var cursor = FieldCursor(bytes, atEnd: atEnd, line: currentLine)
        var parsed = 0
        // An escaped byte takes two.
        buffer.reserve(bytes.count + bytes.count / 8)
        let isLoaded = layout.isLoaded
        while try copyRow(&cursor, isLoaded, into: &buffer) {
            parsed = cursor.position
            currentLine = cursor.line
        }
        return parsed
    }

    func finish() {}

    /// Copies one row, or passes an empty line.
    ///
    /// Returns false, and leaves the buffer as it was, if no whole one is there.
    @inline(__always)
    private func copyRow(
        _ cursor: inout FieldCursor,
        _ isLoaded: [Bool],
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Bool {
        guard !cursor.isEmpty else { return false }
        if hasEnded {
            throw place.error("more lines after the end of the data, which is the line \"\\.\"", line: cursor.line)
        }
        let first = cursor.bytes[cursor.position]
        if first == UInt8(ascii: "\n") || first == UInt8(ascii: "\r"), isLoaded.count > 1 {
            return cursor.passLineEnd()
        }
        if first == UInt8(ascii: "\\"), let isEnd = fields.passEndOfData(&cursor) {
            hasEnded = isEnd
            return isEnd
        }
        let start = buffer.count
        let line = cursor.line
        let count = isLoaded.count
        var field = 0
        var isFirst = true
        var end: FieldCursor.End
        repeat {
            guard field < count else { throw layout.error(fields: field + 1, line: cursor.line) }
            let fieldStart = buffer.count
            if !isFirst {
                buffer.append(UInt8(ascii: "\t"))
            }
            let valueStart = buffer.count
            let isNull: Bool
            do throws(FieldFault) {
                (end, isNull) = try fields.copyField(&cursor, into: &buffer)
            } catch {
                throw layout.error(error, line: cursor.line, field: field)
            }
            if end == .cutOff {
                buffer.truncate(to: start)
                return false
            }
            if !isLoaded[field] {
                buffer.truncate(to: fieldStart)
            } else {
                isFirst = false
                if isNull {
                    buffer.truncate(to: valueStart)
                    CopyText.appendNull(to: &buffer)
                }
            }
            field += 1
        } while end == .delimiter
        guard field == count else { throw layout.error(fields: field, line: line) }
        buffer.append(UInt8(ascii: "\n"))
        rowCount += 1
        lines.note(row: rowCount, line: line)
        return true
    }
}

/// How the fields of a line are written.
protocol FieldReader: ~Copyable {
    /// Copies one field and passes what ends it. Returns what that is, and whether the field stands for NULL.
    func copyField(
        _ cursor: inout FieldCursor,
        into buffer: inout CopyBuffer
    ) throws(FieldFault) -> (FieldCursor.End, isNull: Bool)

    /// A character in the line of the header that is more likely the delimiter, if that is one field.
    func otherDelimiter(in line: UnsafeRawBufferPointer) -> Character?

    /// Passes a line that ends the data before the file does. Returns nil if the line is another, and false if it is not
    /// all there.
    func passEndOfData(_ cursor: inout FieldCursor) -> Bool?
}
