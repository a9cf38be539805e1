// How another thread reaches a connection that waits for its socket: a pipe that the waiting poll() watches as well.

import Foundation
import Synchronization

/// Asks a connection to give up what it waits for.
///
/// Every operation begins with ``begin()`` and ends with ``end(_:)``; a request to cancel names the operation it means, so
/// that one that comes too late does not hit the next operation.
final class Interrupt: Sendable {
    /// What the waiting connection is asked to do.
    enum Request: Sendable, Equatable {
        case cancel(operation: UInt64)
        case close
    }

    private struct State: Sendable {
        var current: UInt64?
        var last: UInt64 = 0
        var isCancelled = false
        var isClosed = false
    }

    private let state = Mutex(State())
    /// The descriptor that becomes readable when there is a request.
    let descriptor: Int32
    private let writing: Int32

    init() throws(BulkSyncError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw BulkSyncError(
                code: .unableToConnect, message: "no pipe could be opened: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        descriptor = ends[0]
        writing = ends[1]
    }

    deinit {
        _ = Foundation.close(descriptor)
        _ = Foundation.close(writing)
    }

    /// Begins an operation and returns its number.
    func begin() -> UInt64 {
        state.withLock { state in
            state.last += 1
            state.current = state.last
            state.isCancelled = false
            if !state.isClosed { drain() }
            return state.last
        }
    }

    func end(_ operation: UInt64) {
        state.withLock { state in
            guard state.current == operation else { return }
            state.current = nil
            state.isCancelled = false
            if !state.isClosed { drain() }
        }
    }

    /// Cancels an operation, unless it has ended.
    func cancel(_ operation: UInt64) {
        state.withLock { state in
            guard state.current == operation, !state.isCancelled else { return }
            state.isCancelled = true
            wake()
        }
    }

    /// Asks the connection to close, whatever it does.
    func close() {
        state.withLock { state in
            state.isClosed = true
            wake()
        }
    }

    /// What is asked for at the moment.
    var request: Request? {
        state.withLock { state in
            if state.isClosed { return .close }
            return state.isCancelled ? state.current.map(Request.cancel) : nil
        }
    }

    /// Makes the descriptor wait for the next request; that of now is known.
    func acknowledge() {
        state.withLock { state in
            if !state.isClosed { drain() }
        }
    }

    private func wake() {
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
    }

    private func drain() {
        var bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }
}
