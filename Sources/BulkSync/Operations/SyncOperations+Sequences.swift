// The operations for sequences of rows. Each hands its rows on in the form that all operations understand; what they do,
// and what their arguments mean in full, stands at those.
//
// Swift needs a function for each kind of sequence and of row: nothing joins Sequence and AsyncSequence, or Encodable and
// RowEncodable. So an argument is repeated in all of them. What is new is a property of SyncOptions, which all hand on.

extension SyncOperations {
    /// Makes a table match rows: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func sync<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await sync(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Makes a table match rows: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func sync<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await sync(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Makes a table match rows: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func sync<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await sync(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Makes a table match rows: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func sync<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await sync(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }
}

extension SyncOperations {
    /// Inserts rows that are new and updates those that differ: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func upsert<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await upsert(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Inserts rows that are new and updates those that differ: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func upsert<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await upsert(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Inserts rows that are new and updates those that differ: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func upsert<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await upsert(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Inserts rows that are new and updates those that differ: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func upsert<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await upsert(Rows(rows), into: table, key: key, scope: scope, options: options, progress: progress)
    }
}

extension SyncOperations {
    /// Updates rows that are there and differ: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func update<Source: Sequence>(
        _ rows: Source,
        in table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await update(Rows(rows), in: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Updates rows that are there and differ: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func update<Source: Sequence>(
        _ rows: Source,
        in table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await update(Rows(rows), in: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Updates rows that are there and differ: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func update<Source: AsyncSequence>(
        _ rows: Source,
        in table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await update(Rows(rows), in: table, key: key, scope: scope, options: options, progress: progress)
    }

    /// Updates rows that are there and differ: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func update<Source: AsyncSequence>(
        _ rows: Source,
        in table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await update(Rows(rows), in: table, key: key, scope: scope, options: options, progress: progress)
    }
}

extension SyncOperations {
    /// Inserts rows, all of them: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - ignoreConflicts: Whether a row that breaks a unique constraint is skipped.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func insert<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        ignoreConflicts: Bool = false,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await insert(
            Rows(rows), into: table, ignoreConflicts: ignoreConflicts, scope: scope, options: options,
            progress: progress)
    }

    /// Inserts rows, all of them: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - ignoreConflicts: Whether a row that breaks a unique constraint is skipped.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insert<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        ignoreConflicts: Bool = false,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await insert(
            Rows(rows), into: table, ignoreConflicts: ignoreConflicts, scope: scope, options: options,
            progress: progress)
    }

    /// Inserts rows, all of them: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - ignoreConflicts: Whether a row that breaks a unique constraint is skipped.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func insert<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        ignoreConflicts: Bool = false,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await insert(
            Rows(rows), into: table, ignoreConflicts: ignoreConflicts, scope: scope, options: options,
            progress: progress)
    }

    /// Inserts rows, all of them: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - ignoreConflicts: Whether a row that breaks a unique constraint is skipped.
    ///   - scope: A part of the table that all rows must belong to.
    ///   - options: Everything else.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insert<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        ignoreConflicts: Bool = false,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await insert(
            Rows(rows), into: table, ignoreConflicts: ignoreConflicts, scope: scope, options: options,
            progress: progress)
    }
}

extension SyncOperations {
    /// Inserts a row only where it differs from the newest one of its key: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns that tell whose history a row belongs to.
    ///   - orderColumn: The column that tells which row is newest.
    ///   - compareColumns: The columns that are compared; nil: all but the key and the order column.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func insertChanged<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String],
        orderColumn: String,
        compareColumns: [String]? = nil,
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await insertChanged(
            Rows(rows), into: table, key: key, orderColumn: orderColumn, compareColumns: compareColumns,
            progress: progress)
    }

    /// Inserts a row only where it differs from the newest one of its key: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns that tell whose history a row belongs to.
    ///   - orderColumn: The column that tells which row is newest.
    ///   - compareColumns: The columns that are compared; nil: all but the key and the order column.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insertChanged<Source: Sequence>(
        _ rows: Source,
        into table: TableName,
        key: [String],
        orderColumn: String,
        compareColumns: [String]? = nil,
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await insertChanged(
            Rows(rows), into: table, key: key, orderColumn: orderColumn, compareColumns: compareColumns,
            progress: progress)
    }

    /// Inserts a row only where it differs from the newest one of its key: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns that tell whose history a row belongs to.
    ///   - orderColumn: The column that tells which row is newest.
    ///   - compareColumns: The columns that are compared; nil: all but the key and the order column.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func insertChanged<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String],
        orderColumn: String,
        compareColumns: [String]? = nil,
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: Encodable {
        try await insertChanged(
            Rows(rows), into: table, key: key, orderColumn: orderColumn, compareColumns: compareColumns,
            progress: progress)
    }

    /// Inserts a row only where it differs from the newest one of its key: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns that tell whose history a row belongs to.
    ///   - orderColumn: The column that tells which row is newest.
    ///   - compareColumns: The columns that are compared; nil: all but the key and the order column.
    ///   - progress: Is told how far the operation is.
    /// - Returns: What was done.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func insertChanged<Source: AsyncSequence>(
        _ rows: Source,
        into table: TableName,
        key: [String],
        orderColumn: String,
        compareColumns: [String]? = nil,
        progress: ProgressHandler? = nil
    ) async throws -> SyncSummary where Source.Element: RowEncodable {
        try await insertChanged(
            Rows(rows), into: table, key: key, orderColumn: orderColumn, compareColumns: compareColumns,
            progress: progress)
    }
}
