import BulkSync

/// A file, the table it is for, and how far it has been read.
struct Feed: Sendable {
    let file: FileRows
    let table: TableName
    let key: [String]?
    /// nil where nobody watches.
    let progress: ProgressBar?

    init(_ file: FileOptions, _ table: TableOptions, quiet: Bool) throws {
        var rows = try file.rows(with: table.namedColumns)
        // An extra column exists for the file's sake: one that the file lacks is a name mistyped.
        rows.required = table.extraColumn.map(\.name)
        self.table = table.table
        key = table.keyColumns
        progress = quiet ? nil : ProgressBar(path: file.isStandardInput ? nil : file.file)
        if let progress {
            rows.onRead = { progress.read($0) }
        }
        self.file = rows
    }
}
