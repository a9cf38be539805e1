extension BulkSyncError {
    /// The kind of an error: an SQLSTATE, five characters that stay the same in every release and every language.
    ///
    /// The codes that a sync gives a meaning of its own have names. Any other code of PostgreSQL is a code as well:
    ///
    /// ```swift
    /// switch error.code {
    /// case .deleteLimit: print("the feed would delete too much")
    /// case "23505": print("the row exists already")
    /// default: throw error
    /// }
    /// ```
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The SQLSTATE, for instance `40001`.
        public let rawValue: String

        /// Makes a code from an SQLSTATE.
        ///
        /// - Parameter rawValue: The SQLSTATE, as the server reports it.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }
    }
}

extension BulkSyncError.Code {
    /// `SY001`: the staged table does not hold the expected number of rows, as when a feed was cut off.
    public static let incompleteFeed: Self = "SY001"

    /// `SY002`: nothing is staged, and the sync would delete every row in scope.
    public static let emptyFeed: Self = "SY002"

    /// `SY003`: more rows would be deleted than the limits allow.
    public static let deleteLimit: Self = "SY003"

    /// `21000`: two staged rows have one key, or a staged row matches two rows of the target.
    public static let duplicateKeys: Self = "21000"

    /// `44000`: a staged row belongs to a place outside the scope.
    public static let outOfScope: Self = "44000"

    /// `40001`: another transaction changed the same rows; the transaction may be tried again.
    public static let serializationFailure: Self = "40001"

    /// `40P01`: two transactions waited for each other; the transaction may be tried again.
    public static let deadlockDetected: Self = "40P01"

    /// `55P03`: a lock could not be had within `lock_timeout`.
    public static let lockNotAvailable: Self = "55P03"

    /// `57014`: the call was cancelled, or ran into `statement_timeout`.
    public static let cancelled: Self = "57014"

    /// `42501`: the role lacks a privilege.
    public static let insufficientPrivilege: Self = "42501"

    /// `25006`: the transaction, or the server, is read-only.
    public static let readOnly: Self = "25006"

    /// `22023`: an argument has a value that is not allowed.
    public static let invalidArgument: Self = "22023"

    /// `42703`: a column does not exist.
    public static let undefinedColumn: Self = "42703"

    /// `23505`: a row breaks a unique constraint of the target.
    public static let uniqueViolation: Self = "23505"

    /// `23503`: a row refers to a row that does not exist, or is referred to.
    public static let foreignKeyViolation: Self = "23503"

    /// `23502`: a row holds NULL in a column that does not allow it.
    public static let notNullViolation: Self = "23502"

    /// `23514`: a row breaks a check constraint.
    public static let checkViolation: Self = "23514"

    /// `42P01`: a table does not exist.
    public static let undefinedTable: Self = "42P01"

    /// Whether there is no transaction, or no savepoint of the name in it.
    var isMissingSavepoint: Bool {
        self == "25P01" || self == "3B001"
    }

    /// Whether the same transaction may succeed if it is run again from its beginning.
    public var isRetryable: Bool {
        self == .serializationFailure || self == .deadlockDetected
    }
}

/// Errors of the connection.
extension BulkSyncError.Code {
    /// `08001`: no connection could be made.
    public static let unableToConnect: Self = "08001"

    /// `22021`: a text holds what PostgreSQL's texts cannot hold, such as a zero byte.
    public static let characterNotInRepertoire: Self = "22021"

    /// `08003`: the connection is closed.
    public static let connectionClosed: Self = "08003"

    /// `08006`: the connection was lost.
    ///
    /// What was not committed is rolled back.
    public static let connectionFailure: Self = "08006"

    /// `08007`: the connection was lost while a transaction was being committed: whether it was is unknown.
    ///
    /// A sync may be run again.
    public static let outcomeUnknown: Self = "08007"

    /// `28P01`: the password is missing or wrong.
    public static let invalidPassword: Self = "28P01"

    /// `57P01`: an administrator ended the session, or shut the server down.
    public static let adminShutdown: Self = "57P01"

    /// Whether the connection is gone: it was never made, is closed, was lost, or was ended by the server.
    public var isConnectionLoss: Bool {
        rawValue.hasPrefix("08") || ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"].contains(rawValue)
    }
}

/// Conditions that only the client knows. PostgreSQL has no class `BS`.
extension BulkSyncError.Code {
    /// `BS001`: the extension is not installed in the database.
    public static let extensionMissing: Self = "BS001"

    /// `BS002`: the extension in the database is older than this library needs.
    public static let extensionOutdated: Self = "BS002"

    /// `BS003`: a row cannot be written; the error names the row and the column.
    public static let encoding: Self = "BS003"

    /// `BS004`: a row of the database does not fit the Swift type it is to be read as.
    public static let decoding: Self = "BS004"

    /// `BS005`: the columns asked for are not unique in the table.
    public static let notUnique: Self = "BS005"

    /// `BS006`: a transaction was used after its end or was ended by a command, a client was used inside its own transaction,
    /// or a command was to copy from or to the client.
    public static let misuse: Self = "BS006"

    /// `BS007`: a connection string, or another parameter of the connection, makes no sense; no server was asked.
    public static let invalidConnectionString: Self = "BS007"
}

extension BulkSyncError.Code: ExpressibleByStringLiteral {
    /// Makes a code from an SQLSTATE in the source.
    ///
    /// - Parameter value: The SQLSTATE.
    public init(stringLiteral value: String) {
        self.init(rawValue: value)
    }
}

extension BulkSyncError.Code: CustomStringConvertible {
    /// The SQLSTATE.
    public var description: String {
        rawValue
    }
}
