import BulkSync

/// The error of a server in the words of the command line: it names arguments of SQL functions, where the user has typed
/// options, and staged rows, which are those of the file.
extension BulkSyncError {
    var inOptions: BulkSyncError {
        guard severity != nil else { return self }
        var error = self
        error.message = bulk_sync.inOptions(message)
        error.detail = detail.map { Self.isOfExtension($0) ? bulk_sync.inOptions($0) : $0 }
        error.hint = hint.map(bulk_sync.inOptions)
        // An expression with an error in it: which of them, only the context says.
        let argument = context.flatMap { $0.firstMatch(of: #/(?m)^argument "(\w+)"/#) }.flatMap {
            options[String($0.1)]
        }
        if let argument, !error.message.contains(argument) {
            error.message = "\(argument): \(error.message)"
        }
        return error
    }

    /// Other details quote rows, which are to be left alone.
    private static func isOfExtension(_ detail: String) -> Bool {
        ["The limits are: ", "It is named in ", "It was given as ", "Relation \"bulk_sync_staged_"].contains {
            detail.hasPrefix($0)
        }
    }
}

/// The options by the arguments that they become.
private let options = [
    "target": "--into", "key_columns": "--key", "scope": "--scope", "scope_values": "--scope-value",
    "scope_columns": "--scope-column", "actions": "--actions", "columns": "--columns",
    "insert_only_columns": "--insert-only", "touch_columns": "--touch", "fill_columns": "--fill",
    "keep_columns": "--keep", "update_where": "--update-where", "soft_delete_column": "--soft-delete",
    "duplicates": "--duplicates", "order_column": "--order-column", "ignore_conflicts": "--ignore-conflicts",
    "expected_rows": "--expect-rows", "allow_empty": "--allow-empty", "max_deletes": "--max-deletes",
    "max_delete_fraction": "--max-delete-fraction", "lock_mode": "--lock-mode", "dry_run": "--dry-run",
]

/// What the extension calls otherwise, because it knows nothing of files; the names are replaced by then.
private let phrases = [
    ("0 rows are staged in the file", "there are no rows in the file"),
    (" staged rows, but the file", " rows, but the file"),
    ("a staged row matches", "a row of the file matches"),
    ("is neither staged nor supplied", "is neither in the file nor given by an option"),
    ("is not staged", "is not in the file"),
    ("Stage all rows of the feed again", "Check that the file is complete"),
    ("Stage only rows of the scope", "Leave the row out of the file"),
    ("of the target the staged rows describe", "of the table the file describes"),
    ("leave \"delete\" out of the actions", "delete nothing: --actions insert,update"),
    ("must not modify the target", "must not modify the table"),
    ("in scope_values", "with --scope-value"),
    ("correct expected_rows", "correct --expect-rows"),
]

/// A text of the extension with options for arguments, and the file for the staged table.
func inOptions(_ text: String) -> String {
    var text = text
    // Only in these places a quoted word is an argument: anywhere else it may be a column of that name.
    text.replace(#/(?:the )?argument "(\w+)"/#) { options[String($0.1)] ?? String($0.0) }
    text.replace(#/(named in|and in|out of|column in|Functions in) "(\w+)"/#) { match in
        options[String(match.2)].map { "\(match.1) \($0)" } ?? String(match.0)
    }
    text.replace("--scope and \"update_where\"", with: "--scope and --update-where")
    text.replace(#/cannot be used as "target"/#, with: "cannot be used with --into")
    text.replace(#/(\w+) => (?:'{(\w+)}'|'(\w+)'|('[^']*'|[\w.]+))/#) { match in
        guard let option = options[String(match.1)] else { return String(match.0) }
        let value = match.2 ?? match.3 ?? match.4 ?? ""
        return value == "true" && match.4 != nil ? option : "\(option) \(value)"
    }
    text.replace(#/[Rr]elation "bulk_sync_staged_\w+"/#) { $0.0.hasPrefix("R") ? "The file" : "the file" }
    text.replace(#/"bulk_sync_staged_\w+"/#, with: "the file")
    for (phrase, other) in phrases {
        text.replace(phrase, with: other)
    }
    return text
}
