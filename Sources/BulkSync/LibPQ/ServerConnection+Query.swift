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
        guard let result = PQgetResult(handle).map(QueryResult.init) else { return nil }
        // Noted here and nowhere later: whatever is thrown from now on, the COPY has to be ended.
        if result.copy == .fromClient { isCopying = true }
        onResult?(result.command)
        return result
    }

    /// Reads all results to the end, and throws the first error among them.
    ///
    /// - Parameters:
    ///   - patience: What a request to cancel means.
    ///   - startsCopy: Whether the statement is a COPY that waits for data afterwards. Any other COPY is ended and refused.
    /// - Returns: The rows, as text.
    /// - Throws: The error of the server, or of the connection.
    func results(_ patience: Patience, startsCopy: Bool = false) throws(BulkSyncError) -> [ResultRow] {
        var rows: [ResultRow] = []
        var failure: BulkSyncError?
        while let result = try nextResult(patience) {
            if let copy = result.copy {
                if startsCopy, copy == .fromClient { break }
                // What comes of ending it is of less interest than that it should not have begun.
                try endStream()
                failure = failure ?? .refusedCopy
                break
            }
            if let error = result.error(connection: handle) {
                failure = failure ?? error
            } else {
                result.appendRows(to: &rows)
            }
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
                _ = try drain(.cancelAtServer)
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

    /// Gives up whatever statement is under way, be it that of ``beginStream(_:_:)`` or a COPY.
    func endStream() throws(BulkSyncError) {
        if isCopying { _ = try abortCopy() }
        guard let handle, PQtransactionStatus(handle) == PQTRANS_ACTIVE else { return }
        let request = CancelRequest(handle)
        let deadline = ContinuousClock.now + gracePeriod
        _ = try drain(.finish)
        request.wait(until: deadline)
        finishCancelling()
    }

    /// Reads what is left of a statement, whatever kind it is.
    ///
    /// libpq gives the result that begins a COPY again and again until the COPY has ended, so that it is ended here.
    ///
    /// - Parameter patience: What a request to cancel means.
    /// - Returns: The first error, if there was one, and the number of rows that the commands tell.
    /// - Throws: ``BulkSyncError`` if the connection is lost or closed.
    func drain(_ patience: Patience) throws(BulkSyncError) -> (failure: BulkSyncError?, affectedRows: Int) {
        var failure: BulkSyncError?
        var count = 0
        var hasEndedCopy = false
        while let result = try nextResult(patience) {
            try obeyRequest(patience)
            switch result.copy {
            case nil:
                failure = failure ?? result.error(connection: handle)
                count += result.affectedRows
            case .toClient:
                try dropCopyData(patience)
            case .fromClient where !hasEndedCopy:
                // The server answers by an error, which ends the statements behind it, too.
                hasEndedCopy = true
                isCopying = false
                try putCopyEnd(message: Self.ownFailure, patience)
            case .fromClient, .both:
                close()
                throw BulkSyncError(code: "08P01", message: "a COPY could not be ended, and the connection was closed")
            }
        }
        return (failure, count)
    }

    /// Reads the data of a COPY to the client, which nobody wants.
    private func dropCopyData(_ patience: Patience) throws(BulkSyncError) {
        while true {
            try obeyRequest(patience)
            let handle = try allocated()
            var data: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(handle, &data, 1)
            PQfreemem(data)
            switch length {
            case 1...: break
            case 0:
                _ = try wait(for: Int16(POLLIN), patience)
                guard PQconsumeInput(handle) == 1 else { throw BulkSyncError.connection(of: handle) }
            case -1: return
            default:
                let error = BulkSyncError.connection(of: handle)
                close()
                throw error
            }
        }
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

    /// The ways that data of a COPY go.
    enum Copy {
        case fromClient
        case toClient
        /// Replication.
        case both
    }

    /// The COPY that begins with this result.
    var copy: Copy? {
        switch PQresultStatus(handle) {
        case PGRES_COPY_IN: .fromClient
        case PGRES_COPY_OUT: .toClient
        case PGRES_COPY_BOTH: .both
        default: nil
        }
    }

    /// What the server says that it has done; where a COPY only begins, that it does.
    var command: String {
        copy == .fromClient ? "COPY FROM STDIN" : String(cString: PQcmdStatus(handle))
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
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY:
            nil
        default:
            BulkSyncError(result: handle, connection: connection)
        }
    }
}

extension BulkSyncError {
    /// The error of a statement that would send data to this side, or wait for data from it.
    static let refusedCopy = {
        var error = BulkSyncError(
            code: .misuse, message: "COPY FROM STDIN and COPY TO STDOUT cannot be executed as a command")
        error.hint = "Use sync, upsert or the like to send rows, and inBulk or a file of the server to read them."
        return error
    }()
}
