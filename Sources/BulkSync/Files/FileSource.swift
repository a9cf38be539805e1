/// The rows of a file on their way to the server.
///
/// The bytes are those of ``InputWindow``; what a record is, and how it is written for COPY, the parser of the format
/// knows. Every format but the binary one becomes COPY's text format, so that the server never parses CSV: up to version
/// 17 it takes a line `\.` for the end of the data.
package struct FileSource: CopySource {
    private let file: FileRows
    private let readSize: Int
    private var parser: (any RecordParser)?
    private var window: InputWindow?

    /// Describes a source that has not been opened.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - readSize: The number of bytes to read at a time.
    init(_ file: FileRows, readSize: Int = 64 * 1024) {
        self.file = file
        self.readSize = readSize
    }

    package var format: CopyFormat {
        file.format == .binary ? .binary : .text
    }

    package var rowCount: Int {
        parser?.rowCount ?? 0
    }

    package func location(ofRow row: Int) -> String? {
        parser?.location(ofRow: row) ?? "row \(row) of \(file.name)"
    }

    package mutating func begin() async throws -> [String]? {
        let parser = try makeParser()
        let window = InputWindow(try file.open(), capacity: readSize)
        self.window = window
        try await checkEncoding(window)
        while true {
            if let consumed = try parser.begin(window.bytes, atEnd: window.isAtEnd) {
                window.drop(consumed)
                break
            }
            try await fill(window, parser)
        }
        self.parser = parser
        return parser.columns
    }

    package mutating func prepare(columns: [StagedColumn]) throws {
        try parser?.prepare(columns: columns)
    }

    package mutating func next(into buffer: inout CopyBuffer) async throws -> Bool {
        guard let parser, let window else { return false }
        while true {
            switch try parse(parser, window, into: &buffer) {
            case .appended: return true
            case .ended: return false
            case .starved: try await fill(window, parser)
            }
        }
    }

    private enum Step {
        case appended
        case ended
        /// No whole record is in the window.
        case starved
    }

    /// Does what needs no waiting.
    ///
    /// Not inlined: with it, `next` is too much for the optimizer of Swift 6.3, which crashes.
    @inline(never)
    private func parse(
        _ parser: any RecordParser,
        _ window: InputWindow,
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Step {
        let consumed = try parser.parse(window.bytes, atEnd: window.isAtEnd, into: &buffer)
        window.drop(consumed)
        if window.isAtEnd {
            try parser.finish()
            return .ended
        }
        return consumed > 0 ? .appended : .starved
    }

    private func fill(_ window: InputWindow, _ parser: any RecordParser) async throws {
        guard try await window.fill() else {
            throw parser.place.error("the record is longer than 1 GB", line: parser.line)
        }
        file.onRead?(window.bytesRead)
    }

    private func makeParser() throws(BulkSyncError) -> any RecordParser {
        let place = FilePlace(name: file.name)
        let selection = try ColumnSelection(
            columns: file.columns, names: file.names, required: file.required, place: place)
        switch file.format?.kind {
        case .csv(let options): return try LineParser<CSVFields>(.make(options), header: options.header, selection)
        case .tsv(let options): return try LineParser<TSVFields>(.make(options), header: options.header, selection)
        case .json: return JSONParser(selection)
        case .binary: return try BinaryParser(selection)
        case nil:
            throw BulkSyncError(
                code: .invalidArgument,
                "the name of \(file.name) does not tell its format",
                hint: "Name the format: csv, tsv, json lines or binary."
            )
        }
    }

    /// Skips the byte order mark, and refuses what is compressed, or certainly no UTF-8.
    private func checkEncoding(_ window: InputWindow) async throws {
        while window.bytes.count < 4 && !window.isAtEnd {
            _ = try await window.fill()
        }
        let place = FilePlace(name: file.name)
        if window.bytes.starts(with: [0x1F, 0x8B]) {
            throw place.error(
                "the file is compressed", hint: "Decompress it on the way: gunzip -c FILE | bulk-sync sync - …")
        }
        if format == .binary { return }
        if window.bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            window.drop(3)
        } else if window.bytes.starts(with: [0xFF, 0xFE]) || window.bytes.starts(with: [0xFE, 0xFF]) {
            throw place.error(
                "the file is UTF-16", code: .invalidEncoding, hint: "Convert it: iconv -f UTF-16 -t UTF-8")
        } else if let order = Self.byteOrder(window.bytes) {
            throw place.error(
                "the file is UTF-16", code: .invalidEncoding, hint: "Convert it: iconv -f UTF-16\(order) -t UTF-8")
        }
    }

    /// Whether a file without a byte order mark begins with two ASCII characters in UTF-16, and in which order of bytes.
    private static func byteOrder(_ bytes: UnsafeRawBufferPointer) -> String? {
        switch bytes.prefix(4).map({ $0 == 0 }) {
        case [false, true, false, true]: "LE"
        case [true, false, true, false]: "BE"
        default: nil
        }
    }
}

