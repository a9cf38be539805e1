// The operations that make a table match rows, and return counts. The forms that take sequences are in
// SyncOperations+Sequences.swift.

import Logging

extension SyncOperations {
    /// Makes a table match rows: inserts those that are new, updates those that differ, deletes what is in scope and is not
    /// among them, and leaves the rest alone.
    ///
    /// ```swift
    /// let summary = try await client.sync(employees, into: "employee", key: ["name"], scope: .values(["company_id": 501]))
    /// ```
    ///
    /// - Parameters:
    ///   - rows: The rows that the scope is to hold.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely. Without one nothing can be deleted, and the options
    ///     must leave ``SyncOptions/Actions/delete`` out.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func sync(
        _ rows: Rows,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary {
        try await syncContext.perform {
            try await syncContext.client.sync(rows, table, key, scope, options, ProgressReporter(progress))
        }
    }

    /// Makes a table match rows that a closure writes.
    ///
    /// ```swift
    /// try await client.sync(columns: ["sku", "amount"], into: "price", scope: .all) { rows in
    ///     for try await price in prices {
    ///         try await rows.append { row in
    ///             try row.append(price.sku)
    ///             try row.append(price.amount)
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - columns: The exact names of the columns, in the order in which the values of a row are appended.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    ///   - write: Writes the rows. When it throws, nothing has happened, and the operation throws that error.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the closure throws.
    @discardableResult
    public func sync(
        columns: [String],
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil,
        write: @escaping (RowSink) async throws -> Void
    ) async throws -> SyncSummary {
        try await sync(
            Rows(columns: columns, write: write), into: table, key: key, scope: scope, options: options,
            progress: progress
        )
    }

    /// Inserts rows that are new and updates those that differ; deletes nothing.
    ///
    /// - Parameters:
    ///   - rows: The rows.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key. No unique index is needed.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else; its actions are ignored.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func upsert(
        _ rows: Rows,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary {
        var options = options
        options.actions = [.insert, .update]
        return try await sync(rows, into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Updates rows that are there and differ; a row that is not in the table is counted as skipped.
    ///
    /// - Parameters:
    ///   - rows: The rows: their key, and the columns to update.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else; its actions are ignored.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func update(
        _ rows: Rows,
        in table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary {
        var options = options
        options.actions = .update
        return try await sync(rows, into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Inserts rows, all of them: one that breaks a unique constraint is an error, or is skipped.
    ///
    /// - Parameters:
    ///   - rows: The rows.
    ///   - table: The table.
    ///   - ignoreConflicts: Whether a row that breaks a unique or exclusion constraint is skipped.
    ///   - scope: A part of the table that all rows must belong to; its values are given to the rows.
    ///   - options: Everything else; its actions are ignored.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insert(
        _ rows: Rows,
        into table: TableName,
        ignoreConflicts: Bool = false,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary {
        var options = options
        options.actions = .insert
        options.ignoreConflicts = ignoreConflicts || options.ignoreConflicts
        return try await sync(rows, into: table, key: [], scope: scope, options: options, progress: progress)
    }

    /// Inserts a row only where it differs from the newest one of its key: for append-only history.
    ///
    /// ```swift
    /// try await client.insertChanged(readings, into: "reading", key: ["sensor"], orderColumn: "measured_at")
    /// ```
    ///
    /// - Parameters:
    ///   - rows: The rows.
    ///   - table: The table.
    ///   - key: The columns that tell whose history a row belongs to.
    ///   - orderColumn: The column that tells which row is newest: of the rows, or one that the database assigns.
    ///   - compareColumns: The columns that are compared; nil: all columns of the rows but the key and the order column.
    ///   - progress: Is told how far the operation is.
    /// - Returns: How many rows were inserted, and how many unchanged.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insertChanged(
        _ rows: Rows,
        into table: TableName,
        key: [String],
        orderColumn: String,
        compareColumns: [String]? = nil,
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary {
        try await syncContext.perform {
            let client = syncContext.client
            var progress = ProgressReporter(progress)
            let staged = try await client.stage(rows, into: table, extraColumns: [:], progress: &progress)
            progress.enter(.syncing)
            var call = FunctionCall()
            call.add("target", table.sql, as: "regclass")
            call.add("staged", staged.oid, as: "regclass")
            call.add("key_columns", arrayText(key), as: "text[]")
            call.add("order_column", orderColumn, as: "text")
            if let compareColumns { call.add("compare_columns", arrayText(compareColumns), as: "text[]") }
            let counts = try await client.counts(
                ["staged_rows", "inserted", "unchanged"], "bulk_insert_changed", call, staged)
            let summary = SyncSummary(staged: counts[0], inserted: counts[1], unchanged: counts[2])
            progress.enter(.committing)
            client.logger?.info("inserted what changed", metadata: ["table": "\(table)", "summary": "\(summary)"])
            return summary
        }
    }
}

extension BulkSyncClient {
    fileprivate nonisolated func sync(
        _ rows: Rows,
        _ table: TableName,
        _ key: [String]?,
        _ scope: Scope?,
        _ options: SyncOptions,
        _ reporter: ProgressReporter
    ) async throws -> SyncSummary {
        try scope?.check()
        var progress = reporter
        let staged = try await stage(rows, into: table, extraColumns: options.extraColumns, progress: &progress)
        progress.enter(.syncing)
        var call = try FunctionCall(target: table, staged: staged, key: key, scope: scope, options: options)
        call.addWriting(options, staged: staged)
        call.add("dry_run", options.dryRun)
        let counts = try await counts(
            ["staged_rows", "inserted", "updated", "unchanged", "skipped", "deleted"], "bulk_sync", call, staged
        )
        let summary = SyncSummary(
            staged: counts[0], inserted: counts[1], updated: counts[2], unchanged: counts[3], skipped: counts[4],
            deleted: counts[5]
        )
        progress.enter(.committing)
        logger?.info(
            options.dryRun ? "would sync" : "synced", metadata: ["table": "\(table)", "summary": "\(summary)"])
        return summary
    }

    /// Calls a function that returns one row of counts.
    fileprivate nonisolated func counts(
        _ columns: [String],
        _ function: String,
        _ call: FunctionCall,
        _ staged: StagedTable
    ) async throws -> [Int] {
        let schema = try await findExtension().schema
        let rows: [ResultRow]
        do {
            rows = try await execute(
                "SELECT \(columns.joined(separator: ", ")) FROM \(call.sql(function, schema: schema))", call.parameters
            )
        } catch {
            throw Self.located(error, staged.location)
        }
        let counts = rows.first?.map { $0.flatMap { Int($0) } ?? 0 } ?? []
        guard counts.count == columns.count else {
            throw BulkSyncError(code: "08P01", message: "\(function) did not return \(columns.count) counts")
        }
        return counts
    }
}
