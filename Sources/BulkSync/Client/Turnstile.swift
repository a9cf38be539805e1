import Synchronization

/// Lets one operation at a time through, in the order in which they came.
///
/// One that waits can be cancelled.
///
/// An actor alone does not do this: it is free for the next caller whenever an operation waits for its rows.
final class Turnstile: Sendable {
    private struct State: Sendable {
        /// Who went through and has not left.
        var holder: Pass?
        var waiting: [Waiter] = []
    }

    private final class Waiter: Sendable {
        enum Phase: Sendable {
            case new
            case waiting(CheckedContinuation<Bool, Never>)
            case done
            case cancelled
        }

        let phase = Mutex(Phase.new)
        let pass = Pass()

        /// Wakes the waiter unless it was woken before; tells whether this call did it.
        func wake(entering: Bool) -> Bool {
            let continuation: CheckedContinuation<Bool, Never>? = phase.withLock { phase in
                switch phase {
                case .new:
                    if !entering { phase = .cancelled }
                    return nil
                case .waiting(let continuation):
                    phase = .done
                    return continuation
                case .done, .cancelled:
                    return nil
                }
            }
            continuation?.resume(returning: entering)
            return continuation != nil
        }
    }

    /// Tells those who went through apart.
    private final class Pass: Sendable {}

    /// What the task, and those that it was started by, went through: a child task inherits it.
    @TaskLocal private static var passes: [Pass] = []

    private let state = Mutex(State())

    /// Waits for its turn, and runs a closure.
    ///
    /// - Throws: What the closure throws; ``BulkSyncError`` with the code ``BulkSyncError/Code/cancelled`` if the task is
    ///   cancelled before, and ``BulkSyncError/Code/misuse`` if it would wait for itself or for the task that started it.
    func pass<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let pass = try await enter()
        defer { leave() }
        return try await Self.$passes.withValue(Self.passes + [pass]) {
            // It is by naming the isolation that this closure runs where the caller is.
            _ = isolation
            return try await body()
        }
    }

    private func enter() async throws(BulkSyncError) -> Pass {
        let waiter = Waiter()
        let passes = Self.passes
        if state.withLock({ state in passes.contains { $0 === state.holder } }) {
            var error = BulkSyncError(
                code: .misuse,
                message:
                    "the connection is in the middle of an operation or a transaction of this very task, or of one that started it"
            )
            error.hint =
                "Inside of withTransaction, call the transaction and not the client; where rows are produced or taken, call neither."
            throw error
        }
        let entered = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                queue(waiter, continuation)
            }
        } onCancel: {
            _ = waiter.wake(entering: false)
        }
        if !entered { throw .cancelled }
        return waiter.pass
    }

    private func queue(_ waiter: Waiter, _ continuation: CheckedContinuation<Bool, Never>) {
        let immediately: Bool? = state.withLock { state in
            waiter.phase.withLock { phase in
                if case .cancelled = phase { return false }
                if state.holder == nil {
                    state.holder = waiter.pass
                    phase = .done
                    return true
                }
                phase = .waiting(continuation)
                state.waiting.append(waiter)
                return nil
            }
        }
        if let immediately { continuation.resume(returning: immediately) }
    }

    /// Lets the next one through.
    func leave() {
        state.withLock { state in
            while !state.waiting.isEmpty {
                let next = state.waiting.removeFirst()
                state.holder = next.pass
                if next.wake(entering: true) { return }
            }
            state.holder = nil
        }
    }
}
