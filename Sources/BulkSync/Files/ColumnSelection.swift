/// Which columns of a file are loaded, and what they are called in the table.
struct ColumnSelection {
    /// The columns asked for, by their names in the table; nil: all that the file has.
    let columns: [String]?
    /// The file, for messages.
    let place: FilePlace

    /// The name in the table by the name in the file.
    private let targets: [String: String]
    /// The other way round.
    private let names: [String: String]

    /// Columns that must be there, though they may not be the only ones.
    private let required: [String]

    init(
        columns: [String]?,
        names: [String: String],
        required: [String] = [],
        place: FilePlace
    ) throws(BulkSyncError) {
        self.columns = columns
        self.required = required
        self.place = place
        self.names = names
        if let columns {
            if columns.isEmpty {
                throw BulkSyncError(code: .invalidArgument, message: "the list of columns is empty")
            }
            if let twice = Self.repeated(columns) {
                throw BulkSyncError(code: .duplicateColumn, message: "column \"\(twice)\" is listed twice")
            }
            for column in required where !columns.contains(column) {
                throw BulkSyncError(
                    code: .undefinedColumn,
                    message: "column \"\(column)\" is needed, but is not among the columns to load"
                )
            }
            for column in names.keys.sorted() where !columns.contains(column) {
                throw BulkSyncError(
                    code: .invalidArgument,
                    message: "column \"\(column)\" is renamed, but is not among the columns to load"
                )
            }
        }
        var targets: [String: String] = [:]
        for (column, name) in names.sorted(by: { $0.key < $1.key }) {
            if let other = targets.updateValue(column, forKey: name) {
                throw BulkSyncError(
                    code: .invalidArgument,
                    message: "\"\(name)\" in the file cannot be column \"\(other)\" and column \"\(column)\""
                )
            }
        }
        self.targets = targets
    }

    /// Whether a column has another name in the file.
    var hasNames: Bool {
        !names.isEmpty
    }

    /// The column that a name in the file stands for; nil if it is not to be loaded.
    func column(for name: String) -> String? {
        if let column = targets[name] { return column }
        guard let columns else { return name }
        // A column that is taken from another field is not taken from the field of its own name as well.
        return columns.contains(name) && names[name] == nil ? name : nil
    }

    /// Whether a name in the file was asked for.
    func mentions(_ name: String) -> Bool {
        targets[name] != nil || columns?.contains(name) == true || required.contains(name)
    }

    /// What a column is called in the file.
    func name(of column: String) -> String {
        names[column] ?? column
    }

    /// The columns that the keys of the first object stand for, in its order.
    func columns(ofFirstObject keys: [String], line: Int) throws(BulkSyncError) -> [String] {
        let columns = keys.compactMap(column(for:))
        if keys.isEmpty {
            throw place.error("the first object has no keys", line: line, hint: "Name the columns to load.")
        }
        if let twice = Self.repeated(columns) {
            throw place.error("two keys stand for this column", line: line, column: twice)
        }
        try checkPresence(among: keys, in: "first object", line: line)
        return columns
    }

    /// The columns that the fields of a header stand for, in its order; nil for fields that are not loaded.
    func columns(ofHeader header: [String], line: Int) throws(BulkSyncError) -> [String?] {
        let fields = header.map(column(for:))
        let found = fields.compactMap(\.self)
        if columns == nil, let empty = header.firstIndex(of: "") {
            throw place.error(
                "the name of column \(empty + 1) is empty",
                line: line,
                hint: "Name the columns to load, or mend the header."
            )
        }
        if let twice = Self.repeated(found) {
            throw place.error("two names in the header stand for this column", line: line, column: twice)
        }
        try checkPresence(among: header, in: "header", line: line)
        return fields
    }

    /// Refuses if columns that were asked for, renamed or required are not there.
    private func checkPresence(
        among header: [String],
        in what: String,
        line: Int
    ) throws(BulkSyncError) {
        // A field of the column's own name does not do for a column that is taken from another field.
        let present = Set(header)
        for column in (columns ?? names.keys.sorted()) + required where !present.contains(name(of: column)) {
            throw place.error(
                "there is no \"\(name(of: column))\" in the \(what)",
                line: line,
                code: .undefinedColumn,
                hint: "The \(what) names \(header.map { "\"\($0)\"" }.joined(separator: ", "))."
            )
        }
    }

    private static func repeated(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }
}
