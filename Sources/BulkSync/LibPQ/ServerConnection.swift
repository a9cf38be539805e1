// One connection of libpq: how it is opened, how it waits, how it is closed. Statements are in
// ServerConnection+Query.swift, COPY is in ServerConnection+Copy.swift.

import CLibPQ
import Foundation

/// A connection of libpq in non-blocking mode.
///
/// It belongs to one thread; only its ``Interrupt`` is shared.
final class ServerConnection {
    /// What a request to cancel means to the one who waits.
    enum Patience {
        /// Give up at once.
        case abandon
        /// Have the server cancel the statement, and wait for its answer; for the grace period at most.
        case cancelAtServer
        /// Go on waiting, for the grace period at most: a rollback, or a commit whose answer matters.
        case finish
    }

    let interrupt: Interrupt
    let gracePeriod: Duration
    let notices = NoticeCounter()
    private(set) var handle: OpaquePointer?

    /// Whether the server waits for data of a COPY: from the result that says so until the COPY is ended.
    var isCopying = false

    /// Is told of each result as it is seen: tests do what could happen at that very moment.
    var onResult: ((_ command: String) -> Void)?

    private var handledCancel: UInt64?
    private var graceEnds: ContinuousClock.Instant?
    private var cancelRequest: CancelRequest?

    init(interrupt: Interrupt, gracePeriod: Duration) {
        self.interrupt = interrupt
        self.gracePeriod = gracePeriod
    }

    deinit {
        PQfinish(handle)
    }

    /// Connects.
    ///
    /// - Parameter parameters: Keywords and values; a `dbname` may be a whole connection string.
    /// - Throws: ``BulkSyncError``.
    func open(_ parameters: [(keyword: String, value: String)]) throws(BulkSyncError) {
        try Self.refuseZeroBytes(parameters.map(\.value))
        handle = withCStrings(parameters.map(\.keyword)) { keywords in
            withCStrings(parameters.map(\.value)) { values in
                PQconnectStartParams(keywords, values, 1)
            }
        }
        guard let handle else {
            throw BulkSyncError(code: .unableToConnect, message: "out of memory")
        }
        do {
            try finishConnecting(handle)
        } catch {
            close()
            throw error
        }
    }

    private func finishConnecting(_ handle: OpaquePointer) throws(BulkSyncError) {
        let deadline = connectTimeout(of: handle).map { ContinuousClock.now + $0 }
        var status = PGRES_POLLING_WRITING
        while PQstatus(handle) != CONNECTION_BAD {
            switch status {
            case PGRES_POLLING_OK:
                // Where the system knows it: ready for writing means room for one write of libpq. Linux has that anyhow.
                var room: Int32 = 16 * 1024
                setsockopt(PQsocket(handle), SOL_SOCKET, SO_SNDLOWAT, &room, socklen_t(MemoryLayout<Int32>.size))
                PQsetNoticeReceiver(handle, countNotice, notices.opaque)
                guard PQsetnonblocking(handle, 1) == 0 else { throw BulkSyncError.connection(of: handle) }
                return
            case PGRES_POLLING_READING, PGRES_POLLING_WRITING:
                let events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
                guard try wait(for: Int16(events), .abandon, until: deadline) != 0 else {
                    throw BulkSyncError(
                        code: .unableToConnect, message: "the server did not answer within connect_timeout")
                }
            default:
                throw BulkSyncError.connection(of: handle, code: .unableToConnect)
            }
            status = PQconnectPoll(handle)
        }
        throw BulkSyncError.connection(of: handle, code: .unableToConnect)
    }

