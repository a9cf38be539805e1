/// Takes the rows that a closure writes.
///
/// Rows are sent as they come; `append` waits while the server is busy with what it has. A sink is for the one task that
/// its closure runs in. After the closure has ended, `append` throws the code ``BulkSyncError/Code/misuse``.
///
/// An error of the server ends the operation even if the closure catches it; a row that could not be written, and whose error
/// the closure catches, is left out.
public final class RowSink {
    private let stream: CopyStream
    let writer: UnsafeMutablePointer<RowWriter>
    private var buffer = CopyBuffer()
    private var hasBegun = false
    private var hasEnded = false
    /// Why nothing more can be sent, which the closure may have caught.
    private var failure: (any Error)?

    init(_ stream: CopyStream, columns: [String]) {
        self.stream = stream
        writer = .allocate(capacity: 1)
        writer.initialize(to: RowWriter(names: columns))
    }

    deinit {
        writer.deinitialize(count: 1)
        writer.deallocate()
    }

    /// The number of rows appended so far.
    public var rowCount: Int {
        writer.pointee.rowCount
    }

    /// Appends a row.
    ///
    /// - Parameter encode: Appends one value for each column. It is called once; but twice for a row with a value that has no
    ///   binary form in its column where that of the rows before had one, or was nil: from that row on they are sent as text.
    /// - Throws: What the closure throws; ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if a value does not
    ///   fit; the error of the server, if it has failed meanwhile; ``BulkSyncError/Code/misuse`` after the end of the closure.
    public func append(_ encode: (inout RowWriter) throws -> Void) async throws {
        try check()
        if hasBegun {
            try writer.pointee.write(encode)
        } else {
            // The first row tells in which format the rows are sent.
            let first = try writer.pointee.record(encode)
            try await begin()
            try writer.pointee.write(first)
        }
        if writer.pointee.buffer.count >= chunkSize { try await flush() }
    }

    /// Appends a row that writes itself.
    ///
    /// Its columns must be those of the sink.
    ///
    /// - Parameter row: The row.
    /// - Throws: What `append` with a closure throws.
    public func append<Row: RowEncodable>(_ row: Row) async throws {
        try check()
        if !hasBegun, Row.columns != writer.pointee.names {
            throw BulkSyncError(
                code: .encoding, message: "the columns of \(Row.self) are not those of the rows to be written")
        }
        try await append { try row.encode(to: &$0) }
    }

    private func begin() async throws {
        hasBegun = true
        writer.pointee.setTypes(stream.columns)
        writer.pointee.beginCopy()
        do {
            try await stream.begin(writer.pointee.format)
        } catch {
            failure = error
            throw error
        }
    }

    private func flush() async throws {
        do {
            let change = writer.pointee.takeFormatChange()
            try await stream.send(writer.pointee.buffer.bytes, rows: writer.pointee.rowCount, change)
        } catch {
            failure = error
            throw error
        }
        writer.pointee.buffer.removeAll()
    }

    private func check() throws {
        if hasEnded {
            throw BulkSyncError(
                code: .misuse, message: "the closure that the rows were to be appended in has ended")
        }
        if let failure { throw failure }
    }

    /// Takes no more rows.
    func end() {
        hasEnded = true
    }

    /// Sends what is left.
    func finish() async throws {
        if let failure { throw failure }
        if !hasBegun { try await begin() }
        writer.pointee.endCopy()
        try await flush()
    }
}
