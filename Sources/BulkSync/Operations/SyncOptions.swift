/// What a sync does beside the plain case: which actions, which columns play a role of their own, what is refused, how
/// it locks.
///
/// The default is the plain case.
///
/// ```swift
/// var options = SyncOptions()
/// options.touchColumns = ["updated_at"]
/// options.maxDeleteFraction = 0.1
/// options.softDeleteColumn = "deleted_at"
/// try await client.sync(employees, into: "employee", scope: .all, options: options)
/// ```
///
/// Names of columns are exact names of the table, not of Swift properties.
public struct SyncOptions: Hashable, Sendable {
    /// What a sync may do to the table.
    public struct Actions: OptionSet, Hashable, Sendable {
        /// The actions as bits.
        public let rawValue: Int

        /// Makes a set from bits.
        public init(rawValue: Int) {
            self.rawValue = rawValue
        }

        /// Insert rows that are new.
        public static let insert = Self(rawValue: 1)
        /// Update rows that differ.
        public static let update = Self(rawValue: 2)
        /// Delete rows in scope that are not among those given.
        ///
        /// It needs a scope.
        public static let delete = Self(rawValue: 4)
        /// All three.
        public static let all: Self = [.insert, .update, .delete]
    }

    /// What to do with rows that have one key.
    public enum Duplicates: String, Hashable, Sendable, CaseIterable {
        /// Refuse them with ``BulkSyncError/Code/duplicateKeys``.
        case error
        /// Keep the first, and count the others as skipped.
        case first
        /// Keep the last, and count the others as skipped.
        case last
    }

    /// The lock on the table while the sync runs, as `LOCK TABLE` names it.
    public enum LockMode: String, Hashable, Sendable, CaseIterable {
        /// For many syncs of disjoint scopes at once.
        case rowExclusive = "row exclusive"
        /// The default: others read and write; two syncs follow each other.
        case shareUpdateExclusive = "share update exclusive"
        /// Others read; writers wait.
        case shareRowExclusive = "share row exclusive"
        /// Others read; writers wait: the table holds exactly the rows at commit.
        case exclusive = "exclusive"
        /// Nobody else uses the table.
        case accessExclusive = "access exclusive"
    }

    /// What to do: all three unless set.
    ///
    /// ``SyncOperations/upsert(_:into:key:scope:options:progress:)-(Rows,_,_,_,_,_)`` and the like set it themselves.
    public var actions = Actions.all

    /// The columns that are compared and written, beside the key; nil: all columns of the rows.
    public var columns: [String]?

    /// Columns that are written on insert, and never compared or updated: `created_at`.
    public var insertOnlyColumns: [String] = []

    /// Columns that are not compared, and written when the row is updated anyway: `updated_at`.
    public var touchColumns: [String] = []

    /// Columns that are updated only where the table holds NULL.
    public var fillColumns: [String] = []

    /// Columns in which NULL leaves the value of the table alone.
    public var keepColumns: [String] = []

    /// An SQL condition over `target.*` and `staged.*`, which a row must meet to be updated: `staged.version >
    /// target.version`.
    ///
    /// Never put values of a user into it.
    public var updateWhere: String?

    /// A boolean, `timestamp` or `timestamptz` column that marks stale rows instead of their being deleted.
    public var softDeleteColumn: String?

    /// What to do with rows that have one key.
    public var duplicates = Duplicates.error

    /// The column that ranks rows of one key, lowest first; nil: the order in which the rows are given.
    public var orderColumn: String?

    /// Whether a new row that breaks another unique constraint is skipped.
    public var ignoreConflicts = false

    /// Refuse to delete more rows than this, with ``BulkSyncError/Code/deleteLimit``.
    ///
    /// With ``maxDeleteFraction`` given as well, refuse when both are exceeded, though a 0 refuses by itself.
    public var maxDeletes: Int?

    /// Refuse to delete a larger part of the rows in scope than this, from 0 to 1.
    public var maxDeleteFraction: Double?

    /// Whether no rows at all may delete everything in scope.
    ///
    /// If not, that is ``BulkSyncError/Code/emptyFeed``.
    public var allowEmpty = false

    /// The number of rows that there must be, where it is known from elsewhere.
    ///
    /// If there are not as many, that is ``BulkSyncError/Code/incompleteFeed``. The client checks by itself that the
    /// server got all rows that it sent.
    public var expectedRows: Int?

    /// The lock on the table.
    public var lockMode = LockMode.shareUpdateExclusive

    /// Whether to count what would be done, and do nothing.
    public var dryRun = false

    /// Columns of the rows that the table does not have, with their SQL types: `["seq": "bigint"]`.
    ///
    /// They can be the ``orderColumn``, or be read by ``updateWhere`` as `staged.seq`.
    public var extraColumns: [String: String] = [:]

    /// Makes the options of the plain case.
    public init() {}

    /// Makes options with some actions only.
    ///
    /// - Parameters:
    ///   - actions: What to do.
    ///   - dryRun: Whether to count what would be done, and do nothing.
    public init(actions: Actions = .all, dryRun: Bool = false) {
        self.actions = actions
        self.dryRun = dryRun
    }
}
