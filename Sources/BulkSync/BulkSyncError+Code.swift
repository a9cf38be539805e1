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

    /// Whether the same transaction may succeed if it is run again from its beginning.
    public var isRetryable: Bool {
        self == .serializationFailure || self == .deadlockDetected
    }
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
