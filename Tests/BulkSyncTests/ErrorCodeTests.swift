import BulkSync
import Testing

@Suite("The code of an error")
struct ErrorCodeTests {
    @Test(
        "has a name where the contract gives it a meaning",
        arguments: [
            (BulkSyncError.Code.duplicateKeys, "21000"),
            (.outOfScope, "44000"),
            (.incompleteFeed, "SY001"),
            (.emptyFeed, "SY002"),
            (.deleteLimit, "SY003"),
            (.serializationFailure, "40001"),
            (.deadlockDetected, "40P01"),
        ]
    )
    func names(code: BulkSyncError.Code, sqlstate: String) {
        #expect(code.rawValue == sqlstate)
        #expect(code == BulkSyncError.Code(rawValue: sqlstate))
    }

    @Test("can be one that the library does not know")
    func unknown() {
        let code: BulkSyncError.Code = "P0001"
        #expect(code.rawValue == "P0001")
        #expect(!code.isRetryable)
    }

    @Test("tells what is worth another try")
    func retryable() {
        #expect(BulkSyncError.Code.serializationFailure.isRetryable)
        #expect(BulkSyncError.Code.deadlockDetected.isRetryable)
        #expect(!BulkSyncError.Code.deleteLimit.isRetryable)
    }

    @Test("stands behind the message in the description of the error")
    func description() {
        let error = BulkSyncError(code: .emptyFeed, message: "nothing is staged")
        #expect(error.description == "nothing is staged (SY002)")
    }
}
