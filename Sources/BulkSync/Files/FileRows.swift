/// Rows in a file, or in a stream of bytes, to be synced into a table.
///
/// ```swift
/// let employees = FileRows(path: "employees.csv")
/// let summary = try await client.sync(Rows(employees), into: "employee", key: ["name"], scope: .all)
/// ```
///
/// The bytes are read while they are sent, in constant memory. The first line of a CSV file names the columns of the
/// table that it fills, in any order; ``columns`` chooses among them and ``names`` says what they are called in the file.
/// A broken row is refused by its line and column, be it the file that is malformed or the server that does not accept a
/// value.
public struct FileRows: Sendable {
    /// Opens the bytes anew for each use.
    typealias Opener = @Sendable () throws(BulkSyncError) -> any ByteInput

    /// What messages call the file.
    public var name: String

    /// How the rows are written; nil: as the extension of the file's name says.
    public var format: FileFormat?

    /// The columns to load, by their exact names in the table; nil: all that the file has.
    ///
    /// Where the file names its columns (a header, or keys), columns that are not listed are left out. Where it does not,
    /// these are the names of its fields, in order; nil then means the columns of the table that can be written, in their
    /// order.
    public var columns: [String]?

    /// What columns are called in the file, where that is not their name in the table: `["phone": "telefon"]`.
    public var names: [String: String]

    /// Is told how many bytes have been read so far, after each piece of about 64 kB.
    public var onRead: (@Sendable (_ bytes: Int) -> Void)?

    /// Columns that the file must have, by their names in the table, whatever else it has.
    package var required: [String] = []

    let open: Opener

    /// Describes the rows of a file.
    ///
    /// The file is opened when the rows are sent.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - format: How the rows are written; nil: as the extension of the file's name says.
    ///   - columns: The columns to load; nil: all that the file has.
    ///   - names: What columns are called in the file, by their names in the table.
    public init(path: String, format: FileFormat? = nil, columns: [String]? = nil, names: [String: String] = [:]) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        self.init(name: name, format: format ?? FileFormat(path: path), columns: columns, names: names) {
            () throws(BulkSyncError) in try DescriptorInput(path: path)
        }
    }

    /// Describes the rows that an open file, pipe or socket holds from its present position on.
    ///
    /// They can be read once. The descriptor is not closed.
    ///
    /// - Parameters:
    ///   - descriptor: The file descriptor; 0 is standard input.
    ///   - name: What messages call the file.
    ///   - format: How the rows are written.
    ///   - columns: The columns to load; nil: all that the file has.
    ///   - names: What columns are called in the file, by their names in the table.
    public init(
        descriptor: CInt,
        name: String = "standard input",
        format: FileFormat,
        columns: [String]? = nil,
        names: [String: String] = [:]
    ) {
        self.init(name: name, format: format, columns: columns, names: names) { () throws(BulkSyncError) in
            DescriptorInput(borrowing: descriptor, name: name)
        }
    }

    /// Describes the rows in a stream of bytes, such as the body of an HTTP request.
    ///
    /// An error of the stream is what the sync throws.
    ///
    /// - Parameters:
    ///   - chunks: The pieces of the file, cut anywhere.
    ///   - name: What messages call the file.
    ///   - format: How the rows are written.
    ///   - columns: The columns to load; nil: all that the file has.
    ///   - names: What columns are called in the file, by their names in the table.
    public init<Chunks: AsyncSequence & Sendable>(
        chunks: Chunks,
        name: String = "stream",
        format: FileFormat,
        columns: [String]? = nil,
        names: [String: String] = [:]
    ) where Chunks.Element: Sequence<UInt8> {
        self.init(name: name, format: format, columns: columns, names: names) { () throws(BulkSyncError) in
            ChunkInput(chunks)
        }
    }

    private init(
        name: String,
        format: FileFormat?,
        columns: [String]?,
        names: [String: String],
        open: @escaping Opener
    ) {
        self.name = name
        self.format = format
        self.columns = columns
        self.names = names
        self.open = open
    }

    /// What the connection reads the rows from.
    ///
    /// Each use of a path starts at the beginning of the file.
    package func source() -> FileSource {
        FileSource(self)
    }
}
