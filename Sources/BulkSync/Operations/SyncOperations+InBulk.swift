// Reading rows by their keys, many at once: the counterpart of a sync.

import Foundation

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
    ///   ``BulkSyncError/Code/decoding`` if a row does not fit the type.
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
            try await client.stream(query.sql, query.parameters) { row in
                guard row.count == 2, let values = row[0], let json = row[1] else { return }
                let key: Key
                if index.columns.count == 1 {
                    guard let only = try plain.decode([Key].self, from: values).first else { return }
                    key = only
                } else {
                    key = try decoder.decode(Key.self, from: json)
                }
                guard result.updateValue(try decoder.decode(Row.self, from: json), forKey: key) == nil else {
                    throw BulkSyncError(code: .notUnique, message: "two rows of \(table) have one key")
                }
            }
            return result
        }
    }
}

/// A unique index, as far as reading by it goes.
struct UniqueIndex {
    struct Column: Decodable {
        var name: String
        /// The type, as SQL takes it.
        var type: String
        /// The operator that the index calls equality.
        var equal: String
    }

    /// The table, qualified and quoted.
    var table: String
    var columns: [Column]

    /// The query for rows by their keys: the key as an array of one value, and the row.
    func query<Key: Encodable>(
        keys: [Key]?,
        keyStrategy: KeyStrategy,
        lock: RowLock?
    ) throws -> (sql: String, parameters: [String?]) {
        let names = columns.map { quotedIdentifier($0.name) }
        var sql =
            "SELECT pg_catalog.jsonb_build_array(t.\(names[0]))::pg_catalog.text, pg_catalog.to_jsonb(t.*)::pg_catalog.text"
        var parameters: [String?] = []
        if let keys {
            let definitions = zip(names, columns).map { "\($0) \($1.type)" }.joined(separator: ", ")
            let conditions = zip(names, columns).map { "t.\($0) \($1.equal) k.\($0)" }.joined(separator: " AND ")
            sql += """
                 FROM \(table) AS t
                JOIN (SELECT DISTINCT * FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS k (\(definitions))) AS k
                ON \(conditions)
                """
            parameters.append(try json(keys, keyStrategy))
        } else {
            sql += " FROM \(table) AS t WHERE " + names.map { "t.\($0) IS NOT NULL" }.joined(separator: " AND ")
        }
        if let lock { sql += " \(lock.rawValue) OF t" }
        return (sql, parameters)
    }

    /// The keys as a JSON array of objects.
    private func json<Key: Encodable>(_ keys: [Key], _ keyStrategy: KeyStrategy) throws -> String {
        let encoder = NestedJSON.keyEncoder(keyStrategy)
        do {
            let data: Data
            if columns.count == 1 {
                data = try encoder.encode(keys.map { SingleKey(column: columns[0].name, value: $0) })
            } else {
                data = try encoder.encode(keys)
            }
            return String(decoding: data, as: UTF8.self)
        } catch {
            var failure = BulkSyncError(code: .encoding, message: "a key cannot be written as JSON")
            failure.underlying = error
            throw failure
        }
    }
}

/// A key of one column as an object.
private struct SingleKey<Value: Encodable>: Encodable {
    var column: String
    var value: Value

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        try container.encode(value, forKey: Name(stringValue: column))
    }
}

extension BulkSyncClient {
    /// Finds the unique index on columns, or that of the primary key.
    fileprivate nonisolated func uniqueIndex(of table: TableName, on columns: [String]?) async throws -> UniqueIndex {
        let rows = try await execute(
            """
            SELECT pg_catalog.concat(pg_catalog.quote_ident(s.nspname), '.', pg_catalog.quote_ident(r.relname)),
                i.indisprimary::pg_catalog.text,
                pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type',
                    pg_catalog.format_type(a.atttypid, -1), 'equal', pg_catalog.concat('OPERATOR(',
                    pg_catalog.quote_ident(n.nspname), '.', o.oprname, ')')) ORDER BY k.position)::pg_catalog.text
            FROM pg_catalog.pg_class r
            JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) r.relnamespace
            LEFT JOIN (pg_catalog.pg_index i
                JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
                JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) x.relam
                    AND m.amname OPERATOR(pg_catalog.=) 'btree'
                CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]),
                    pg_catalog.unnest(i.indclass::pg_catalog.oid[])) WITH ORDINALITY AS k (attnum, class, position)
                JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
                    AND a.attnum OPERATOR(pg_catalog.=) k.attnum
                JOIN pg_catalog.pg_opclass c ON c.oid OPERATOR(pg_catalog.=) k.class
                JOIN pg_catalog.pg_amop p ON p.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
                    AND p.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
                    AND p.amoprighttype OPERATOR(pg_catalog.=) c.opcintype AND p.amopstrategy OPERATOR(pg_catalog.=) 3
                JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) p.amopopr
                JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace)
                ON i.indrelid OPERATOR(pg_catalog.=) r.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                    AND i.indexprs IS NULL AND k.position OPERATOR(pg_catalog.<=) i.indnkeyatts
            WHERE r.oid OPERATOR(pg_catalog.=) $1::pg_catalog.regclass::pg_catalog.oid
            GROUP BY s.nspname, r.relname, i.indexrelid, i.indisprimary
            """,
            [table.sql]
        )
        let decoder = RowDecoder(.propertyNames)
        for row in rows {
            guard row.count == 3, let name = row[0], let isPrimary = row[1], let json = row[2] else { continue }
            let found = try decoder.decode([UniqueIndex.Column].self, from: json)
            if let columns {
                guard Set(columns) == Set(found.map(\.name)), columns.count == found.count else { continue }
                return UniqueIndex(table: name, columns: columns.compactMap { name in found.first { $0.name == name } })
            }
            if isPrimary == "true" { return UniqueIndex(table: name, columns: found) }
        }
        let listed = (columns ?? []).map { "\"\($0)\"" }.joined(separator: ", ")
        var error = BulkSyncError(
            code: .notUnique,
            message: columns == nil ? "\(table) has no primary key" : "\(table) has no unique constraint on \(listed)"
        )
        error.hint =
            "Rows are found by the columns of a primary key, a unique constraint, or a unique index without a condition."
        throw error
    }
}
