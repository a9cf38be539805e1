import ArgumentParser
import BulkSync

/// `bulk-sync compare`.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Show what a sync would change, row by row, and change nothing.",
        discussion: """
            A line for each difference, in no order: + for a row that would be inserted, ~ for one that would be updated, \
            - for one that would be deleted. The key comes first; values are written as in JSON.

              + name: "Ann" | age: 31, phone: "555-01"
              ~ name: "Bob" | age: 42 → 43
              - name: "Carl" | age: 58, phone: null

            Examples:
                bulk-sync compare employees.csv --into employee --key name \\
                    --scope "company_id = 501"
              Which keys would be deleted?
                bulk-sync compare employees.csv --into employee --scope true --json \\
                    | jq -c 'select(.action == "delete").key'
              Is the table what the file says?
                bulk-sync compare employees.csv --into employee --scope true \\
                    --exit-code --quiet
            """
    )

    @OptionGroup var file: FileOptions
    @OptionGroup(title: "Table") var table: TableOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    @Flag(help: "Show rows that are equal, too, with =.")
    var includeUnchanged = false

    @Flag(help: "Print each difference as a JSON object on a line of its own, and nothing else.")
    var json = false

    @Flag(help: "Exit with 1 if there are differences.")
    var exitCode = false

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func run() async throws {
        let options = try table.syncOptions
        let scope = try table.scopeOfAll
        let feed = try Feed(file, table, quiet: quiet)
        let (dsn, includeUnchanged) = (connection.dsn, self.includeUnchanged)
        let printer = ChangePrinter(style: quiet ? .none : json ? .json : .text)
        try await withExitStatus {
            defer { feed.progress?.clear() }
            try await BulkSyncClient.withConnection(dsn) { client in
                try await client.compareRecords(
                    Rows(feed.file),
                    with: feed.table,
                    key: feed.key,
                    scope: scope,
                    options: options,
                    includeUnchanged: includeUnchanged,
                    progress: feed.progress?.handler
                ) { record in
                    feed.progress?.clear()
                    try printer.print(record)
                }
            }
            feed.progress?.clear()
            try printer.finish()
        }
        if exitCode && printer.hasDifferences {
            throw ExitStatus.different.exitCode
        }
    }
}
