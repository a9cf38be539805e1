/// What a row is in a file of JSON objects, and how it becomes a line of COPY.
final class JSONParser: RecordParser {
    private enum Layout {
        /// Nothing but blanks so far.
        case unknown
        /// Object after object.
        case lines
        case array(Expected)
        /// The closing bracket has been seen.
        case closed
    }

    /// What comes next in the array.
    private enum Expected {
        case elementOrEnd
        case element
        case commaOrEnd
    }

    let place: FilePlace
    private let selection: ColumnSelection
    private(set) var columns: [String]?
    private(set) var rowCount = 0
    private var currentLine = 1
    private var lines = LineMap()
    private var layout = Layout.unknown

    /// For each column its key in the file.
    private var keys: [[UInt8]] = []
    private var columnOfKey: [[UInt8]: Int] = [:]
    /// For each column how its values are written.
    private var writers: [JSONFieldWriter] = []
    /// For each column its value in the present object.
    private var values: [JSONValue] = []
    /// The keys of the present object that are not loaded: they may not come twice either.
    private var leftOut: Set<[UInt8]> = []
    /// For each column whether any object had its key.
    private var isKnown: [Bool] = []

    init(_ selection: ColumnSelection) {
        self.selection = selection
        place = selection.place
        if let columns = selection.columns {
            setColumns(columns)
        }
    }

    private func setColumns(_ columns: [String]) {
        self.columns = columns
        keys = columns.map { Array(selection.name(of: $0).utf8) }
        columnOfKey = Dictionary(uniqueKeysWithValues: zip(keys, columns.indices))
        values = columns.map { _ in JSONValue() }
        isKnown = columns.map { _ in false }
        writers = columns.map { _ in .text }
    }

    var line: Int? {
        currentLine
    }

    func location(ofRow row: Int) -> String? {
        lines.line(ofRow: row).map { place.named(line: $0) }
    }

    func begin(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) throws(BulkSyncError) -> Int? {
        guard columns == nil else { return 0 }
        var scanner = JSONScanner(bytes, atEnd: atEnd, line: currentLine)
        // Nothing is consumed unless the first object is there entirely.
        layout = .unknown
        var header: [String] = []
        let (start, line): (Int, Int)
        do throws(JSONFault) {
            guard try goToObject(&scanner) else {
                if !atEnd { return nil }
                currentLine = scanner.line
                return scanner.position
            }
            (start, line) = (scanner.position, scanner.line)
            try scanner.object { (key, _) throws(JSONFault) in
                header.append(try Self.text(key, bytes))
            }
        } catch .cutOff {
            return nil
        } catch {
            throw self.error(error, in: scanner)
        }
        setColumns(try selection.columns(ofFirstObject: header, line: line))
        currentLine = line
        return start
    }

    func prepare(columns staged: [StagedColumn]) {
        if columns == nil {
            setColumns(staged.map(\.name))
        }
        writers = staged.map { JSONFieldWriter(type: $0.type) }
    }

