// A request to the server to cancel what it does. libpq sends it over a connection of its own and blocks meanwhile, so it
// has a thread of its own.

import CLibPQ
import Dispatch
import Foundation

/// A request to cancel that is under way.
final class CancelRequest {
    /// PGcancel is a value of its own that libpq allows on any thread.
    private struct Target: @unchecked Sendable {
        let handle: OpaquePointer
    }

    private let done = DispatchGroup()
    /// When to send another one if the server has not answered.
    private(set) var repeatAt = ContinuousClock.now + .milliseconds(300)

    init(_ connection: OpaquePointer) {
        guard let handle = PQgetCancel(connection) else { return }
        let target = Target(handle: handle)
        done.enter()
        let thread = Thread { [done] in
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(target.handle, &message, Int32(message.count))
            PQfreeCancel(target.handle)
            done.leave()
        }
        thread.name = "bulk-sync cancel"
        thread.start()
    }

    func postpone() {
        repeatAt = ContinuousClock.now + .milliseconds(300)
    }

    var isDone: Bool {
        done.wait(timeout: .now()) == .success
    }

    func wait(until instant: ContinuousClock.Instant) {
        let nanoseconds = (instant - ContinuousClock.now) / .nanoseconds(1)
        _ = done.wait(timeout: .now() + .nanoseconds(Int(max(0, min(nanoseconds, 1e15)))))
    }
}
