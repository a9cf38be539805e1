// The operations that tell the changes one by one: compare, which only looks, and syncReturning.

import Logging

extension SyncOperations {
    /// Tells how a table differs from rows, and changes nothing.
    ///
    /// The changes come one by one, in no order, and are not kept: memory does not grow with their number.
    ///
    /// ```swift
    /// try await client.compareEach(Rows(employees), with: "employee", scope: .all, as: Employee.self) { change in
    ///     print(change.action, change.key)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - rows: The rows that the scope would hold.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else; the guards do not apply.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as: the primary key, the key, and the columns of the rows.
    ///   - progress: Is told how far the operation is.
    ///   - each: Takes a change. It must not call the client. When it throws, the operation throws that error.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows or `each` throws.
    public func compareEach<Row: Decodable>(
        _ rows: Rows,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil,
        _ each: (Change<Row>) async throws -> Void
    ) async throws {
        let decoder = RowDecoder(syncContext.client.configuration.keyStrategy)
        let plain = RowDecoder(.propertyNames)
        try await compareRecords(
            rows, with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            progress: progress
        ) { record in
            try await each(Change(record, decoder, plain))
        }
    }

    /// Tells how a table differs from rows, and changes nothing.
    ///
    /// - Parameters:
    ///   - rows: The rows that the scope would hold.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else; the guards do not apply.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as: the primary key, the key, and the columns of the rows.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes, in no order.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws.
    public func compare<Row: Decodable>(
        _ rows: Rows,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] {
        var changes: [Change<Row>] = []
        try await compareEach(
            rows, with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged, as: type,
            progress: progress
        ) { changes.append($0) }
        return changes
    }

    /// Makes a table match rows, and tells each row that was written as it is stored: with generated keys, defaults, and what
    /// triggers made of it.
    ///
    /// The changes come one by one, deletes first, and are not kept. The sync is committed when all are taken.
    ///
    /// - Parameters:
    ///   - rows: The rows that the scope is to hold.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else. There is no dry run: that is what `compare` is for.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as, with all its columns.
    ///   - progress: Is told how far the operation is.
    ///   - each: Takes a change. It must not call the client. When it throws, nothing has happened, and the operation throws
    ///     that error.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows or `each` throws. Then nothing has happened.
    public func syncReturningEach<Row: Decodable>(
        _ rows: Rows,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil,
        _ each: (Change<Row>) async throws -> Void
    ) async throws {
        let decoder = RowDecoder(syncContext.client.configuration.keyStrategy)
        let plain = RowDecoder(.propertyNames)
        if options.dryRun {
            throw BulkSyncError(
                code: .invalidArgument, message: "syncReturning has no dry run; compare tells what it would do")
        }
        try await syncContext.changes(
            rows, "bulk_sync_returning", table, key, scope, options, includeUnchanged, ProgressReporter(progress)
        ) { record in
            try await each(Change(record, decoder, plain))
        }
    }

    /// Makes a table match rows, and returns each row that was written as it is stored.
    ///
    /// ```swift
    /// let changes = try await client.syncReturning(
    ///     Rows(employees), into: "employee", key: ["name"], scope: .all, as: StoredEmployee.self
    /// )
    /// let newIDs = changes.filter { $0.action == .insert }.compactMap { $0.new?.id }
    /// ```
    ///
    /// - Parameters:
    ///   - rows: The rows that the scope is to hold.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else. There is no dry run: that is what `compare` is for.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as, with all its columns.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes, deletes first.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func syncReturning<Row: Decodable>(
        _ rows: Rows,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] {
        var changes: [Change<Row>] = []
        try await syncReturningEach(
            rows, into: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged, as: type,
            progress: progress
        ) { changes.append($0) }
        return changes
    }

    /// Tells how a table differs from rows, each row as the text of a JSON object.
    package func compareRecords(
        _ rows: Rows,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        progress: ProgressHandler? = nil,
        each: (ChangeRecord) async throws -> Void
    ) async throws {
        try await syncContext.changes(
            rows, "bulk_compare", table, key, scope, options, includeUnchanged, ProgressReporter(progress), each
        )
    }
}

extension SyncContext {
    fileprivate func changes(
        _ rows: Rows,
        _ function: String,
        _ table: TableName,
        _ key: [String]?,
        _ scope: Scope?,
        _ options: SyncOptions,
        _ includeUnchanged: Bool,
        _ reporter: ProgressReporter,
        _ each: (ChangeRecord) async throws -> Void
    ) async throws {
        try await perform {
            try scope?.check()
            var progress = reporter
            let staged = try await client.stage(
                rows, into: table, extraColumns: options.extraColumns, progress: &progress)
            progress.enter(.syncing)
            var call = try FunctionCall(target: table, staged: staged, key: key, scope: scope, options: options)
            if function == "bulk_sync_returning" { call.addWriting(options, staged: staged) }
            call.add("include_unchanged", includeUnchanged)
            let schema = try await client.findExtension().schema
            let sql = "SELECT \(ChangeRecord.columns) FROM \(call.sql(function, schema: schema))"
            var count = 0
            do {
                try await client.stream(sql, call.parameters) { row in
                    count += 1
                    try await each(ChangeRecord(row))
                }
            } catch let error as BulkSyncError {
                throw BulkSyncClient.located(error, staged.location)
            }
            progress.enter(.committing)
            client.logger?.info(
                "told changes", metadata: ["table": "\(table)", "function": "\(function)", "rows": "\(count)"])
        }
    }
}

extension BulkSyncClient {
    /// Runs a query and hands its rows on as they come.
    nonisolated func stream(
        _ sql: String,
        _ parameters: [String?],
        _ each: (ResultRow) async throws -> Void
    ) async throws {
        try await beginStream(sql, parameters)
        do {
            while true {
                let rows = try await nextRows(limit: 64 * 1024)
                if rows.isEmpty { return }
                for row in rows { try await each(row) }
            }
        } catch {
            try await endStream()
            throw error is CancellationError ? BulkSyncError.cancelled : error
        }
    }
}
