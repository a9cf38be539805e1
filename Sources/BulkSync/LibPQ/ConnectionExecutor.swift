// Where the blocking calls of libpq run: one thread for each connection, so that a server that is slow, or does not
// answer at all, never holds a thread of Swift's cooperative pool.

import Dispatch
import Foundation
import Synchronization

/// A serial executor with a thread of its own.
///
/// The thread ends when the executor is released, which is when its actor is.
final class ConnectionExecutor: SerialExecutor {
    private let jobs = JobQueue()

    init() {
        let jobs = self.jobs
        jobs.attach(self)
        let thread = Thread { jobs.run() }
        thread.name = "bulk-sync connection"
        thread.start()
    }

    deinit {
        jobs.stop()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        jobs.append(UnownedJob(job))
    }

    /// Whether the caller runs on the thread of this executor.
    func checkIsolated() {
        precondition(jobs.isCurrent)
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}

/// The jobs that wait for the thread.
///
/// It is an object apart from the executor so that the thread does not keep the executor alive.
private final class JobQueue: Sendable {
    private struct State: Sendable {
        weak var executor: ConnectionExecutor?
        var jobs: [UnownedJob] = []
        var isStopped = false
        var thread: ObjectIdentifier?
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)

    func attach(_ executor: ConnectionExecutor) {
        state.withLock { $0.executor = executor }
    }

    var isCurrent: Bool {
        state.withLock { $0.thread == ObjectIdentifier(Thread.current) }
    }

    func append(_ job: UnownedJob) {
        state.withLock { $0.jobs.append(job) }
        available.signal()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        available.signal()
    }

    func run() {
        state.withLock { $0.thread = ObjectIdentifier(Thread.current) }
        while true {
            available.wait()
            // An actor with a job to run is alive, and so is its executor: a job is never lost here.
            let (executor, jobs, isStopped) = state.withLock { state in
                defer { state.jobs.removeAll(keepingCapacity: true) }
                return (state.executor, state.jobs, state.isStopped)
            }
            if let executor {
                for job in jobs {
                    job.runSynchronously(on: executor.asUnownedSerialExecutor())
                }
            } else if isStopped {
                return
            }
        }
    }
}
