// How rows come to be in a temporary table: it is made by bulk_stage with the types of the target, and filled by COPY.

/// A staged table that is filled.
struct StagedTable {
    /// What a parameter of type regclass takes.
    var oid: String
    /// The qualified, quoted name.
    var name: String
    var rowCount = 0
    /// The columns of the rows; nil if there was no row that told them.
    var sourceColumns: [String]?
    /// Tells where a row came from.
    var location: (Int) -> String? = { _ in nil }
}

/// The COPY of one operation, as those who write rows see it.
final class CopyStream {
    private let client: BulkSyncClient
    private let table: String
    let columns: [StagedColumn]
    private var isCopying = false
    /// The number of rows that the COPYs before the present one have sent.
    private(set) var rowsBefore = 0
    var progress: ProgressReporter

    init(_ client: BulkSyncClient, table: String, columns: [StagedColumn], progress: ProgressReporter) {
        self.client = client
        self.table = table
        self.columns = columns
        self.progress = progress
    }

    func begin(_ format: CopyFormat) async throws {
        try await beginCopy(format)
        progress.enter(.sending)
    }

    private func beginCopy(_ format: CopyFormat) async throws {
        let names = columns.map { quotedIdentifier($0.name) }.joined(separator: ", ")
        let list = columns.isEmpty ? "" : " (\(names))"
        let word = format == .binary ? "binary" : "text"
        try await client.beginCopy("COPY \(table)\(list) FROM STDIN (FORMAT \(word))")
        isCopying = true
    }

    /// Sends bytes, in which the format may change once.
    func send(_ bytes: UnsafeRawBufferPointer, rows: Int, _ change: FormatChange?) async throws {
        guard let change else { return try await send(bytes, rows: rows) }
        try await send(UnsafeRawBufferPointer(rebasing: bytes[..<change.offset]), rows: change.rows)
        try await endCopy(rows: change.rows)
        rowsBefore = change.rows
        try await beginCopy(.text)
        try await send(UnsafeRawBufferPointer(rebasing: bytes[change.offset...]), rows: rows)
    }

    private func send(_ bytes: UnsafeRawBufferPointer, rows: Int) async throws {
        if bytes.count > 0 { try await client.sendCopy(LentBytes(bytes: bytes)) }
        progress.sent(rows: rows, bytes: bytes.count)
    }

    /// Ends the COPY, after the server has confirmed the number of rows.
    func finish(rows: Int) async throws {
        // A stream of rows that ends because its task was cancelled is not a feed that has ended.
        if Task.isCancelled { throw BulkSyncError.cancelled }
        try await endCopy(rows: rows)
    }

    private func endCopy(rows: Int) async throws {
        isCopying = false
        let count = try await rowsBefore + client.endCopy()
        if count != rows {
            throw BulkSyncError(code: .incompleteFeed, message: "the server read \(count) rows where \(rows) were sent")
        }
    }

    /// Gives up the COPY because writing rows failed, and tells which error is the one to report.
    ///
    /// If the server had failed by itself, its error came first, though it may have been seen last.
    func giveUp(_ error: any Error) async -> any Error {
        guard isCopying else { return Self.translated(error) }
        isCopying = false
        do {
            guard var first = try await client.abortCopy() else { return Self.translated(error) }
            if first != error as? BulkSyncError { first.underlying = first.underlying ?? error }
            return first
        } catch {
            return error
        }
    }

    private static func translated(_ error: any Error) -> any Error {
        error is CancellationError ? BulkSyncError.cancelled : error
    }
}

extension BulkSyncClient {
    /// Stages rows.
    ///
    /// - Parameters:
    ///   - rows: The rows.
    ///   - table: The target.
    ///   - extraColumns: Columns that the target does not have, with their types.
    ///   - progress: Is told how far it is, and handed back for what follows.
    /// - Returns: The staged table.
    /// - Throws: ``BulkSyncError``, or what the producer of the rows throws.
    nonisolated func stage(
        _ rows: Rows,
        into table: TableName,
        extraColumns: [String: String],
        progress: inout ProgressReporter
    ) async throws -> StagedTable {
        progress.enter(.staging)
        switch rows.origin {
        case .source(let make):
            var source = make(configuration.keyStrategy)
            let columns: [String]?
            do {
                columns = try await source.begin()
            } catch is CancellationError {
                throw BulkSyncError.cancelled
            }
            if Task.isCancelled { throw BulkSyncError.cancelled }
            var (staged, stream) = try await makeStaged(table, columns, extraColumns, progress)
            do {
                try source.prepare(columns: stream.columns)
                try await send(&source, to: stream)
            } catch {
                let reported = await stream.giveUp(error)
                throw (reported as? BulkSyncError).map { Self.located($0, after: stream.rowsBefore, source.location) }
                    ?? reported
            }
            progress = stream.progress
            staged.rowCount = source.rowCount
            let location = source.location
            staged.location = { location($0) }
            return staged
        case .writer(let columns, let write):
            var (staged, stream) = try await makeStaged(table, columns, extraColumns, progress)
            let sink = RowSink(stream, columns: columns)
            do {
                defer { sink.end() }
                try await write(sink)
                sink.end()
                try await sink.finish()
                try await stream.finish(rows: sink.rowCount)
            } catch {
                let reported = await stream.giveUp(error)
                throw (reported as? BulkSyncError).map { Self.located($0, after: stream.rowsBefore, { _ in nil }) }
                    ?? reported
            }
            progress = stream.progress
            staged.rowCount = sink.rowCount
            return staged
        }
    }

