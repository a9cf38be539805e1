/// A difference between a table and rows, or what a sync did about one.
public struct Change<Row> {
    /// What the sync does, or did, to a row.
    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// The row is new.
        case insert
        /// The row differs.
        case update
        /// The row is in scope, and is not among those given.
        case delete
        /// The row is equal. It is told only where it was asked for.
        case unchanged
    }

    /// What the sync does, or did.
    public var action: Action

    /// The position of the row among those given, from 1; nil for a delete.
    public var stagedRow: Int?

    /// The values of the key columns by their names.
    public var key: [String: SyncValue]

    /// The columns that differ; nil unless the action is an update.
    public var changedColumns: [String]?

    /// The row as the table holds it, or held it; nil for an insert.
    public var old: Row?

    /// The row as the sync would leave it, or left it; nil for a delete that is no soft delete.
    public var new: Row?

    /// Makes a change.
    ///
    /// - Parameters:
    ///   - action: What the sync does.
    ///   - stagedRow: The position of the row among those given, from 1.
    ///   - key: The values of the key columns.
    ///   - changedColumns: The columns that differ.
    ///   - old: The row as it was.
    ///   - new: The row as it becomes.
    public init(
        action: Action,
        stagedRow: Int? = nil,
        key: [String: SyncValue] = [:],
        changedColumns: [String]? = nil,
        old: Row? = nil,
        new: Row? = nil
    ) {
        self.action = action
        self.stagedRow = stagedRow
        self.key = key
        self.changedColumns = changedColumns
        self.old = old
        self.new = new
    }
}

extension Change: Sendable where Row: Sendable {}
extension Change: Equatable where Row: Equatable {}
extension Change: Hashable where Row: Hashable {}

/// A change as the server sends it, its rows as the text of JSON objects.
package struct ChangeRecord: Sendable, Hashable {
    package var action: String
    package var stagedRow: Int?
    package var key: String
    package var changedColumns: String?
    package var old: String?
    package var new: String?

    init(_ row: ResultRow) throws(BulkSyncError) {
        guard row.count == 6, let action = row[0], let key = row[2] else {
            throw BulkSyncError(code: "08P01", message: "the server sent a change that makes no sense")
        }
        self.action = action
        stagedRow = row[1].flatMap { Int($0) }
        self.key = key
        changedColumns = row[3]
        old = row[4]
        new = row[5]
    }

    /// The columns to select, in the order of the properties.
    static let columns = """
        action, staged_row::pg_catalog.text, key::pg_catalog.text, pg_catalog.to_jsonb(changed_columns)::pg_catalog.text,
        old::pg_catalog.text, new::pg_catalog.text
        """
}

extension Change where Row: Decodable {
    init(_ record: ChangeRecord, _ decoder: RowDecoder, _ plain: RowDecoder) throws(BulkSyncError) {
        guard let action = Action(rawValue: record.action) else {
            throw BulkSyncError(code: .decoding, message: "the action \"\(record.action)\" is not known")
        }
        self.action = action
        stagedRow = record.stagedRow
        key = try plain.decode([String: SyncValue].self, from: record.key)
        if let columns = record.changedColumns { changedColumns = try plain.decode([String].self, from: columns) }
        if let old = record.old { self.old = try decoder.decode(Row.self, from: old) }
        if let new = record.new { self.new = try decoder.decode(Row.self, from: new) }
    }
}
