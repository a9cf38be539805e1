public import ArgumentParser
public import BulkSync

/// Which server, and which database.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A connection string or URI: 'postgresql://user@host/database'. A password is better kept in the password file.",
            valueName: "connection string"
        )
    )
    var dsn = ""
}

/// The file, and how it is written.
struct FileOptions: ParsableArguments {
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case csv, tsv, jsonl, binary
    }

    @Argument(help: "The file, or - for standard input.", completion: .file())
    var file: String

    @Option(
        help: "How the file is written; by default as its name ends (.csv .tsv .jsonl .ndjson .json .bin); of -, csv.")
    var format: Format?

    @Option(help: "What separates the fields of a CSV file: one character, or 'tab'. (default: ,)")
    var delimiter: String?

    @Option(help: "What encloses the fields of a CSV file: one character, or 'none'. (default: \")")
    var quote: String?

    @Option(
        help: """
            The text that stands for NULL. (default: nothing in a CSV file, where "" is an empty text; \\N in a TSV file)
            """
    )
    var null: String?

    @Flag(help: "The first line is a row. The columns are those of --columns, else those of the table, in order.")
    var noHeader = false

    @Option(
        help: ArgumentHelp(
            "Load these columns only, beside those that other options name. May be repeated.",
            valueName: "column,..."
        )
    )
    var columns: [Names] = []

    @Option(
        name: .customLong("column"),
        help: ArgumentHelp(
            "A column that the file calls otherwise: phone=telefon. May be repeated.",
            valueName: "column=name in the file"
        )
    )
    var renamed: [Assignment] = []

    var isStandardInput: Bool {
        file == "-"
    }

    func validate() throws {
        _ = try fileFormat()
        _ = try renamed.byName(option: "column")
    }

    /// The rows, of which the table's own options need some columns as well.
    func rows(with others: [String]) throws -> FileRows {
        let format = try fileFormat()
        let names = try renamed.byName(option: "column")
        var chosen = columns.isEmpty ? nil : columns.all
        if let columns = chosen, !noHeader, kind != .binary {
            chosen = columns + others.filter { !columns.contains($0) }
        }
        if isStandardInput {
            return FileRows(descriptor: 0, format: format, columns: chosen, names: names)
        }
        return FileRows(path: file, format: format, columns: chosen, names: names)
    }

    private var kind: Format? {
        if let format { return format }
        if isStandardInput { return .csv }
        return Self.format(ofName: file)
    }

    private static func format(ofName name: String) -> Format? {
        let known: [(FileFormat, Format)] = [(.csv(), .csv), (.tsv(), .tsv), (.jsonLines, .jsonl), (.binary, .binary)]
        let format = FileFormat(path: name)
        return known.first { $0.0 == format }?.1
    }

    private func fileFormat() throws -> FileFormat {
        guard let kind else {
            if file.lowercased().hasSuffix(".gz") {
                let format = Self.format(ofName: String(file.dropLast(3))).map { " --format \($0.rawValue)" } ?? ""
                throw ValidationError(
                    "'\(file)' is compressed. Decompress it on the way: gunzip -c \(file) | bulk-sync sync -\(format) …"
                )
            }
            throw ValidationError("The name '\(file)' does not tell the format of the file: say --format.")
        }
        try refuse("delimiter", delimiter != nil && kind != .csv, kind)
        try refuse("quote", quote != nil && kind != .csv, kind)
        try refuse("null", null != nil && kind != .csv && kind != .tsv, kind)
        try refuse("no-header", noHeader && kind != .csv && kind != .tsv, kind)
        switch kind {
        case .csv:
            return .csv(
                header: !noHeader,
                delimiter: try character(delimiter ?? ",", option: "delimiter"),
                quote: quote == "none" ? nil : try character(quote ?? "\"", option: "quote"),
                null: null ?? ""
            )
        case .tsv: return .tsv(header: !noHeader, null: null ?? "\\N")
        case .jsonl: return .jsonLines
        case .binary: return .binary
        }
    }

    private func refuse(_ option: String, _ isMisplaced: Bool, _ kind: Format) throws {
        if isMisplaced {
            throw ValidationError("--\(option) does not go with a file of format \(kind.rawValue).")
        }
    }

    private func character(_ text: String, option: String) throws -> Character {
        if text == "tab" || text == "\\t" { return "\t" }
        guard let character = text.first, text.count == 1 else {
            throw ValidationError("--\(option) must be one character.")
        }
        return character
    }
}

