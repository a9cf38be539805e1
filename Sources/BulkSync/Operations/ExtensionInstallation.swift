import Synchronization

/// Where the extension is in the database, and which one it is.
///
/// It may be in any schema.
struct ExtensionInstallation: Sendable {
    /// The oldest version that has all that this library calls.
    static let required = [1, 0]

    /// The schema, quoted.
    var schema: String
    var version: String

    static func isRecent(_ version: String) -> Bool {
        let parts = version.split(separator: ".").map { Int($0.prefix(while: \.isNumber)) ?? 0 }
        return !parts.lexicographicallyPrecedes(required)
    }
}

extension BulkSyncClient {
    /// Finds the extension, once for the connection.
    nonisolated func findExtension() async throws(BulkSyncError) -> ExtensionInstallation {
        if let known = installation.withLock({ $0 }) { return known }
        let rows = try await execute(
            """
            SELECT pg_catalog.quote_ident(n.nspname), e.extversion
            FROM pg_catalog.pg_extension e
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
            WHERE e.extname OPERATOR(pg_catalog.=) 'bulk_sync'
            """
        )
        guard let row = rows.first, row.count == 2, let schema = row[0], let version = row[1] else {
            var error = BulkSyncError(
                code: .extensionMissing, message: "the extension bulk_sync is not installed in this database")
            error.hint = "CREATE EXTENSION bulk_sync;"
            throw error
        }
        guard ExtensionInstallation.isRecent(version) else {
            let required = ExtensionInstallation.required.map(String.init).joined(separator: ".")
            var error = BulkSyncError(
                code: .extensionOutdated,
                message: "the extension bulk_sync is version \(version), and \(required) is needed"
            )
            error.hint = "ALTER EXTENSION bulk_sync UPDATE;"
            throw error
        }
        let found = ExtensionInstallation(schema: schema, version: version)
        installation.withLock { $0 = found }
        return found
    }

    /// Forgets where the extension is: it may be moved while the client is connected.
    nonisolated func forgetExtension() {
        installation.withLock { $0 = nil }
    }
}
