import Foundation
import Synchronization

/// Turns SIGINT and SIGTERM into a call.
///
/// A handler writes the number of the signal into a pipe, and a thread reads it there, so that none is lost from the
/// beginning of the program on. A signal source of Dispatch cannot promise that: between the moment when the signal stops
/// ending the process and the moment when the source listens, it vanishes. To block the signals and wait for them does
/// not work either, because the main thread of a Swift program waits with all signals unblocked.
///
/// The second signal ends the process at once.
final class Interruption: Sendable {
    static let shared = Interruption()

    private struct State {
        var received: ExitStatus?
        var work = Work.none
    }

    private enum Work {
        case none
        case running(cancel: @Sendable () -> Void)
        case ended
    }

    private let state = Mutex(State())

    private init() {}

    /// Begins to listen.
    func listen() {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        signalPipe = ends[1]
        let reading = ends[0]
        let thread = Thread {
            var number: UInt8 = 0
            while true {
                guard read(reading, &number, 1) == 1 else { continue }
                self.receive(CInt(number) == SIGTERM ? .terminated : .interrupted)
            }
        }
        thread.name = "bulk-sync signals"
        thread.start()
        var action = sigaction()
        #if os(Linux)
            action.__sigaction_handler.sa_handler = noteSignal
        #else
            action.__sigaction_u.__sa_handler = noteSignal
        #endif
        action.sa_flags = CInt(SA_RESTART)
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
    }

    /// The signal that came; nil if none did.
    var status: ExitStatus? {
        state.withLock { $0.received }
    }

    /// Names what a signal cancels from now on.
    func begin(cancel: @escaping @Sendable () -> Void) {
        state.withLock { $0.work = .running(cancel: cancel) }
    }

    /// There is nothing to cancel any more: what was done is done.
    func end() {
        state.withLock { $0.work = .ended }
    }

    private func receive(_ status: ExitStatus) {
        let (isFirst, work) = state.withLock { state in
            defer { state.received = status }
            return (state.received == nil, state.work)
        }
        switch work {
        case .running(let cancel) where isFirst:
            cancel()
        case .none:
            printLine(status.interruption)
            _exit(status.rawValue)
        case .running:
            printLine("\(status.word) again: not waiting for the server")
            _exit(status.rawValue)
        case .ended:
            if !isFirst { _exit(status.rawValue) }
        }
    }
}

/// The end of the pipe that the handler writes to; set once, before there is a handler.
private nonisolated(unsafe) var signalPipe: CInt = -1

/// Does nothing but what a handler may do: it can interrupt any thread in any place.
private func noteSignal(_ number: CInt) {
    let error = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(signalPipe, &byte, 1)
    errno = error
}

extension ExitStatus {
    /// What a signal did, in a word.
    fileprivate var word: String {
        self == .terminated ? "terminated" : "interrupted"
    }

    /// What is printed when a signal has ended the work before its COMMIT.
    var interruption: String {
        "\(word): nothing was changed"
    }
}

/// Prints a line to standard error, as PostgreSQL's programs do.
func printLine(_ text: String) {
    // Where not even this can be printed, the exit status has to do.
    try? FileHandle.standardError.write(contentsOf: Data("bulk-sync: \(text)\n".utf8))
}
