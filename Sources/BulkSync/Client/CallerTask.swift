// What an operation asks of its caller, rows and the taking of changes, in a task that closing the client can end.

import Synchronization

/// The task of the operation that runs, so that closing the client reaches one that waits for its caller.
///
/// No call of libpq can be interrupted then, and the task of the caller is not ours to cancel. So an operation runs in a
/// task of its own, where the caller is, while the caller waits for it.
///
/// Cancelling is all that can be done: what the caller gave is on loan until it returns. A producer that does not care for
/// cancellation keeps its operation waiting, though not the one who closes the client.
final class CallerTask: Sendable {
    private struct State: Sendable {
        var isClosed = false
        var task: Task<Void, Never>?
    }

    /// Takes what belongs to the caller into the task, and the outcome back, while the caller does nothing but wait.
    private final class Loan<Result>: @unchecked Sendable {
        private var body: (() async throws -> Result)?
        private var outcome: Swift.Result<Result, any Error>?

        init(_ body: @escaping () async throws -> Result) {
            self.body = body
        }

        func run(isolation: isolated (any Actor)?) async {
            // It is given up here: the caller takes it for granted that nobody keeps it.
            guard let body = body.take() else { return }
            do {
                outcome = .success(try await body())
            } catch {
                outcome = .failure(error)
            }
        }

        func result() throws -> Result {
            guard let outcome else { throw BulkSyncError.cancelled }
            return try outcome.get()
        }
    }

    private let state = Mutex(State())

    /// Runs a closure where the caller is, until it ends; ``close()`` cancels it.
    ///
    /// - Parameters:
    ///   - isolation: Where the caller is.
    ///   - body: Runs once at a time: who calls has passed a ``Turnstile``.
    /// - Returns: What the closure returns.
    /// - Throws: What the closure throws; ``BulkSyncError`` with the code ``BulkSyncError/Code/connectionClosed`` if it was
    ///   cancelled because the client was closed.
    func run<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        try await withoutActuallyEscaping(body) { body in
            let loan = Loan(body)
            let task = Task { await loan.run(isolation: isolation) }
            begin(task)
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
            let wasClosed = end()
            do {
                return try loan.result()
            } catch {
                let isCancelled = error is CancellationError || (error as? BulkSyncError)?.code == .cancelled
                guard wasClosed, isCancelled else { throw error }
                throw BulkSyncError(code: .connectionClosed, message: "the connection was closed")
            }
        }
    }

    private func begin(_ task: Task<Void, Never>) {
        let isClosed = state.withLock { state in
            state.task = task
            return state.isClosed
        }
        if isClosed { task.cancel() }
    }

    /// Forgets the task, and tells whether the client was closed.
    private func end() -> Bool {
        state.withLock { state in
            state.task = nil
            return state.isClosed
        }
    }

    /// Cancels what runs, and what is going to.
    func close() {
        let task = state.withLock { state in
            state.isClosed = true
            return state.task
        }
        task?.cancel()
    }
}
