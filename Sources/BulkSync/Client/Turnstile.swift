import Synchronization

/// Lets one operation at a time through, in the order in which they came.
///
/// One that waits can be cancelled.
///
/// An actor alone does not do this: it is free for the next caller whenever an operation waits for its rows.
final class Turnstile: Sendable {
    private struct State: Sendable {
        var isTaken = false
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

    private let state = Mutex(State())

    /// Waits for its turn.
    ///
    /// - Throws: ``BulkSyncError`` with the code ``BulkSyncError/Code/cancelled`` if the task is cancelled before.
    func enter() async throws(BulkSyncError) {
        let waiter = Waiter()
        let entered = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                queue(waiter, continuation)
            }
        } onCancel: {
            _ = waiter.wake(entering: false)
        }
        if !entered { throw .cancelled }
    }

    private func queue(_ waiter: Waiter, _ continuation: CheckedContinuation<Bool, Never>) {
        let immediately: Bool? = state.withLock { state in
            waiter.phase.withLock { phase in
                if case .cancelled = phase { return false }
                if !state.isTaken {
                    state.isTaken = true
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
                if state.waiting.removeFirst().wake(entering: true) { return }
            }
            state.isTaken = false
        }
    }
}
