/// The name of a table.
///
/// A string is a name as it is typed in SQL: `employee`, `hr.employee`, `"Strange Name"`. It is a parameter and never part
/// of a statement. Where a name comes from somewhere else, give it exactly: `TableName(schema: "hr", name: "employee")`.
public struct TableName: Hashable, Sendable {
    /// The name as it is typed in SQL.
    public let sql: String

    /// Makes a name from what one types in SQL: lower case unless quoted, with a schema or found by the search path.
    ///
    /// - Parameter sql: The name.
    public init(_ sql: String) {
        self.sql = sql
    }

    /// Makes a name from exact names, as the catalogs hold them.
    ///
    /// - Parameters:
    ///   - schema: The schema; nil to find the table by the search path.
    ///   - name: The table.
    public init(schema: String? = nil, name: String) {
        sql = (schema.map { quotedIdentifier($0) + "." } ?? "") + quotedIdentifier(name)
    }
}

extension TableName: ExpressibleByStringLiteral {
    /// Makes a name from a literal, as it is typed in SQL.
    ///
    /// - Parameter value: The name.
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

extension TableName: CustomStringConvertible {
    /// The name as it is typed in SQL.
    public var description: String {
        sql
    }
}

/// An exact name as SQL takes it.
func quotedIdentifier(_ name: String) -> String {
    "\"" + name.replacing("\"", with: "\"\"") + "\""
}

/// A list of strings as the text of a PostgreSQL array.
func arrayText(_ elements: [String?]) -> String {
    "{" + elements.map { arrayElementText($0) }.joined(separator: ",") + "}"
}

/// The text of an element in the text of an array.
func arrayElementText(_ element: String?) -> String {
    element.map { "\"" + $0.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\"" } ?? "NULL"
}
