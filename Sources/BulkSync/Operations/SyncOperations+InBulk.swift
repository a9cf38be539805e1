// Reading rows by their keys, many at once: the counterpart of a sync. How they are found is in UniqueIndex.swift.

/// A lock on rows that are read, which lasts until the end of the transaction.
public enum RowLock: String, Hashable, Sendable, CaseIterable {
    /// Nobody else may change, delete or lock the rows.
    case forUpdate = "FOR UPDATE"
    /// The same, but others may refer to the rows by foreign keys.
    case forNoKeyUpdate = "FOR NO KEY UPDATE"
    /// Nobody may change or delete the rows; others may hold the same lock.
    case forShare = "FOR SHARE"
    /// Nobody may delete the rows or change their keys; others may hold the same lock.
    case forKeyShare = "FOR KEY SHARE"
}

extension SyncOperations {
    /// Reads the rows with certain keys, in one query, as a dictionary.
    ///
    /// ```swift
    /// let employees = try await client.inBulk([17, 23], from: "employee", as: Employee.self)
    /// print(employees[17]?.name ?? "nobody")
    /// ```
    ///
    /// A key of several columns is a structure whose properties have their names:
    ///
    /// ```swift
    /// struct Place: Codable, Hashable, Sendable { var companyID: Int; var name: String }
    /// let found = try await client.inBulk([Place(company_id: 501, name: "Anna")], from: "employee",
    ///                                     by: ["company_id", "name"], as: Employee.self)
    /// ```
    ///
    /// A key that no row has is absent. A row that has NULL in a key column is not found. The keys of the result are those
    /// that the table holds, which may be spelled otherwise than those asked for where the column's type ignores case.
    ///
    /// - Parameters:
    ///   - keys: The keys; nil for all rows of the table.
    ///   - table: The table.
    ///   - columns: The columns of the key, which must have a unique constraint or index; nil for the primary key.
    ///   - type: What the rows are read as.
    ///   - lock: A lock on the rows. It is of use inside of a transaction only.
    /// - Returns: The rows by their keys.
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/notUnique`` if the columns are not unique,
    ///   ``BulkSyncError/Code/undefinedColumn`` if the table lacks one, ``BulkSyncError/Code/invalidArgument`` if there are
    ///   none, ``BulkSyncError/Code/encoding`` if a key has no value for a column, ``BulkSyncError/Code/decoding`` if a key or
    ///   a row of the table does not fit its type.
    public func inBulk<Key: Hashable & Codable, Row: Decodable>(
        _ keys: [Key]? = nil,
        from table: TableName,
        by columns: [String]? = nil,
        as type: Row.Type,
        lock: RowLock? = nil
    ) async throws -> [Key: Row] {
        try await syncContext.perform {
            let client = syncContext.client
            let index = try await client.uniqueIndex(of: table, on: columns)
            let query = try index.query(keys: keys, keyStrategy: client.configuration.keyStrategy, lock: lock)
            let decoder = RowDecoder(client.configuration.keyStrategy)
            let plain = RowDecoder(.propertyNames)
            var result: [Key: Row] = [:]
            do {
                try await client.stream(query.sql, query.parameters) { row in
                    guard row.count == 2, let values = row[0], let json = row[1] else { return }
                    guard let key: Key = try index.key(values: values, row: json, plain, decoder) else { return }
                    guard result.updateValue(try decoder.decode(Row.self, from: json), forKey: key) == nil else {
                        throw BulkSyncError(code: .notUnique, message: "two rows of \(table) have one key")
                    }
                }
            } catch let error as BulkSyncError {
                throw keys == nil ? error : index.explained(error, Key.self)
            }
            return result
        }
    }
}
