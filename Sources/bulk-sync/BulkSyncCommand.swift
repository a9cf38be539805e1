import ArgumentParser

/// The command `bulk-sync`: parses its arguments, calls the library, prints.
@main
struct BulkSyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk-sync",
        abstract: "Make a PostgreSQL table match a file: insert what is new, update what differs, delete what is gone.",
        discussion: """
            The header of the file names the columns of the table. Rows are matched by the key; rows of the table that the \
            file does not have are deleted, but only within the scope that you state. All of it is one transaction.

              bulk-sync employees.csv --into employee --key name --scope "company_id = 501"

            An option is given once, unless its help says that it may be repeated; a flag may be. See 'bulk-sync help sync' \
            for all options, and 'bulk-sync help compare' for a look at what would change.

            The connection is found as psql finds it: by PGHOST, PGUSER, PGDATABASE, PGPASSWORD, PGSERVICE and the like, \
            by the password file, and by --dsn, which overrides them. The database needs the extension: \
            CREATE EXTENSION bulk_sync.

            Exit status:
            \(ExitStatus.table)
            """,
        version: "bulk-sync \(version)",
        subcommands: [SyncCommand.self, CompareCommand.self],
        defaultSubcommand: SyncCommand.self
    )

    /// The release, as `default_version` of the extension has it.
    static let version = "1.0"

    static func main() async {
        openStandardDescriptors()
        Interruption.shared.listen()
        do {
            var command = try parseAsRoot()
            try refuseRepeatedOptions(CommandLine.arguments.dropFirst(), of: command)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            // Help and the version are errors to the parser, with the status of success.
            let text = fullMessage(for: error)
            guard !exitCode(for: error).isSuccess, text.hasPrefix("Error: ") else { exit(withError: error) }
            printLine("error: \(text.dropFirst("Error: ".count))")
            exit(withError: exitCode(for: error))
        }
    }
}
