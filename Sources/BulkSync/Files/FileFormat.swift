/// How rows are written in a file.
///
/// ```swift
/// FileRows(path: "employees.csv", format: .csv(delimiter: ";"))
/// ```
///
/// Text is UTF-8, with or without a byte order mark. Lines end in LF, CRLF or CR, mixed as they come, the last one with
/// or without.
public struct FileFormat: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case csv(CSVOptions)
        case tsv(TSVOptions)
        case json
        case binary
    }

    struct CSVOptions: Sendable, Hashable {
        var header: Bool
        var delimiter: Character
        var quote: Character?
        var null: String
    }

    struct TSVOptions: Sendable, Hashable {
        var header: Bool
        var null: String
    }

    let kind: Kind

    /// Comma-separated values as RFC 4180 has them: fields that hold a delimiter, a quote or a line end are quoted, and
    /// quotes in them are doubled.
    ///
    /// Blanks around a field belong to it. Refused are a quote inside a field that is not quoted, text after a closing
    /// quote, and a row with more or fewer fields than the header. An empty line is skipped, but where there is a single
    /// column, it is a row. A line `\.` is a row like any other.
    ///
    /// - Parameters:
    ///   - header: Whether the first line names the columns.
    ///   - delimiter: What separates the fields; one ASCII character.
    ///   - quote: What encloses a field; one ASCII character, or nil where a quote is a character like any other.
    ///   - null: What an unquoted field reads that stands for NULL; a quoted field never does. By default an empty one.
    /// - Returns: The format.
    public static func csv(
        header: Bool = true,
        delimiter: Character = ",",
        quote: Character? = "\"",
        null: String = ""
    ) -> Self {
        Self(kind: .csv(CSVOptions(header: header, delimiter: delimiter, quote: quote, null: null)))
    }

    /// The text format of PostgreSQL's `COPY`: tabs between the fields, `\N` for NULL, and `\t`, `\n`, `\r`, `\\`, `\b`,
    /// `\f`, `\v`, `\101` and `\x41` for characters.
    ///
    /// Any other backslash is refused: it comes from a program that writes none of these, and whose files are better
    /// read by `.csv(delimiter: "\t")`, with quotes as spreadsheets write them, or with `quote: nil` where nothing is
    /// quoted. A line `\.` is allowed as the last one only.
    ///
    /// - Parameters:
    ///   - header: Whether the first line names the columns.
    ///   - null: What a field reads that stands for NULL, as `\N` always does.
    /// - Returns: The format.
    public static func tsv(header: Bool = true, null: String = "\\N") -> Self {
        Self(kind: .tsv(TSVOptions(header: header, null: null)))
    }

    /// JSON Lines: one object a line, whose keys are the columns; or one JSON array of such objects.
    ///
    /// The columns are the keys of the first object, unless they are given. A key that is missing is NULL, like the value
    /// `null`; one that the first object lacked is refused, unless the columns are given.
    ///
    /// Numbers keep every digit. In a column of type `json` or `jsonb` a value is stored as it stands, strings with their
    /// quotes. In a column of an array type, a JSON array becomes an array. Elsewhere a string is its characters, and an
    /// object or array its JSON text.
    public static let jsonLines = Self(kind: .json)

    /// What `COPY … (FORMAT binary)` writes.
    ///
    /// The bytes are sent as they are, after a check of their framing. The types have to be those of the table.
    public static let binary = Self(kind: .binary)

    /// The usual format of files with a name: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, `.bin`; nil for any other.
    ///
    /// - Parameter path: The path or name of a file.
    public init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return nil }
        switch name[dot...].lowercased() {
        case ".csv": self = .csv()
        case ".tsv": self = .tsv()
        case ".jsonl", ".ndjson", ".json": self = .jsonLines
        case ".bin": self = .binary
        default: return nil
        }
    }

    private init(kind: Kind) {
        self.kind = kind
    }
}
