/// How far an operation is.
public struct SyncProgress: Hashable, Sendable {
    /// What an operation does at a time, in this order.
    public enum Phase: String, Hashable, Sendable, CaseIterable {
        /// The temporary table is made.
        case staging
        /// Rows are sent.
        case sending
        /// The server compares and writes.
        case syncing
        /// All is done; outside of a transaction of the caller's it is about to be committed.
        case committing
    }

    /// What the operation does.
    public var phase: Phase

    /// The number of rows sent so far.
    public var rows: Int

    /// The number of bytes sent so far, as COPY data.
    public var bytes: Int

    /// Makes a value.
    ///
    /// - Parameters:
    ///   - phase: What the operation does.
    ///   - rows: The number of rows sent so far.
    ///   - bytes: The number of bytes sent so far.
    public init(phase: Phase, rows: Int = 0, bytes: Int = 0) {
        self.phase = phase
        self.rows = rows
        self.bytes = bytes
    }
}

/// Takes the progress of an operation: at every new phase, and ten times a second while rows are sent.
public typealias ProgressHandler = @Sendable (SyncProgress) -> Void

/// Calls a handler, but not more often than it is worth.
struct ProgressReporter {
    private(set) var progress = SyncProgress(phase: .staging)
    private let handler: ProgressHandler?
    private var last = ContinuousClock.now

    init(_ handler: ProgressHandler?) {
        self.handler = handler
    }

    mutating func enter(_ phase: SyncProgress.Phase) {
        progress.phase = phase
        report()
    }

    mutating func sent(rows: Int, bytes: Int) {
        progress.rows = rows
        progress.bytes += bytes
        if handler != nil, ContinuousClock.now - last >= .milliseconds(100) { report() }
    }

    private mutating func report() {
        guard let handler else { return }
        last = ContinuousClock.now
        handler(progress)
    }
}
