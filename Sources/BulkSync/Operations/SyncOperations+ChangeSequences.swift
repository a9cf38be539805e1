// The operations that tell changes, for sequences of rows. What they do, and what their arguments mean in full, stands at
// those that take ``Rows``.

extension SyncOperations {
    /// Tells how a table differs from rows, and changes nothing: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    public func compare<Source: Sequence, Row: Decodable>(
        _ rows: Source,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: Encodable {
        try await compare(
            Rows(rows), with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Tells how a table differs from rows, and changes nothing: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    public func compare<Source: Sequence, Row: Decodable>(
        _ rows: Source,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: RowEncodable {
        try await compare(
            Rows(rows), with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Tells how a table differs from rows, and changes nothing: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    public func compare<Source: AsyncSequence, Row: Decodable>(
        _ rows: Source,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: Encodable {
        try await compare(
            Rows(rows), with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Tells how a table differs from rows, and changes nothing: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    public func compare<Source: AsyncSequence, Row: Decodable>(
        _ rows: Source,
        with table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: RowEncodable {
        try await compare(
            Rows(rows), with: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }
}

extension SyncOperations {
    /// Makes a table match rows, and returns each row that was written as it is stored: `Codable` rows.
    ///
    /// - Parameters:
    ///   - rows: The rows. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func syncReturning<Source: Sequence, Row: Decodable>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: Encodable {
        try await syncReturning(
            Rows(rows), into: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Makes a table match rows, and returns each row that was written as it is stored: rows that write themselves.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func syncReturning<Source: Sequence, Row: Decodable>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: RowEncodable {
        try await syncReturning(
            Rows(rows), into: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Makes a table match rows, and returns each row that was written as it is stored: `Codable` rows as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, sent as they arrive. The columns are the keys of the first row.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @_disfavoredOverload
    @discardableResult
    public func syncReturning<Source: AsyncSequence, Row: Decodable>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: Encodable {
        try await syncReturning(
            Rows(rows), into: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }

    /// Makes a table match rows, and returns each row that was written as it is stored: rows that write themselves, as they arrive.
    ///
    /// - Parameters:
    ///   - rows: The rows, rows that write themselves, sent as they arrive.
    ///   - table: The table.
    ///   - key: The columns by which rows are matched; nil for the primary key.
    ///   - scope: The part of the table that the rows describe completely.
    ///   - options: Everything else.
    ///   - includeUnchanged: Whether rows that are equal are told as well.
    ///   - type: What the rows of the table are read as.
    ///   - progress: Is told how far the operation is.
    /// - Returns: The changes.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws. Then nothing has happened.
    @discardableResult
    public func syncReturning<Source: AsyncSequence, Row: Decodable>(
        _ rows: Source,
        into table: TableName,
        key: [String]? = nil,
        scope: Scope? = nil,
        options: SyncOptions = SyncOptions(),
        includeUnchanged: Bool = false,
        as type: Row.Type,
        progress: ProgressHandler? = nil
    ) async throws -> [Change<Row>] where Source.Element: RowEncodable {
        try await syncReturning(
            Rows(rows), into: table, key: key, scope: scope, options: options, includeUnchanged: includeUnchanged,
            as: type,
            progress: progress
        )
    }
}
