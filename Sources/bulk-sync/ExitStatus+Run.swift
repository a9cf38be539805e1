import ArgumentParser
import BulkSync
import Dispatch
import Foundation
import Synchronization

/// Does the work of a subcommand: Ctrl-C cancels it, and an error of it is printed and becomes the exit status.
func withExitStatus(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let work = Task { try await body() }
    let interruption = Interruption { work.cancel() }
    defer { interruption.end() }
    do {
        try await work.value
    } catch let code as ExitCode {
        throw code
    } catch {
        // The server's answer to a cancel is no news.
        if let status = interruption.status { throw status.exitCode }
        printError(error)
        throw ExitStatus(error).exitCode
    }
}

/// Turns SIGINT and SIGTERM into a call.
///
/// The second one ends the process at once.
private final class Interruption: Sendable {
    private let received = Mutex<ExitStatus?>(nil)
    // Touched when the work begins and when it ends, by the one task that waits for it.
    nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

    init(_ cancel: @escaping @Sendable () -> Void) {
        for (number, status) in [(SIGINT, ExitStatus.interrupted), (SIGTERM, .terminated)] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                self.receive(status)
                cancel()
            }
            source.activate()
            sources.append(source)
        }
    }

    /// The signal that came; nil if none did.
    var status: ExitStatus? {
        received.withLock { $0 }
    }

    private func receive(_ status: ExitStatus) {
        let isFirst = received.withLock { received in
            defer { received = status }
            return received == nil
        }
        if !isFirst { _exit(status.rawValue) }
    }

    func end() {
        for source in sources {
            source.cancel()
        }
        sources.removeAll()
    }
}

/// Prints an error as PostgreSQL's programs do.
private func printError(_ error: any Error) {
    var lines: [String]
    if let error = error as? BulkSyncError {
        lines = ["error: \(error.message)"]
        if let detail = error.detail { lines.append("detail: \(detail)") }
        if let hint = error.hint { lines.append("hint: \(hint)") }
    } else {
        lines = ["error: \(error)"]
    }
    for line in lines {
        // Where not even this can be printed, the exit status has to do.
        try? FileHandle.standardError.write(contentsOf: Data("bulk-sync: \(line)\n".utf8))
    }
}
