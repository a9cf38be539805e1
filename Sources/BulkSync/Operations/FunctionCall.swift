// How a function of the extension is called: named arguments, each a parameter, and only those that are not the default.

import Foundation

struct FunctionCall {
    private var arguments: [String] = []
    private(set) var parameters: [String?] = []

    mutating func add(_ name: String, _ value: String, as type: String) {
        parameters.append(value)
        arguments.append("\(name) => $\(parameters.count)::pg_catalog.\(type)")
    }

    mutating func add(_ name: String, _ value: [String], unless other: [String] = []) {
        if value != other { add(name, arrayText(value), as: "text[]") }
    }

    mutating func add(_ name: String, _ value: Bool) {
        if value { add(name, "true", as: "bool") }
    }

    /// The call as SQL.
    func sql(_ function: String, schema: String) -> String {
        "\(schema).\(function)(\(arguments.joined(separator: ", ")))"
    }
}

extension FunctionCall {
    /// The arguments that every kind of comparison has.
    ///
    /// - Parameters:
    ///   - target: The table.
    ///   - staged: The staged rows.
    ///   - key: The key columns; nil for the primary key.
    ///   - scope: The scope, if there is one.
    ///   - options: Everything else.
    /// - Throws: ``BulkSyncError`` if a value has no JSON form.
    init(
        target: TableName,
        staged: StagedTable,
        key: [String]?,
        scope: Scope?,
        options: SyncOptions
    ) throws {
        add("target", target.sql, as: "regclass")
        add("staged", staged.oid, as: "regclass")
        if let key { add("key_columns", arrayText(key), as: "text[]") }
        if let condition = scope?.condition { add("scope", condition, as: "text") }
        if let values = scope?.values { add("scope_values", try Self.json(values), as: "jsonb") }
        if let columns = scope?.columns { add("scope_columns", arrayText(columns), as: "text[]") }
        add("actions", options.actions.names, unless: SyncOptions.Actions.all.names)
        if let columns = Self.syncedColumns(options, staged) { add("columns", arrayText(columns), as: "text[]") }
        add("insert_only_columns", options.insertOnlyColumns)
        add("touch_columns", options.touchColumns)
        add("fill_columns", options.fillColumns)
        add("keep_columns", options.keepColumns)
        if let condition = options.updateWhere { add("update_where", condition, as: "text") }
        if let column = options.softDeleteColumn { add("soft_delete_column", column, as: "text") }
        if options.duplicates != .error { add("duplicates", options.duplicates.rawValue, as: "text") }
        if let column = options.orderColumn { add("order_column", column, as: "text") }
    }

    /// The arguments that only what writes has.
    mutating func addWriting(_ options: SyncOptions, staged: StagedTable) {
        add("ignore_conflicts", options.ignoreConflicts)
        add("expected_rows", String(options.expectedRows ?? staged.rowCount), as: "int8")
        add("allow_empty", options.allowEmpty)
        if let limit = options.maxDeletes { add("max_deletes", String(limit), as: "int8") }
        if let limit = options.maxDeleteFraction { add("max_delete_fraction", RowWriter.text(limit), as: "float8") }
        if options.lockMode != .shareUpdateExclusive { add("lock_mode", options.lockMode.rawValue, as: "text") }
    }

    /// Columns that only the staged table has take no part, unless they rank duplicates.
    private static func syncedColumns(_ options: SyncOptions, _ staged: StagedTable) -> [String]? {
        if let columns = options.columns { return columns }
        guard let source = staged.sourceColumns, source.contains(where: { options.extraColumns[$0] != nil }) else {
            return nil
        }
        return source.filter { options.extraColumns[$0] == nil }
    }

    static func json(_ values: [String: SyncValue]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(values), as: UTF8.self)
        } catch {
            var failure = BulkSyncError(
                code: .invalidArgument, message: "a value of the scope cannot be written as JSON")
            failure.underlying = error
            throw failure
        }
    }
}

extension SyncOptions.Actions {
    var names: [String] {
        [(Self.insert, "insert"), (.update, "update"), (.delete, "delete")].filter { contains($0.0) }.map(\.1)
    }
}
