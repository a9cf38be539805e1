import BulkSync
import Foundation

/// A way to bring rows into the table: the same rows, the same call at the server.
struct Method {
    /// What the table of results calls it.
    var name: String
    /// The method that its time is held against, if it is not one of those itself.
    var peer: String?
    /// The most that it may take of the peer's time.
    var atMost: Double?
    /// The least that it must take of the peer's time: of a method that we mean to be faster than.
    var atLeast: Double?
    /// Does it once, from connecting to closing.
    ///
    /// Returns the seconds, if the method has a clock of its own.
    var run: () async throws -> Double?
}

/// What the methods work on.
struct Workbench {
    var database: String
    var rows: [Price]
    var directRows: [DirectPrice]
    /// The rows as files: binary COPY and CSV with a header.
    var binaryFile: String
    var csvFile: String
    /// The command to be measured.
    var command: String
    /// The Python that has the Django libraries, if they take part.
    var python: String?

    private static let synced = "SELECT * FROM bulk_sync('price', 'price_staged', '{sku}', scope => 'true');"

    private func connect() async throws -> BulkSyncClient {
        try await BulkSyncClient.connect("dbname=\(database)")
    }

    private func stagedByPSQL(_ copy: String) throws {
        _ = try psql(
            "BEGIN;\nSELECT bulk_stage('price', on_commit_drop => true);\n\\copy \(copy)\n\(Self.synced)\nCOMMIT;\n",
            database: database
        )
    }

    /// All methods, in the order of the report.
    var methods: [Method] {
        [
            Method(name: "psql, binary file") {
                try stagedByPSQL("price_staged from '\(binaryFile)' with (format binary)")
                return nil
            },
            Method(name: "library, RowEncodable", peer: "psql, binary file", atMost: 1.1) {
                let client = try await connect()
                try check(try await client.sync(directRows, into: "price", key: ["sku"], scope: .all))
                await client.close()
                return nil
            },
            Method(name: "library, Codable", peer: "psql, binary file", atMost: 1.4) {
                let client = try await connect()
                try check(try await client.sync(rows, into: "price", key: ["sku"], scope: .all))
                await client.close()
                return nil
            },
            Method(name: "psql, CSV") {
                try stagedByPSQL("price_staged from '\(csvFile)' with (format csv, header)")
                return nil
            },
            Method(name: "bulk-sync, CSV", peer: "psql, CSV", atMost: 1.25) {
                _ = try bulk_sync_bench.run(
                    command,
                    [
                        "sync", csvFile, "--into", "price", "--key", "sku", "--scope", "true", "--quiet", "--dsn",
                        "dbname=\(database)",
                    ]
                )
                return nil
            },
        ] + django
    }

    /// The libraries of Django; objects are made before their clock starts.
    private var django: [Method] {
        guard let python else { return [] }
        return [("django-bulk-sync", 100.0), ("django-bulk-load", 3.0)].map { name, times in
            Method(name: name, peer: "library, Codable", atLeast: times) {
                let script = "Tests/bench/django_peers.py"
                let printed = try bulk_sync_bench.run(python, [script, name, database, "\(rows.count)"])
                return Double(printed.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }
    }

    private func check(_ summary: SyncSummary) throws {
        guard summary.unchanged == rows.count, !summary.hasChanges else {
            throw ProgramFailure(program: "the library", output: "wrong result: \(summary)")
        }
    }
}
