extension Rows {
    /// Takes the rows of a file or stream.
    ///
    /// ```swift
    /// let file = FileRows(path: "employees.txt", format: .csv(delimiter: ";"), names: ["phone": "telefon"])
    /// try await client.sync(Rows(file), into: "employee", key: ["name"], scope: .all)
    /// ```
    ///
    /// - Parameter file: The rows.
    public init(_ file: FileRows) {
        self.init(source: file.source())
    }

    /// The rows of a file.
    ///
    /// ```swift
    /// try await client.sync(.file("employees.csv"), into: "employee", key: ["name"], scope: .all)
    /// ```
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - format: How the rows are written; nil: as the extension of the file's name says.
    ///   - columns: The columns to load; nil: all that the file has.
    ///   - names: What columns are called in the file, by their names in the table.
    /// - Returns: The rows.
    public static func file(
        _ path: String,
        format: FileFormat? = nil,
        columns: [String]? = nil,
        names: [String: String] = [:]
    ) -> Rows {
        Rows(FileRows(path: path, format: format, columns: columns, names: names))
    }
}
