/// What a sync did, or in a dry run would do, counted in rows.
///
/// Every staged row is counted once: ``staged`` is the sum of ``inserted``, ``updated``, ``unchanged`` and ``skipped``.
/// Deleted rows are rows of the target that no staged row matches, and are counted beside them.
///
/// ```swift
/// print(summary)  // 3 inserted, 12 updated, 1 deleted, 984 unchanged
/// ```
public struct SyncSummary: Hashable, Sendable {
    /// The number of staged rows.
    public var staged: Int

    /// The number of rows that were new.
    public var inserted: Int

    /// The number of rows that differed from their staged row and were written again.
    public var updated: Int

    /// The number of rows that were equal to their staged row and were left alone.
    public var unchanged: Int

    /// The number of staged rows that would have been written but were not: because of the actions, a condition, a
    /// conflict, a duplicate or a trigger.
    public var skipped: Int

    /// The number of target rows that were deleted, or marked as deleted, without those that foreign keys took along.
    public var deleted: Int

    /// Makes a summary from its counts.
    ///
    /// - Parameters:
    ///   - staged: The number of staged rows.
    ///   - inserted: The number of rows that were new.
    ///   - updated: The number of rows that were written again.
    ///   - unchanged: The number of rows that were left alone.
    ///   - skipped: The number of staged rows that were not written.
    ///   - deleted: The number of target rows that were deleted.
    public init(
        staged: Int = 0,
        inserted: Int = 0,
        updated: Int = 0,
        unchanged: Int = 0,
        skipped: Int = 0,
        deleted: Int = 0
    ) {
        self.staged = staged
        self.inserted = inserted
        self.updated = updated
        self.unchanged = unchanged
        self.skipped = skipped
        self.deleted = deleted
    }

    /// Whether the sync wrote anything.
    public var hasChanges: Bool {
        inserted != 0 || updated != 0 || deleted != 0
    }
}

extension SyncSummary: CustomStringConvertible {
    /// One line for people: `3 inserted, 12 updated, 1 deleted, 984 unchanged`, and `, 2 skipped` where rows were.
    public var description: String {
        let counts = "\(inserted) inserted, \(updated) updated, \(deleted) deleted, \(unchanged) unchanged"
        return skipped == 0 ? counts : counts + ", \(skipped) skipped"
    }
}
