// COPY from the program to the server: sending without blocking, with an eye on what the server says meanwhile.

import CLibPQ
import Foundation

extension ServerConnection {
    /// Marks the failure that the server reports when the program itself gave up the COPY.
    static let ownFailure = "given up by the client"

    /// Sends a COPY command; the server waits for data afterwards.
    func beginCopy(_ sql: String) throws(BulkSyncError) {
        try send(sql, [], .cancelAtServer)
        _ = try results(.cancelAtServer, startsCopy: true)
    }

    /// The number of bytes sent at a time.
    ///
    /// With the five of the message's header they are one write of libpq.
    private static let pieceSize = 16 * 1024 - 5

    /// Sends bytes of the COPY.
    ///
    /// Each piece waits until the socket has room for it. Otherwise libpq would keep what it cannot send, and, worse, would
    /// read the server's messages meanwhile: an error would be in its buffer, where nobody sees it before the COPY is
    /// ended, and rows would be sent to a server that drops them, for ever if there is no end to them.
    func putCopy(_ bytes: UnsafeRawBufferPointer) throws(BulkSyncError) {
        let handle = try opened()
        try throwIfInterrupted()
        guard let base = bytes.bindMemory(to: CChar.self).baseAddress else { return }
        var sent = 0
        while sent < bytes.count {
            try waitForRoom(handle)
            let length = min(bytes.count - sent, Self.pieceSize)
            guard PQputCopyData(handle, base + sent, Int32(length)) == 1 else { throw serverFailure(handle) }
            sent += length
            while true {
                let left = PQflush(handle)
                if left == 0 { break }
                guard left == 1 else { throw serverFailure(handle) }
                try waitForRoom(handle)
            }
        }
    }

    private func waitForRoom(_ handle: OpaquePointer) throws(BulkSyncError) {
        while true {
            let events = try wait(for: Int16(POLLIN | POLLOUT), .abandon)
            if events != Int16(POLLOUT) { try failIfServerHas(handle) }
            if events & Int16(POLLOUT) != 0 { return }
        }
    }

    /// Throws the server's error if that is what has arrived.
    ///
    /// libpq does not tell: it keeps an error message in its buffer until the COPY is ended. But the server sends nothing
    /// else during a COPY than notices, which libpq does hand out, so that anything else that arrives is the error.
    private func failIfServerHas(_ handle: OpaquePointer) throws(BulkSyncError) {
        let before = notices.count
        guard PQconsumeInput(handle) == 1 else { throw serverFailure(handle) }
        _ = PQisBusy(handle)
        if notices.count == before { throw serverFailure(handle) }
    }

    /// Ends the COPY and returns the server's error.
    private func serverFailure(_ handle: OpaquePointer) -> BulkSyncError {
        do {
            return try abortCopy()
                ?? BulkSyncError(code: "08P01", message: "the server sent a message that does not belong to a COPY")
        } catch {
            return error
        }
    }

    /// Tells the server that all is sent, and returns the number of rows it took.
    func endCopy() throws(BulkSyncError) -> Int {
        isCopying = false
        try putCopyEnd(message: nil, .cancelAtServer)
        var (failure, count) = try drain(.cancelAtServer)
        if failure == nil, !isOpen { failure = try BulkSyncError.connection(of: allocated()) }
        finishCancelling()
        if let failure { throw failure }
        try throwIfInterrupted()
        return count
    }

    /// Gives up the COPY.
    ///
    /// - Returns: The server's error if it had failed by itself, for another reason than that the client gave up.
    func abortCopy() throws(BulkSyncError) -> BulkSyncError? {
        guard isCopying else { return nil }
        isCopying = false
        try putCopyEnd(message: Self.ownFailure, .finish)
        var failure = try drain(.finish).failure
        if failure == nil, !isOpen { failure = try BulkSyncError.connection(of: allocated()) }
        if let failure, failure.code == .cancelled, failure.message.contains(Self.ownFailure) { return nil }
        return failure
    }

    /// Sends the end of the COPY.
    ///
    /// - Parameters:
    ///   - message: Why it failed; nil if it did not.
    ///   - patience: What a request to cancel means.
    /// - Throws: ``BulkSyncError`` if the connection is closed meanwhile.
    func putCopyEnd(message: String?, _ patience: Patience) throws(BulkSyncError) {
        let handle = try allocated()
        while true {
            switch PQputCopyEnd(handle, message) {
            case 1:
                // What the server said before it broke the connection is still to be read.
                while PQflush(handle) == 1 {
                    _ = try wait(for: Int16(POLLIN | POLLOUT), patience)
                    guard PQconsumeInput(handle) == 1 else { return }
                }
                return
            case 0:
                _ = try wait(for: Int16(POLLOUT), patience)
            default:
                // The connection is broken, and libpq goes on to what the server said before.
                return
            }
        }
    }
}
