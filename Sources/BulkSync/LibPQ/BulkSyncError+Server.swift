// How an error of libpq, of the server or of the connection, becomes a BulkSyncError.

import CLibPQ

extension BulkSyncError {
    /// The error that a result tells, with all the fields the server sent.
    init(result: OpaquePointer, connection: OpaquePointer?) {
        // The letters are those of the protocol; Swift does not see the names that libpq-fe.h gives them.
        func field(_ code: Unicode.Scalar) -> String? {
            PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
        }
        guard let sqlstate = field("C") else {
            // libpq itself: the connection is lost, or a message made no sense.
            let lost = connection.map { PQstatus($0) != CONNECTION_OK } ?? true
            self.init(
                code: lost ? .connectionFailure : "08P01",
                message: Self.firstLines(String(cString: PQresultErrorMessage(result)))
            )
            return
        }
        self.init(code: Code(rawValue: sqlstate), message: field("M") ?? "unknown error")
        severity = field("V") ?? field("S")
        detail = field("D")
        hint = field("H")
        context = field("W")
        schema = field("s")
        table = field("t")
        column = field("c")
        dataType = field("d")
        constraint = field("n")
        position = field("P").flatMap(Int.init)
    }

    /// The error that a connection tells.
    ///
    /// A server that refuses a connection sends an SQLSTATE that libpq keeps to itself: the code is then that of the
    /// failed attempt, or what a phrase that every server says in English tells.
    static func connection(of handle: OpaquePointer, code: Code = .connectionFailure) -> BulkSyncError {
        let message = firstLines(String(cString: PQerrorMessage(handle)))
        if code == .unableToConnect, PQconnectionNeedsPassword(handle) == 1 {
            return BulkSyncError(code: .invalidPassword, message: message)
        }
        if code == .unableToConnect, message.contains("authentication failed for user") {
            return BulkSyncError(code: .invalidPassword, message: message)
        }
        if code == .unableToConnect, ConnectionString.isInvalidParameter(message) {
            return BulkSyncError(code: .invalidConnectionString, message: message)
        }
        return BulkSyncError(code: code, message: message.isEmpty ? "the connection was lost" : message)
    }

    /// The message without the newline at its end.
    private static func firstLines(_ message: String) -> String {
        var message = message[...]
        while message.last?.isNewline == true { message.removeLast() }
        return String(message)
    }
}
