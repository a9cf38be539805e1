import BulkSync
import Foundation
import Synchronization

/// Shows on a terminal how far a sync is.
final class ProgressBar: Sendable {
    private struct State {
        var phase: SyncProgress.Phase?
        var rows = 0
        var bytesRead = 0
        var isShown = false
    }

    private static let width = 30

    private let state = Mutex(State())
    /// The size of the file in bytes, where it has one.
    private let size: Int?
    private let start = ContinuousClock.now

    /// Makes a bar if standard error is a terminal.
    ///
    /// - Parameter path: The path of the file; nil for standard input.
    init?(path: String?) {
        guard isatty(STDERR_FILENO) == 1, ProcessInfo.processInfo.environment["TERM"] != "dumb" else { return nil }
        let attributes = path.flatMap { try? FileManager.default.attributesOfItem(atPath: $0) }
        let isFile = attributes?[.type] as? FileAttributeType == .typeRegular
        size = isFile ? (attributes?[.size] as? NSNumber)?.intValue : nil
    }

    /// What the library calls.
    var handler: ProgressHandler {
        { progress in
            self.state.withLock {
                $0.phase = progress.phase
                $0.rows = progress.rows
                self.show(&$0)
            }
        }
    }

    /// Takes how many bytes of the file have been read.
    func read(_ bytes: Int) {
        state.withLock { $0.bytesRead = bytes }
    }

    /// Leaves the line as it was before.
    func clear() {
        state.withLock {
            if $0.isShown { write("\r\u{1B}[K") }
            $0.isShown = false
        }
    }

    private func show(_ state: inout State) {
        let text =
            switch state.phase {
            case nil, .staging: "preparing"
            case .sending: sending(state)
            case .syncing: "\(state.rows.formatted()) rows sent, comparing and writing"
            case .committing: "committing"
            }
        write("\r\u{1B}[K\(text)")
        state.isShown = true
    }

    private func sending(_ state: State) -> String {
        let seconds = max(0.001, (ContinuousClock.now - start) / .seconds(1))
        let rate = (Double(state.bytesRead) / seconds / 1_000_000).formatted(.number.precision(.fractionLength(1)))
        let text = "\(state.rows.formatted()) rows, \(rate) MB/s"
        guard let size, size > 0 else { return "sending  \(text)" }
        let part = min(1, Double(state.bytesRead) / Double(size))
        let done = Int(part * Double(Self.width))
        let bar = String(repeating: "#", count: done) + String(repeating: ".", count: Self.width - done)
        return "[\(bar)] \(Int(part * 100)) %  \(text)"
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