    func parse(
        _ bytes: UnsafeRawBufferPointer,
        atEnd: Bool,
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Int {
        var scanner = JSONScanner(bytes, atEnd: atEnd, line: currentLine)
        var parsed = 0
        buffer.reserve(bytes.count)
        while true {
            do throws(JSONFault) {
                guard try goToObject(&scanner) else {
                    currentLine = scanner.line
                    return scanner.position
                }
                parsed = scanner.position
                currentLine = scanner.line
                try readObject(&scanner)
            } catch .cutOff {
                return parsed
            } catch {
                throw self.error(error, in: scanner)
            }
            try writeRow(bytes, into: &buffer)
            rowCount += 1
            lines.note(row: rowCount, line: currentLine)
        }
    }

    func finish() throws(BulkSyncError) {
        if case .array = layout {
            throw place.error("the file ends in the middle of the array", line: currentLine)
        }
        if rowCount > 0, let columns, let absent = isKnown.firstIndex(of: false) {
            throw place.error(
                "no object has the key \"\(selection.name(of: columns[absent]))\"",
                code: .undefinedColumn
            )
        }
    }

    /// Goes to the brace of the next object.
    ///
    /// Returns false if there is none in the bytes that are there; all of them are passed then.
    private func goToObject(_ scanner: inout JSONScanner) throws(JSONFault) -> Bool {
        while let byte = scanner.peek() {
            switch (layout, byte) {
            case (.unknown, UInt8(ascii: "{")), (.lines, UInt8(ascii: "{")):
                layout = .lines
                return true
            case (.array(.elementOrEnd), UInt8(ascii: "{")), (.array(.element), UInt8(ascii: "{")):
                return true
            case (.unknown, UInt8(ascii: "[")):
                layout = .array(.elementOrEnd)
            case (.array(.elementOrEnd), UInt8(ascii: "]")), (.array(.commaOrEnd), UInt8(ascii: "]")):
                layout = .closed
            case (.array(.commaOrEnd), UInt8(ascii: ",")):
                layout = .array(.element)
            case (.array(.element), UInt8(ascii: "]")):
                throw .malformed("a comma before the end of the array")
            case (.closed, _):
                throw .malformed("more text after the end of the array")
            case (.array(.commaOrEnd), _):
                throw .malformed("a comma or the end of the array is missing")
            default:
                throw .malformed("every row must be a JSON object")
            }
            scanner.position += 1
        }
        return false
    }

    /// Finds the values of an object, whose brace is next.
    @inline(__always)
    private func readObject(_ scanner: inout JSONScanner) throws(JSONFault) {
        for column in values.indices {
            values[column].kind = .missing
        }
        if !leftOut.isEmpty { leftOut.removeAll(keepingCapacity: true) }
        let bytes = scanner.bytes
        var expected = 0
        try scanner.object { (key, value) throws(JSONFault) in
            guard let column = try column(ofKey: key, bytes, expected) else { return }
            guard case .missing = values[column].kind else {
                throw Self.repeated(try Self.text(key, bytes))
            }
            values[column] = value
            isKnown[column] = true
            expected = column + 1
        }
        if case .array = layout {
            layout = .array(.commaOrEnd)
        }
    }

    /// The column of a key; nil if it is not to be loaded.
    ///
    /// Most objects have their keys in the same order.
    @inline(__always)
    private func column(ofKey key: JSONValue, _ bytes: UnsafeRawBufferPointer, _ expected: Int) throws(JSONFault)
        -> Int?
    {
        let name = UnsafeRawBufferPointer(rebasing: bytes[(key.start + 1)..<(key.end - 1)])
        if expected < keys.count, name.elementsEqual(keys[expected]) { return expected }
        let plain = key.kind == .string ? Array(name) : Array(try Self.text(key, bytes).utf8)
        if let column = columnOfKey[plain] { return column }
        if selection.columns != nil {
            guard leftOut.insert(plain).inserted else { throw Self.repeated(String(decoding: plain, as: UTF8.self)) }
            return nil
        }
        throw .malformed(
            "the key \(String(decoding: plain, as: UTF8.self).debugDescription) is not in the first object")
    }

    private static func repeated(_ key: String) -> JSONFault {
        .malformed("the key \(key.debugDescription) comes twice")
    }

    /// Writes the values that were found.
    private func writeRow(_ bytes: UnsafeRawBufferPointer, into buffer: inout CopyBuffer) throws(BulkSyncError) {
        for column in values.indices {
            if column > 0 {
                buffer.append(UInt8(ascii: "\t"))
            }
            do throws(JSONFault) {
                try writers[column].write(values[column], of: bytes, into: &buffer)
            } catch {
                throw self.error(error, line: currentLine, column: columns?[column])
            }
        }
        buffer.append(UInt8(ascii: "\n"))
    }

    /// The characters of a string.
    private static func text(_ string: JSONValue, _ bytes: UnsafeRawBufferPointer) throws(JSONFault) -> String {
        var plain: [UInt8] = []
        try JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[string.start..<string.end])) { plain.append($0) }
        return String(decoding: plain, as: UTF8.self)
    }

    /// An error where the scanner stands, in the column that the key before it stands for.
    private func error(_ fault: JSONFault, in scanner: JSONScanner) -> BulkSyncError {
        let key = scanner.currentKey
        return error(fault, line: scanner.line, column: key.map { selection.column(for: $0) ?? $0 })
    }

    private func error(_ fault: JSONFault, line: Int, column: String? = nil) -> BulkSyncError {
        switch fault {
        case .malformed(let message):
            let hint =
                message.hasSuffix("first object") ? "Name the columns to load; keys of others are left out." : nil
            return place.error(message, line: line, column: column, hint: hint)
        case .encoding:
            return place.error("bytes that are no UTF-8", line: line, column: column, code: .invalidEncoding)
        case .cutOff: return place.error("the file ends in the middle of an object", line: line, column: column)
        }
    }
}
