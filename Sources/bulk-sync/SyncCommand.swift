import ArgumentParser
import BulkSync
import Foundation

/// `bulk-sync sync`.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Make the table match the file, and count what was done.",
        discussion: """
            Rows are matched by the key. New rows are inserted, rows that differ updated, and rows of the table that are in \
            scope but not in the file are deleted; equal rows are left alone. Without a scope, nothing may be deleted: say \
            --scope true for the whole table, or --actions insert,update.

            Examples:
              What would happen?
                bulk-sync sync employees.csv --into employee --key name \\
                    --scope "company_id = 501" --dry-run
              The file has no column for the company; new rows get it from the scope:
                bulk-sync sync employees.csv --into employee --key name \\
                    --scope-value company_id=501
              A column has another name, and the separator is a semicolon:
                bulk-sync sync export.csv --into employee --scope true \\
                    --delimiter ';' --column phone=telefon
              Refuse to delete more than a tenth, and mark instead of deleting:
                bulk-sync sync all.jsonl --into employee --scope true \\
                    --max-delete-fraction 10% --soft-delete deleted_at
              Add and change only:
                zcat prices.csv.gz | bulk-sync sync - --into price --actions insert,update
            """
    )

    @OptionGroup var file: FileOptions
    @OptionGroup(title: "Table") var table: TableOptions
    @OptionGroup(title: "Guards") var guards: GuardOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    @Flag(help: "Print the counts as one line of JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func run() async throws {
        var options = try table.syncOptions
        guards.apply(to: &options)
        let scope = try table.scopeOfAll
        let feed = try Feed(file, table, quiet: quiet)
        let (settled, dsn) = (options, connection.dsn)
        let report = report
        try await withExitStatus {
            defer { feed.progress?.clear() }
            let summary = try await BulkSyncClient.withConnection(dsn) { client in
                try await client.sync(
                    Rows(feed.file),
                    into: feed.table,
                    key: feed.key,
                    scope: scope,
                    options: settled,
                    progress: feed.progress?.handler
                )
            }
            feed.progress?.clear()
            try report.print(summary)
        }
    }

    private var report: Report {
        Report(isDryRun: guards.dryRun, isJSON: json, isQuiet: quiet)
    }
}

/// How the counts are printed.
private struct Report {
    var isDryRun: Bool
    var isJSON: Bool
    var isQuiet: Bool

    func print(_ summary: SyncSummary) throws {
        if isQuiet { return }
        // A reader that has gone away is told of like a full disk, by a message and a status.
        signal(SIGPIPE, SIG_IGN)
        if isJSON {
            let counts = SummaryLine(summary, dryRun: isDryRun)
            try printOutput(JSONEncoder.lines.encode(counts) + Data("\n".utf8), outcome: outcome(summary))
        } else {
            let line = isDryRun ? "dry run: \(summary)" : summary.description
            try printOutput(Data("\(line)\n".utf8), outcome: outcome(summary))
        }
    }

    private func outcome(_ summary: SyncSummary) -> String {
        if isDryRun { return "nothing was changed" }
        if summary.inserted + summary.updated + summary.deleted == 0 { return "the table needed no change" }
        return "the table was changed (\(summary))"
    }
}

/// The counts as JSON.
private struct SummaryLine: Encodable {
    var staged: Int
    var inserted: Int
    var updated: Int
    var unchanged: Int
    var skipped: Int
    var deleted: Int
    var dryRun: Bool

    init(_ summary: SyncSummary, dryRun: Bool) {
        staged = summary.staged
        inserted = summary.inserted
        updated = summary.updated
        unchanged = summary.unchanged
        skipped = summary.skipped
        deleted = summary.deleted
        self.dryRun = dryRun
    }
}

extension JSONEncoder {
    /// One object a line, in the order of the keys.
    static var lines: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }
}
