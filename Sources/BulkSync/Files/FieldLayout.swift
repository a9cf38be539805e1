/// Where the fields of a line go: the part that CSV and TSV have in common.
struct FieldLayout {
    /// The columns that are written, in the order of their fields; nil: those of the table, not known yet.
    private(set) var columns: [String]?

    /// For each field of a line, whether it is written.
    private(set) var isLoaded: [Bool] = []

    /// For each field its column, or what the header calls it.
    private var names: [String] = []

    private let selection: ColumnSelection

    /// Makes the layout of a file, which is not known before the header or the table is.
    init(_ selection: ColumnSelection, header: Bool) throws(BulkSyncError) {
        self.selection = selection
        if !header {
            if selection.hasNames {
                throw BulkSyncError(
                    code: .invalidArgument,
                    "columns cannot be renamed where there is no header",
                    hint: "Name the columns in the order of the fields."
                )
            }
            if let columns = selection.columns {
                setColumns(columns)
            }
        }
    }

    /// The number of fields in a line.
    var count: Int {
        isLoaded.count
    }

    /// Takes the fields of the header.
    mutating func setHeader(_ header: [String], line: Int) throws(BulkSyncError) {
        let fields = try selection.columns(ofHeader: header, line: line)
        isLoaded = fields.map { $0 != nil }
        names = zip(header, fields).map { $1 ?? $0 }
        columns = fields.compactMap(\.self)
    }

    /// Refuses a header that is one name because the delimiter is another, unless a column is said to be called so.
    func checkDelimiter(_ delimiter: Character, ofHeader header: [String], line: Int) throws(BulkSyncError) {
        guard header.count == 1, !selection.mentions(header[0]) else { return }
        let option = delimiter == "\t" ? "tab" : "'\(delimiter)'"
        throw selection.place.error(
            "the header is one name that holds \(delimiter == "\t" ? "a tab" : "\"\(delimiter)\"")",
            line: line,
            hint: """
                Did you mean --delimiter \(option)? If the column is really called so, name it among the columns to load.
                """
        )
    }

    /// Takes the columns of the staged table, where nothing else named them.
    mutating func prepare(columns staged: [StagedColumn]) {
        if columns == nil {
            setColumns(staged.map(\.name))
        }
    }

    private mutating func setColumns(_ columns: [String]) {
        self.columns = columns
        names = columns
        isLoaded = columns.map { _ in true }
    }

    /// What is wrong with a line that has another number of fields.
    func error(fields: Int, line: Int) -> BulkSyncError {
        let found = fields == 1 ? "1 field" : "\(fields) fields"
        if fields < count {
            return selection.place.error("the row has \(found) instead of \(count)", line: line, column: names[fields])
        }
        return selection.place.error(
            "the row has more than \(count) fields",
            line: line,
            hint: "Is a field that holds the delimiter not quoted?"
        )
    }

    /// The column of a field, for messages.
    func name(ofField field: Int) -> String? {
        field < names.count ? names[field] : nil
    }

    /// What is wrong with a field.
    func error(_ fault: FieldFault, line: Int, field: Int) -> BulkSyncError {
        let place = selection.place
        let column = name(ofField: field)
        switch fault {
        case .zeroByte:
            return place.error(
                "a zero byte",
                line: line,
                column: column,
                code: .invalidEncoding,
                hint: "If the file is UTF-16, convert it first: iconv -f UTF-16LE -t UTF-8"
            )
        case .encoding:
            return place.error(
                "bytes that are no UTF-8",
                line: line,
                column: column,
                code: .invalidEncoding,
                hint: "Convert the file first, for instance: iconv -f WINDOWS-1252 -t UTF-8"
            )
        case .quoteInside:
            return place.error(
                "a quote inside a field that is not quoted",
                line: line,
                column: column,
                hint: "Such a field must be quoted, and the quotes in it doubled."
            )
        case .textAfterQuote:
            return place.error(
                "text after the closing quote",
                line: line,
                column: column,
                hint: "Quotes in a quoted field must be doubled."
            )
        case .unclosedQuote(let line):
            return place.error("the quote is not closed at the end of the file", line: line, column: column)
        case .unknownEscape:
            return place.error(
                "a backslash that is no escape of COPY's text format",
                line: line,
                column: column,
                hint: "Write \\\\ for a backslash, or read the file as CSV with tabs for delimiters."
            )
        }
    }
}

/// What can be wrong with a field.
enum FieldFault: Error {
    case zeroByte
    case encoding
    case quoteInside
    case textAfterQuote
    /// The quote began in this line.
    case unclosedQuote(line: Int)
    case unknownEscape
}
