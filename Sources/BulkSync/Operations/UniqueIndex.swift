// By which columns rows can be found, and what a key must be for that: which is said before the server is asked.

import Foundation

/// A unique index, as far as reading by it goes.
struct UniqueIndex {
    struct Column: Decodable {
        var name: String
        /// The type, as SQL takes it.
        var type: String
        /// The category of the type, as the catalog has it.
        var category: String
        /// The operator that the index calls equality.
        var equal: String

        /// Whether a JSON array or object can be a value: composite types, arrays, and `jsonb`.
        var isNested: Bool { ["C", "A", "U"].contains(category) }
    }

    /// The table, qualified and quoted.
    var table: String
    /// The table as the caller names it.
    var shownTable: TableName
    var columns: [Column]

    /// The columns as errors name them.
    private var shownColumns: String {
        let names = columns.map { "\"\($0.name)\"" }.joined(separator: ", ")
        return "\(columns.count == 1 ? "key column" : "key columns") \(names) of \(shownTable)"
    }

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
        if let first = keys.first { try check(first, keyStrategy) }
        do {
            let data: Data
            if columns.count == 1 {
                data = try encoder.encode(keys.map { SingleKey(column: columns[0].name, value: $0) })
            } else {
                data = try encoder.encode(keys)
            }
            return String(decoding: data, as: UTF8.self)
        } catch {
            throw failure(.encoding, "a key of type \(Key.self) cannot be written as JSON", error)
        }
    }

    /// Refuses a key that has no value for a column: the server would take it for NULL, or for another text, and find nothing.
    private func check<Key: Encodable>(_ key: Key, _ keyStrategy: KeyStrategy) throws(BulkSyncError) {
        if columns.count == 1 {
            guard !columns[0].isNested, Self.isNested(key) else { return }
            var error = failure(
                .encoding, "a key of type \(Key.self) is not one value, as the \(shownColumns) needs it")
            error.hint = "A structure is a key of several columns, which the argument by names."
            throw error
        }
        let encoder = CodableRowEncoder(keyStrategy)
        do {
            try encoder.probe(key)
        } catch {
            var failure = failure(.encoding, "a key of type \(Key.self) has no values for the \(shownColumns)", error)
            failure.hint = "A key of several columns is a structure with a property for each of them."
            throw failure
        }
        let names = encoder.writer.pointee.names
        guard let missing = columns.first(where: { !names.contains($0.name) }) else { return }
        var error = failure(
            .encoding, "a key of type \(Key.self) has no value for key column \"\(missing.name)\" of \(shownTable)")
        let found = names.map { "\"\($0)\"" }.joined(separator: ", ")
        error.hint = "It has values for \(found). CodingKeys, or a KeyStrategy of the client, give other names."
        error.column = missing.name
        throw error
    }

    private static func isNested(_ key: some Encodable) -> Bool {
        let json = try? NestedJSON.encoder.encode(key)
        return json?.first == UInt8(ascii: "{") || json?.first == UInt8(ascii: "[")
    }

    /// The key of a row that was found.
    ///
    /// - Parameters:
    ///   - values: The key as an array of one value, where it is one.
    ///   - row: The whole row.
    ///   - plain: Reads a value.
    ///   - decoder: Reads a row.
    /// - Returns: The key; nil if there is none.
    /// - Throws: ``BulkSyncError`` if the row does not fit the type of the key.
    func key<Key: Decodable>(
        values: String,
        row: String,
        _ plain: RowDecoder,
        _ decoder: RowDecoder
    ) throws(BulkSyncError) -> Key? {
        do {
            if columns.count == 1 { return try plain.decode([Key].self, from: values).first }
            return try decoder.decode(Key.self, from: row)
        } catch {
            let types = columns.map(\.type).joined(separator: ", ")
            var failure = failure(
                .decoding, "the \(shownColumns) (\(types)) cannot be read as a key of type \(Key.self)")
            failure.underlying = error
            failure.column = columns.count == 1 ? columns[0].name : error.column
            throw failure
        }
    }

    /// An error of the server about a value, with what the keys were meant for.
    func explained<Key>(_ error: BulkSyncError, _ type: Key.Type) -> BulkSyncError {
        guard error.severity != nil, error.code.rawValue.hasPrefix("22"), error.hint == nil else { return error }
        var error = error
        let types = columns.map(\.type).joined(separator: ", ")
        error.hint = "Keys of type \(type) were given for the \(shownColumns), of type \(types)."
        return error
    }

    private func failure(
        _ code: BulkSyncError.Code,
        _ message: String,
        _ underlying: (any Error)? = nil
    ) -> BulkSyncError {
        var failure = BulkSyncError(code: code, message: message)
        failure.underlying = underlying
        return failure
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
    nonisolated func uniqueIndex(of table: TableName, on columns: [String]?) async throws -> UniqueIndex {
        if let columns { try Self.checkColumns(columns) }
        let rows = try await execute(
            """
            SELECT pg_catalog.concat(pg_catalog.quote_ident(s.nspname), '.', pg_catalog.quote_ident(r.relname)),
                i.indisprimary::pg_catalog.text,
                pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type',
                    pg_catalog.format_type(a.atttypid, -1), 'category', t.typcategory, 'equal', pg_catalog.concat('OPERATOR(',
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
                JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
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
                let ordered = columns.compactMap { name in found.first { $0.name == name } }
                return UniqueIndex(table: name, shownTable: table, columns: ordered)
            }
            if isPrimary == "true" { return UniqueIndex(table: name, shownTable: table, columns: found) }
        }
        if let columns { try await checkExistence(of: columns, in: table) }
        let listed = (columns ?? []).map { "\"\($0)\"" }.joined(separator: ", ")
        var error = BulkSyncError(
            code: .notUnique,
            message: columns == nil ? "\(table) has no primary key" : "\(table) has no unique constraint on \(listed)"
        )
        error.hint =
            "Rows are found by the columns of a primary key, a unique constraint, or a unique index without a condition."
        throw error
    }

    private static func checkColumns(_ columns: [String]) throws(BulkSyncError) {
        if columns.isEmpty {
            var error = BulkSyncError(code: .invalidArgument, message: "the argument by names no column")
            error.hint = "Leave it out to find rows by the primary key."
            throw error
        }
        for (index, column) in columns.enumerated() where columns[..<index].contains(column) {
            var error = BulkSyncError(
                code: .invalidArgument, message: "the argument by names column \"\(column)\" twice")
            error.column = column
            throw error
        }
    }

    private nonisolated func checkExistence(of columns: [String], in table: TableName) async throws {
        let rows = try await execute(
            """
            SELECT a.attname FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.regclass::pg_catalog.oid
                AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
            """,
            [table.sql]
        )
        let names = rows.compactMap { $0.first ?? nil }
        guard let missing = columns.first(where: { !names.contains($0) }) else { return }
        var error = BulkSyncError(
            code: .undefinedColumn, message: "column \"\(missing)\" of \(table) does not exist")
        error.hint =
            "Columns are named exactly, as the table has them: \(names.map { "\"\($0)\"" }.joined(separator: ", "))."
        error.column = missing
        throw error
    }
}