    /// libpq leaves this time limit to those who do not connect in one blocking call.
    private func connectTimeout(of handle: OpaquePointer) -> Duration? {
        guard let options = PQconninfo(handle) else { return nil }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "connect_timeout", let value = option.pointee.val,
                let seconds = Int(String(cString: value)), seconds > 0
            {
                return .seconds(max(seconds, 2))
            }
            option += 1
        }
        return nil
    }

    /// The connection, open or broken, unless it was closed.
    func allocated() throws(BulkSyncError) -> OpaquePointer {
        guard let handle else {
            throw BulkSyncError(code: .connectionClosed, message: "the connection is closed")
        }
        return handle
    }

    /// The open connection, or the error that says that there is none.
    func opened() throws(BulkSyncError) -> OpaquePointer {
        guard let handle, PQstatus(handle) == CONNECTION_OK else {
            throw BulkSyncError(code: .connectionClosed, message: "the connection is closed")
        }
        return handle
    }

    var isOpen: Bool {
        handle.map { PQstatus($0) == CONNECTION_OK } ?? false
    }

    /// Whether a transaction is open at the server, or whether that is unknown.
    var isInTransaction: Bool {
        handle.map { PQtransactionStatus($0) != PQTRANS_IDLE } ?? false
    }

    /// Whether an error has aborted the open transaction.
    var hasFailed: Bool {
        handle.map { PQtransactionStatus($0) == PQTRANS_INERROR } ?? false
    }

    func close() {
        PQfinish(handle)
        handle = nil
        isCopying = false
    }

    /// Waits until the socket can be read or written, or until the deadline.
    ///
    /// - Returns: What of `events` the socket is ready for, or that it is broken; 0 at the deadline.
    /// - Throws: ``BulkSyncError`` if the operation is to end, or the connection is closed.
    @discardableResult
    func wait(
        for events: Int16,
        _ patience: Patience,
        until deadline: ContinuousClock.Instant? = nil
    ) throws(BulkSyncError) -> Int16 {
        let handle = try allocated()
        guard PQsocket(handle) >= 0 else { throw BulkSyncError.connection(of: handle) }
        while true {
            try obeyRequest(patience)
            var wakeAt = deadline
            for other in [graceEnds, patience == .cancelAtServer ? cancelRequest?.repeatAt : nil] {
                if let other, wakeAt.map({ other < $0 }) ?? true { wakeAt = other }
            }
            var descriptors = [
                pollfd(fd: PQsocket(handle), events: events, revents: 0),
                pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, 2, Self.milliseconds(until: wakeAt))
            if ready < 0, errno != EINTR {
                throw BulkSyncError(code: .connectionFailure, message: "poll: \(String(cString: strerror(errno)))")
            }
            if ready > 0, descriptors[0].revents != 0 { return descriptors[0].revents }
            if let deadline, ContinuousClock.now >= deadline { return 0 }
        }
    }

    /// Does what ``Interrupt`` asks for.
    ///
    /// Whoever reads in a loop without always waiting calls it in that loop.
    func obeyRequest(_ patience: Patience) throws(BulkSyncError) {
        switch interrupt.request {
        case nil:
            graceEnds = nil
            cancelRequest = nil
        case .close:
            close()
            throw BulkSyncError(code: .connectionClosed, message: "the connection was closed")
        case .cancel(let operation):
            if handledCancel != operation {
                handledCancel = operation
                graceEnds = ContinuousClock.now + gracePeriod
                cancelRequest = nil
            }
            interrupt.acknowledge()
            switch patience {
            case .abandon:
                throw BulkSyncError.cancelled
            case .cancelAtServer:
                cancelAtServer()
            case .finish:
                break
            }
            if let graceEnds, ContinuousClock.now >= graceEnds {
                close()
                throw BulkSyncError(
                    code: .cancelled,
                    message: "the task was cancelled; the server did not answer, and the connection was closed"
                )
            }
        }
    }

    /// Throws if the operation that runs is to be cancelled, or the connection to be closed.
    func throwIfInterrupted() throws(BulkSyncError) {
        if interrupt.request != nil { try obeyRequest(.abandon) }
    }

    /// A request that arrives before the statement does has no effect, so it is repeated until there is an answer.
    private func cancelAtServer() {
        if let cancelRequest {
            if ContinuousClock.now < cancelRequest.repeatAt { return }
            if !cancelRequest.isDone { return cancelRequest.postpone() }
        }
        guard let handle else { return }
        cancelRequest = CancelRequest(handle)
    }

    /// Waits for the answer to a request to cancel, which would otherwise hit the next statement.
    func finishCancelling() {
        cancelRequest?.wait(until: graceEnds ?? ContinuousClock.now)
        cancelRequest = nil
    }

    private static func milliseconds(until instant: ContinuousClock.Instant?) -> Int32 {
        guard let instant else { return -1 }
        let left = (instant - ContinuousClock.now) / .milliseconds(1)
        return Int32(max(0, min(left.rounded(.up), 60_000)))
    }
}

extension BulkSyncError {
    /// The error of an operation whose task was cancelled.
    static let cancelled = BulkSyncError(code: .cancelled, message: "the task was cancelled")
}

/// Counts the notices of the server, which are the only messages that it sends unasked while a COPY goes on well.
final class NoticeCounter {
    var count = 0

    /// The counter as libpq hands it back; the connection that owns the counter outlives every use.
    var opaque: UnsafeMutableRawPointer {
        Unmanaged.passUnretained(self).toOpaque()
    }
}

private let countNotice: PQnoticeReceiver = { counter, _ in
    guard let counter else { return }
    Unmanaged<NoticeCounter>.fromOpaque(counter).takeUnretainedValue().count += 1
}

/// Calls `body` with an array of C strings that ends with a null pointer.
func withCStrings<Result>(
    _ strings: [String?],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    let copies = strings.map { string in string.flatMap { strdup($0) } }
    defer { copies.forEach { free($0) } }
    var pointers = copies.map { $0.map { UnsafePointer($0) } }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("the array holds a null pointer at least") }
        return body(base)
    }
}