    private nonisolated func send(_ source: inout any CopySource, to stream: CopyStream) async throws {
        try await stream.begin(source.format)
        var buffer = CopyBuffer()
        var hasMore = true
        while hasMore {
            hasMore = try await source.next(into: &buffer)
            try await stream.send(buffer.bytes, rows: source.rowCount, source.takeFormatChange())
            buffer.removeAll()
        }
        try await stream.finish(rows: source.rowCount)
    }

    private nonisolated func makeStaged(
        _ table: TableName,
        _ columns: [String]?,
        _ extraColumns: [String: String],
        _ progress: ProgressReporter
    ) async throws -> (StagedTable, CopyStream) {
        let schema = try await findExtension().schema
        let ofTarget = columns.map { $0.filter { extraColumns[$0] == nil } }
        let made: [ResultRow]
        do {
            made = try await execute(
                """
                SELECT \(schema).bulk_stage($1::pg_catalog.regclass, $2::pg_catalog.text[],
                    staged_name => $3::pg_catalog.text, on_commit_drop => true)::pg_catalog.oid::pg_catalog.text
                """,
                [table.sql, ofTarget.map { arrayText($0) }, stagedName]
            )
        } catch {
            // The extension may have been moved, or dropped, since it was found.
            if error.code == "42883" || error.code == "3F000" { forgetExtension() }
            throw error
        }
        guard let oid = made.first?.first ?? nil, let name = try await qualifiedName(of: oid) else {
            throw BulkSyncError(code: "08P01", message: "bulk_stage returned no table")
        }
        for (column, type) in extraColumns.sorted(by: { $0.key < $1.key }) where columns?.contains(column) ?? true {
            try await checkType(type)
            _ = try await execute("ALTER TABLE \(name) ADD COLUMN \(quotedIdentifier(column)) \(type)")
        }
        let described = try await columnTypes(of: oid)
        let staged = StagedTable(oid: oid, name: name, sourceColumns: columns)
        let ordered = try columns?.map { column throws(BulkSyncError) in
            guard let found = described.first(where: { $0.name == column }) else {
                throw BulkSyncError(code: .undefinedColumn, message: "the staged table has no column \"\(column)\"")
            }
            return found
        }
        return (staged, CopyStream(self, table: name, columns: ordered ?? described, progress: progress))
    }

    /// Refuses what is not the name of a type, and nothing else, before it becomes a part of a statement.
    private nonisolated func checkType(_ type: String) async throws {
        let rows = try await execute("SELECT pg_catalog.to_regtype($1::pg_catalog.text)::pg_catalog.oid", [type])
        guard rows.first?.first ?? nil != nil else {
            throw BulkSyncError(code: "42704", message: "type \"\(type)\" does not exist")
        }
    }

    /// The name of a table as SQL takes it, wherever the search path looks for temporary tables.
    private nonisolated func qualifiedName(of oid: String) async throws -> String? {
        let rows = try await execute(
            """
            SELECT pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname))
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
            """,
            [oid]
        )
        return rows.first?.first ?? nil
    }

    /// The columns of a table, with the base types of domains.
    private nonisolated func columnTypes(of oid: String) async throws -> [StagedColumn] {
        let rows = try await execute(
            """
            WITH RECURSIVE found (position, name, type, kind, base) AS (
                SELECT a.attnum, a.attname, t.oid, t.typtype, t.typbasetype
                FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
                WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0
                    AND NOT a.attisdropped
                UNION ALL
                SELECT f.position, f.name, t.oid, t.typtype, t.typbasetype
                FROM found f JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) f.base
                WHERE f.kind OPERATOR(pg_catalog.=) 'd'
            )
            SELECT name, type FROM found WHERE kind OPERATOR(pg_catalog.<>) 'd' ORDER BY position
            """,
            [oid]
        )
        return rows.compactMap { row in
            guard row.count == 2, let name = row[0], let type = row[1].flatMap({ UInt32($0) }) else { return nil }
            return StagedColumn(name: name, type: type)
        }
    }

    /// The error of a server, with the number of the row that it speaks of, and where that row came from.
    ///
    /// - Parameters:
    ///   - error: The error.
    ///   - rowsBefore: The number of rows that were sent before those that the server's COPY counts.
    ///   - location: Tells where a row came from.
    /// - Returns: The error to report.
    nonisolated static func located(
        _ error: BulkSyncError,
        after rowsBefore: Int = 0,
        _ location: (Int) -> String?
    ) -> BulkSyncError {
        var error = error
        if error.row == nil, let context = error.context {
            if let match = context.firstMatch(of: /staged row (\d+)/) {
                error.row = Int(match.1)
            } else if let match = context.firstMatch(of: /COPY .*?, line (\d+)(?:, column (.+?)(?:: |\n|$))?/),
                // Line 0 is before the first row.
                let line = Int(match.1), line > 0
            {
                error.row = rowsBefore + line
                error.column = error.column ?? match.2.map { String($0) }
            }
        }
        if let row = error.row, let place = location(row), !error.message.contains(place) {
            let column = error.column.map { ", column \($0)" } ?? ""
            error.message += " (\(place)\(column))"
        }
        return error
    }
}
