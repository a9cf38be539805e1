// How a statement is sent and its result read, without ever blocking in libpq.

import CLibPQ
import Foundation

/// A row of a result: the text of each column, nil for NULL.
typealias ResultRow = [String?]

extension ServerConnection {
    /// Runs a statement and returns all its rows.
    ///
    /// - Parameters:
    ///   - sql: One statement, or several where there are no parameters.
    ///   - parameters: The values of `$1`, `$2` …, as text.
    ///   - patience: What a request to cancel means.
    /// - Returns: The rows, as text.
    /// - Throws: The error of the server, or of the connection.
    func execute(
        _ sql: String,
        _ parameters: [String?] = [],
        _ patience: Patience = .cancelAtServer
    ) throws(BulkSyncError) -> [ResultRow] {
        try send(sql, parameters, patience)
        return try results(patience)
    }

    /// Sends a statement.
    func send(_ sql: String, _ parameters: [String?], _ patience: Patience) throws(BulkSyncError) {
        let handle = try opened()
        if patience != .finish { try throwIfInterrupted() }
        try Self.refuseZeroBytes([sql] + parameters)
        let sent =
            if parameters.isEmpty {
                PQsendQuery(handle, sql)
            } else {
                withCStrings(parameters) { values in
                    PQsendQueryParams(handle, sql, Int32(parameters.count), nil, values, nil, nil, 0)
                }
            }
        guard sent == 1 else { throw BulkSyncError.connection(of: handle) }
        try flush(handle, patience)
    }

    /// Refuses texts that libpq would cut off: it takes strings that end at a zero byte, and half of a condition is another
    /// condition.
    static func refuseZeroBytes(_ texts: [String?]) throws(BulkSyncError) {
        for case .some(let text) in texts where text.utf8.contains(0) {
            throw BulkSyncError(
                code: .characterNotInRepertoire,
                message: "a text that is to be sent to the server holds a zero byte"
            )
        }
    }

    /// Hands all that libpq holds back to the socket, and takes in what arrives meanwhile.
    func flush(_ handle: OpaquePointer, _ patience: Patience) throws(BulkSyncError) {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1:
                _ = try wait(for: Int16(POLLIN | POLLOUT), patience)
                guard PQconsumeInput(handle) == 1 else { throw BulkSyncError.connection(of: handle) }
            default: throw BulkSyncError.connection(of: handle)
            }
        }
    }

    /// Waits for the next result of the statement; nil after the last.
    func nextResult(_ patience: Patience) throws(BulkSyncError) -> QueryResult? {
        // A connection that is broken by now may still hold what the server said before.
        let handle = try allocated()
        while PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN), patience)
            // A connection that breaks gives a result that says so, and perhaps the server's last words before it.
            if PQconsumeInput(handle) == 0, PQisBusy(handle) == 1 { throw BulkSyncError.connection(of: handle) }
        }
        return PQgetResult(handle).map(QueryResult.init)
    }

    /// Reads all results to the end, and throws the first error among them.
    func results(_ patience: Patience) throws(BulkSyncError) -> [ResultRow] {
        var rows: [ResultRow] = []
        var failure: BulkSyncError?
        while let result = try nextResult(patience) {
            if let error = result.error(connection: handle) {
                failure = failure ?? error
            } else {
                result.appendRows(to: &rows)
            }
            if result.startsCopy { break }
        }
        finishCancelling()
        if let failure { throw failure }
        if patience != .finish { try throwIfInterrupted() }
        return rows
    }

    /// Sends a statement whose rows are read one by one.
    func beginStream(_ sql: String, _ parameters: [String?]) throws(BulkSyncError) {
        try send(sql, parameters, .cancelAtServer)
        PQsetSingleRowMode(handle)
    }

    /// Reads some rows of the statement of ``beginStream(_:_:)``; none when all are read.
    ///
    /// - Parameter limit: The number of bytes after which the rest is left for the next call.
    /// - Returns: The rows; none when all are read.
    /// - Throws: The error of the server, or of the connection.
    func nextRows(limit: Int) throws(BulkSyncError) -> [ResultRow] {
        var rows: [ResultRow] = []
        var size = 0
        while size < limit {
            guard let result = try nextResult(.cancelAtServer) else { break }
            if let error = result.error(connection: handle) {
                while try nextResult(.cancelAtServer) != nil {}
                finishCancelling()
                throw error
            }
            size += result.appendRows(to: &rows)
        }
        do {
            try throwIfInterrupted()
        } catch {
            try endStream()
            throw error
        }
        return rows
    }

    /// Gives up what is left of the statement of ``beginStream(_:_:)``.
    func endStream() throws(BulkSyncError) {
        guard let handle, PQtransactionStatus(handle) == PQTRANS_ACTIVE else { return }
        let request = CancelRequest(handle)
        let deadline = ContinuousClock.now + gracePeriod
        while try nextResult(.finish) != nil {}
        request.wait(until: deadline)
        finishCancelling()
    }
}

/// A result of libpq, released when it is no longer used.
struct QueryResult: ~Copyable {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        PQclear(handle)
    }

    var startsCopy: Bool {
        PQresultStatus(handle) == PGRES_COPY_IN
    }

    /// The number of rows that the command tells.
    var affectedRows: Int {
        Int(String(cString: PQcmdTuples(handle))) ?? 0
    }

    /// Appends the rows and returns the number of their bytes.
    @discardableResult
    func appendRows(to rows: inout [ResultRow]) -> Int {
        var size = 0
        let columns = PQnfields(handle)
        for row in 0..<PQntuples(handle) {
            var values: ResultRow = []
            values.reserveCapacity(Int(columns))
            for column in 0..<columns {
                if PQgetisnull(handle, row, column) == 1 {
                    values.append(nil)
                } else {
                    values.append(String(cString: PQgetvalue(handle, row, column)))
                    size += Int(PQgetlength(handle, row, column))
                }
            }
            rows.append(values)
        }
        return size
    }

    /// The error that the result tells, if it tells one.
    func error(connection: OpaquePointer?) -> BulkSyncError? {
        switch PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_COPY_IN, PGRES_EMPTY_QUERY:
            nil
        default:
            BulkSyncError(result: handle, connection: connection)
        }
    }
}
