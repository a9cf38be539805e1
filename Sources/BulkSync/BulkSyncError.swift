/// An error of a sync: what the server, the connection or the library refused.
///
/// ``code`` tells what kind of error it is. An error of the server keeps all the fields that the server sent; an error of a
/// row that cannot be written names the row and the column.
///
/// ```swift
/// do {
///     try await client.sync(employees, into: "employee", scope: .all)
/// } catch let error as BulkSyncError where error.code == .deleteLimit {
///     print("refused: \(error.message)")
/// }
/// ```
public struct BulkSyncError: Error, Sendable {
    /// The kind of error.
    public var code: Code

    /// What is wrong, in one sentence, as the server or the library says it.
    ///
    /// The server quotes a value that it could not read; ``description`` leaves such values out.
    public var message: String

    /// The severity of a server's error: `ERROR`, `FATAL` or `PANIC`.
    public var severity: String? {
        get { fields.severity }
        set { fields.severity = newValue }
    }

    /// More about the error, for instance the keys that occur twice.
    ///
    /// It may hold values of rows.
    public var detail: String? {
        get { fields.detail }
        set { fields.detail = newValue }
    }

    /// What to do about it.
    public var hint: String? {
        get { fields.hint }
        set { fields.hint = newValue }
    }

    /// Where it happened: the calls, the column, the position of the staged row.
    ///
    /// It may hold values of rows.
    public var context: String? {
        get { fields.context }
        set { fields.context = newValue }
    }

    /// The schema of the table in question.
    public var schema: String? {
        get { fields.schema }
        set { fields.schema = newValue }
    }

    /// The table in question.
    public var table: String? {
        get { fields.table }
        set { fields.table = newValue }
    }

    /// The column in question.
    public var column: String? {
        get { fields.column }
        set { fields.column = newValue }
    }

    /// The data type in question.
    public var dataType: String? {
        get { fields.dataType }
        set { fields.dataType = newValue }
    }

    /// The constraint that a row breaks.
    public var constraint: String? {
        get { fields.constraint }
        set { fields.constraint = newValue }
    }

    /// The position in the statement, in characters from 1.
    public var position: Int? {
        get { fields.position }
        set { fields.position = newValue }
    }

    /// The row that could not be written, counted from 1 in the order in which the rows were given.
    public var row: Int? {
        get { fields.row }
        set { fields.row = newValue }
    }

    /// The error that led to this one: what a row's `encode(to:)` threw, for instance, or what the producer of the rows
    /// threw where the server's error takes precedence.
    public var underlying: (any Error)? {
        get { fields.underlying }
        set { fields.underlying = newValue }
    }

    /// What only some errors have.
    ///
    /// It is in an array, of one element or none, so that an error stays small.
    private var storage: [Fields] = []

    private struct Fields: Sendable {
        var severity: String?
        var detail: String?
        var hint: String?
        var context: String?
        var schema: String?
        var table: String?
        var column: String?
        var dataType: String?
        var constraint: String?
        var position: Int?
        var row: Int?
        var underlying: (any Error)?
    }

    private var fields: Fields {
        get { storage.first ?? Fields() }
        set { storage = [newValue] }
    }

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of error.
    ///   - message: What is wrong, in one sentence without values of rows.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same transaction may succeed if it is run again from its beginning.
    public var isRetryable: Bool {
        code.isRetryable
    }
}

extension BulkSyncError: Hashable {
    /// Compares everything but ``underlying``.
    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.message == right.message && left.texts == right.texts
            && left.position == right.position && left.row == right.row
    }

    /// Hashes the code and the message.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }

    private var texts: [String?] {
        [severity, detail, hint, context, schema, table, column, dataType, constraint]
    }
}

extension BulkSyncError: CustomStringConvertible, CustomDebugStringConvertible {
    /// The message, followed by the code and the hint, without values of rows.
    ///
    /// A server quotes the value that it could not read (`invalid input syntax for type integer: "…"`); here the value
    /// is left out. It stands in ``message``, as the keys of a refused row stand in ``detail``.
    public var description: String {
        let text = "\(quotesValues ? Self.withoutQuoted(message) : message) (\(code))"
        return hint.map { "\(text)\nHINT: \($0)" } ?? text
    }

    /// The same as ``description``: what ends in a log must not depend on how the error was printed.
    public var debugDescription: String {
        description
    }

    /// Errors of class 22 speak of values, but for those about the arguments of a call.
    private var quotesValues: Bool {
        severity != nil && code.rawValue.hasPrefix("22") && code != .invalidArgument
    }

    private static func withoutQuoted(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
            return message
        }
        return message[...first] + "…" + message[last...]
    }
}

extension BulkSyncError: CustomReflectable {
    /// Shows what ``description`` shows, so that `dump` gives nothing away either.
    public var customMirror: Mirror {
        Mirror(self, children: ["description": description])
    }
}
