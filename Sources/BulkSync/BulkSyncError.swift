/// An error of a sync: what the server, the connection or the library refused.
public struct BulkSyncError: Error, Hashable, Sendable {
    /// The kind of error.
    public var code: Code

    /// What is wrong, in one sentence without values of rows.
    public var message: String

    /// What to do about it.
    public var hint: String?

    /// The column in question.
    public var column: String?

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of error.
    ///   - message: What is wrong, in one sentence without values of rows.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}

extension BulkSyncError: CustomStringConvertible {
    /// The message, followed by the code.
    public var description: String {
        "\(message) (\(code))"
    }
}