/// Which table, which rows, and what each column is for.
struct TableOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The table, as one types it in SQL: employee, hr.employee.", valueName: "table"))
    var into: String

    @Option(
        help: ArgumentHelp(
            "The columns by which rows are matched. May be repeated. (default: the primary key)",
            valueName: "column,..."
        )
    )
    var key: [Names] = []

    @Option(
        help: ArgumentHelp(
            """
            The part of the table that the file describes, as an SQL condition: 'company_id = 501'; 'true' is all of it. \
            May be repeated: all of the conditions must hold.
            """,
            valueName: "condition"
        )
    )
    var scope: [String] = []

    @Option(
        help: ArgumentHelp(
            "The same as a value, which new rows get as well: company_id=501. May be repeated.",
            valueName: "column=value"
        )
    )
    var scopeValue: [Assignment] = []

    @Option(help: ArgumentHelp("The same, where the column is NULL. May be repeated.", valueName: "column,..."))
    var scopeNull: [Names] = []

    @Option(
        help: ArgumentHelp(
            "The same as groups: rows of the table whose values here occur in the file. May be repeated.",
            valueName: "column,..."
        )
    )
    var scopeColumn: [Names] = []

    @Option(
        help: ArgumentHelp(
            "What to do: insert, update, delete. (default: all three)",
            valueName: "action,..."
        )
    )
    var actions: Names?

    @Option(
        help: ArgumentHelp(
            "Columns written on insert, never updated: created_at. May be repeated.", valueName: "column,..."))
    var insertOnly: [Names] = []

    @Option(
        help: ArgumentHelp(
            "Columns written with an update, but no reason for one. May be repeated.", valueName: "column,..."))
    var touch: [Names] = []

    @Option(
        help: ArgumentHelp("Columns updated only where the table holds NULL. May be repeated.", valueName: "column,...")
    )
    var fill: [Names] = []

    @Option(
        help: ArgumentHelp(
            "Columns in which NULL leaves the table's value alone. May be repeated.", valueName: "column,..."))
    var keep: [Names] = []

    @Option(
        help: ArgumentHelp(
            "Update a row only where this holds: 'staged.version > target.version'.",
            valueName: "condition"
        )
    )
    var updateWhere: String?

    @Option(
        help: ArgumentHelp(
            "Mark stale rows in this column, a boolean or timestamp, instead of deleting them.",
            valueName: "column"
        )
    )
    var softDelete: String?

    @Option(help: "What to do with rows that have one key: error, first, last.")
    var duplicates = SyncOptions.Duplicates.error

    @Option(
        help: ArgumentHelp(
            "The column that ranks rows of one key, lowest first. (default: the order in the file)",
            valueName: "column"
        )
    )
    var orderColumn: String?

    @Option(
        help: ArgumentHelp(
            """
            A column of the file that the table lacks, with its SQL type: for --order-column or --update-where. May be \
            repeated.
            """,
            valueName: "column=type"
        )
    )
    var extraColumn: [Assignment] = []
}

/// What is refused before anything is written, and how the table is locked.
struct GuardOptions: ParsableArguments {
    @Flag(help: "Count what would be done, and do nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Refuse a file that does not have exactly so many rows.", valueName: "rows"))
    var expectRows: Int?

    @Flag(help: "Let a file without rows delete everything in scope.")
    var allowEmpty = false

    @Option(help: ArgumentHelp("Refuse to delete more rows than this.", valueName: "rows"))
    var maxDeletes: Int?

    @Option(
        help: ArgumentHelp(
            "Refuse to delete a larger part of the rows in scope: 0.1 or 10%. With --max-deletes: when both are exceeded.",
            valueName: "part"
        )
    )
    var maxDeleteFraction: Fraction?

    @Flag(help: "Skip new rows that break another unique constraint.")
    var ignoreConflicts = false

    @Option(help: ArgumentHelp("The lock on the table, with blanks or dashes between its words.", valueName: "mode"))
    var lockMode = SyncOptions.LockMode.shareUpdateExclusive
}

extension SyncOptions.Duplicates: ExpressibleByArgument {}

extension SyncOptions.LockMode: ExpressibleByArgument {
    /// Reads a mode with blanks or dashes between its words, in any case.
    ///
    /// - Parameter argument: The word of the command line.
    public init?(argument: String) {
        self.init(rawValue: argument.lowercased().replacing("-", with: " "))
    }
}
