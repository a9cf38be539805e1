/// The part of a table that the rows describe completely: what lies in it and has no row is deleted.
///
/// Conditions are combined by ``and(_:)``.
///
/// ```swift
/// .all                                              // the whole table
/// .values(["company_id": 501])                      // the safe way for values of a program
/// .where("valid_to >= current_date")                // an SQL condition on the table
/// .columns(["company_id"])                          // the companies that occur in the rows
/// .values(["company_id": 501]).and(.where("active"))
/// ```
public struct Scope: Hashable, Sendable {
    var condition: String?
    var values: [String: SyncValue]?
    var columns: [String]?
    /// The column that was given two values by ``and(_:)``, which cannot throw: whoever uses the scope does.
    private(set) var contradiction: String?

    private init(condition: String? = nil, values: [String: SyncValue]? = nil, columns: [String]? = nil) {
        self.condition = condition
        self.values = values
        self.columns = columns
    }

    /// The whole table.
    public static let all = Scope(condition: "true")

    /// The rows of the table that hold these values.
    ///
    /// New rows get them, too.
    ///
    /// - Parameter values: Values by the exact names of their columns; a null is matched by NULL.
    /// - Returns: The scope.
    public static func values(_ values: [String: SyncValue]) -> Scope {
        Scope(values: values)
    }

    /// The rows of the table whose values in these columns occur together in the rows that are given.
    ///
    /// - Parameter columns: The exact names of columns.
    /// - Returns: The scope.
    public static func columns(_ columns: [String]) -> Scope {
        Scope(columns: columns)
    }

    /// The rows of the table for which a condition is true.
    ///
    /// - Parameter condition: A boolean SQL expression over the table's columns. Never put values of a user into it: that is
    ///   what ``values(_:)`` is for.
    /// - Returns: The scope.
    public static func `where`(_ condition: String) -> Scope {
        Scope(condition: condition)
    }

    /// The rows that are in this scope and in another one.
    ///
    /// - Parameter other: The other scope. Where both hold a value for one column, it must be the same value: an operation
    ///   throws the code ``BulkSyncError/Code/invalidArgument`` for a scope with two.
    /// - Returns: The narrower scope.
    public func and(_ other: Scope) -> Scope {
        var result = self
        result.contradiction = contradiction ?? other.contradiction
        switch (condition, other.condition) {
        case (let left?, let right?) where left != "true" && right != "true":
            // A line break ends a comment that a condition may close with.
            result.condition = "(\(left)\n) AND (\(right)\n)"
        case (let left, let right):
            result.condition = left == nil || left == "true" ? right ?? left : left
        }
        if let values = other.values {
            let own = result.values ?? [:]
            let differing = values.filter { column, value in own[column].map { $0 != value } ?? false }
            result.contradiction = result.contradiction ?? differing.keys.min()
            result.values = own.merging(values) { left, _ in left }
        }
        if let columns = other.columns {
            result.columns = (result.columns ?? []) + columns.filter { !(result.columns ?? []).contains($0) }
        }
        return result
    }
}

extension Scope {
    /// Throws if the scope can hold no row at all, which is a mistake and no wish to delete everything.
    func check() throws(BulkSyncError) {
        guard let contradiction else { return }
        var error = BulkSyncError(
            code: .invalidArgument, message: "the scope holds two different values for column \"\(contradiction)\"")
        error.hint = "Scopes that are combined by and(_:) must hold the same value for a column that both name."
        error.column = contradiction
        throw error
    }
}
