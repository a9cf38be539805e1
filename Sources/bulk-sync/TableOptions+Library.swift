import ArgumentParser
import BulkSync

/// The options in the words of the library.
extension TableOptions {
    func validate() throws {
        _ = try scopeValues
        _ = try chosenActions
        _ = try extraColumn.byName(option: "extra-column")
    }

    var table: TableName {
        TableName(into)
    }

    var keyColumns: [String]? {
        key.isEmpty ? nil : key.all
    }

    /// The columns that the file must hold because an option names them.
    var namedColumns: [String] {
        let named = key.all + scopeColumn.all + insertOnly.all + touch.all + fill.all + keep.all
        let all = named + (orderColumn.map { [$0] } ?? []) + extraColumn.map(\.name)
        let supplied = Set(scopeValue.map(\.name) + scopeNull.all)
        var seen: Set<String> = []
        return all.filter { !supplied.contains($0) && seen.insert($0).inserted }
    }

    /// All that was said about the scope; nil if nothing was.
    var scopeOfAll: Scope? {
        get throws {
            var parts = scope.map { Scope.where($0) }
            let values = try scopeValues
            if !values.isEmpty { parts.append(.values(values)) }
            if !scopeColumn.isEmpty { parts.append(.columns(scopeColumn.all)) }
            guard let first = parts.first else { return nil }
            return parts.dropFirst().reduce(first) { $0.and($1) }
        }
    }

    private var scopeValues: [String: SyncValue] {
        get throws {
            var values = try scopeValue.byName(option: "scope-value").mapValues(SyncValue.string)
            for column in scopeNull.all {
                if values.updateValue(.null, forKey: column) != nil {
                    throw ValidationError("--scope-null and --scope-value name the same column.")
                }
            }
            return values
        }
    }

    private var chosenActions: SyncOptions.Actions {
        get throws {
            guard let actions else { return .all }
            return try actions.names.reduce(into: []) { result, name in
                switch name.lowercased() {
                case "insert": result.insert(.insert)
                case "update": result.insert(.update)
                case "delete": result.insert(.delete)
                default: throw ValidationError("'\(name)' is no action: insert, update, delete.")
                }
            }
        }
    }

    /// The options of the library, without those of ``GuardOptions``.
    var syncOptions: SyncOptions {
        get throws {
            var options = SyncOptions(actions: try chosenActions)
            options.insertOnlyColumns = insertOnly.all
            options.touchColumns = touch.all
            options.fillColumns = fill.all
            options.keepColumns = keep.all
            options.updateWhere = updateWhere
            options.softDeleteColumn = softDelete
            options.duplicates = duplicates
            options.orderColumn = orderColumn
            options.extraColumns = try extraColumn.byName(option: "extra-column")
            return options
        }
    }
}

extension GuardOptions {
    /// Adds the guards to the options of the library.
    func apply(to options: inout SyncOptions) {
        options.dryRun = dryRun
        options.expectedRows = expectRows
        options.allowEmpty = allowEmpty
        options.maxDeletes = maxDeletes
        options.maxDeleteFraction = maxDeleteFraction?.value
        options.ignoreConflicts = ignoreConflicts
        options.lockMode = lockMode
    }
}