/// What a record of one format is, and how it becomes a row of COPY.
protocol RecordParser: AnyObject {
    /// The columns that the file fills, in the order in which they are written; nil: those of the table. Known after
    /// `begin`.
    var columns: [String]? { get }

    /// The file, for messages.
    var place: FilePlace { get }

    /// The line that the parser is at, from 1; nil where there are no lines.
    var line: Int? { get }

    /// The number of rows written.
    var rowCount: Int { get }

    /// Reads what stands before the first row, and finds the columns. Returns how many bytes that was, or nil if they
    /// are not all there.
    func begin(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) throws(BulkSyncError) -> Int?

    /// Takes the columns of the staged table.
    func prepare(columns: [StagedColumn]) throws(BulkSyncError)

    /// Writes the rows that are there entirely, and returns how many bytes they were.
    func parse(
        _ bytes: UnsafeRawBufferPointer,
        atEnd: Bool,
        into buffer: inout CopyBuffer
    ) throws(BulkSyncError) -> Int

    /// Is told that the file has ended and everything in it is parsed.
    func finish() throws(BulkSyncError)

    /// Where a row began: `line 17 of employees.csv`; nil if that is not known any more.
    func location(ofRow row: Int) -> String?
}

/// Names places in a file.
struct FilePlace: Sendable {
    /// What messages call the file.
    var name: String

    /// `line 17 of employees.csv, column age`.
    func named(line: Int? = nil, column: String? = nil) -> String {
        var text = line.map { "line \($0) of \(name)" } ?? name
        if let column {
            text += ", column \(column)"
        }
        return text
    }

    /// An error at a place.
    func error(
        _ message: String,
        line: Int? = nil,
        column: String? = nil,
        code: BulkSyncError.Code = .malformedFile,
        hint: String? = nil
    ) -> BulkSyncError {
        var error = BulkSyncError(code: code, "\(named(line: line, column: column)): \(message)", hint: hint)
        error.column = column
        return error
    }
}

/// Which line each row began in: the rows are few that do not begin one line after the row before.
struct LineMap {
    private struct Step {
        var row: Int
        var line: Int
    }

    /// Rows that old are at the server, and it found nothing wrong with them.
    private static let limit = 1 << 16

    private var steps: [Step] = []
    private var forgotten = 0

    /// Notes where the next row begins.
    ///
    /// To be called for every row in turn.
    @inline(__always)
    mutating func note(row: Int, line: Int) {
        if let last = steps.last, line - row == last.line - last.row { return }
        append(Step(row: row, line: line))
    }

    @inline(never)
    private mutating func append(_ step: Step) {
        if steps.count == 2 * Self.limit {
            steps.removeFirst(Self.limit)
            forgotten = steps[0].row
        }
        steps.append(step)
    }

    /// The line that a row began in; nil if it is unknown by now.
    func line(ofRow row: Int) -> Int? {
        guard row >= forgotten else { return nil }
        var lower = 0
        var upper = steps.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if steps[middle].row <= row {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        guard lower > 0 else { return nil }
        let step = steps[lower - 1]
        return step.line + (row - step.row)
    }
}
