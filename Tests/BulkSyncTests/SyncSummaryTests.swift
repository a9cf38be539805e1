import BulkSync
import Testing

@Suite("The summary of a sync")
struct SyncSummaryTests {
    @Test("is one line for people")
    func description() {
        let summary = SyncSummary(staged: 999, inserted: 3, updated: 12, unchanged: 984, deleted: 1)
        #expect(summary.description == "3 inserted, 12 updated, 1 deleted, 984 unchanged")
    }

    @Test("speaks of skipped rows only where there are any")
    func skipped() {
        let summary = SyncSummary(staged: 5, inserted: 1, updated: 0, unchanged: 2, skipped: 2, deleted: 0)
        #expect(summary.description == "1 inserted, 0 updated, 0 deleted, 2 unchanged, 2 skipped")
    }

    @Test(
        "has changes when a row was written",
        arguments: [
            (SyncSummary(staged: 1, inserted: 1), true),
            (SyncSummary(staged: 1, updated: 1), true),
            (SyncSummary(deleted: 1), true),
            (SyncSummary(staged: 2, unchanged: 1, skipped: 1), false),
            (SyncSummary(), false),
        ]
    )
    func hasChanges(summary: SyncSummary, expected: Bool) {
        #expect(summary.hasChanges == expected)
    }
}
