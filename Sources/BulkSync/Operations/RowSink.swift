/// Takes the rows that a closure writes.
///
/// Rows are sent as they come; `append` waits while the server is busy with what it has. A sink is for the one task that
/// its closure runs in, and is of no use after it.
public final class RowSink {
    private let stream: CopyStream
    let writer: UnsafeMutablePointer<RowWriter>
    private var buffer = CopyBuffer()
    private var hasBegun = false

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
    /// - Parameter encode: Appends one value for each column. It is called twice for the first row, whose values tell in
    ///   which format the rows are sent.
    /// - Throws: What the closure throws; ``BulkSyncError`` with the code ``BulkSyncError/Code/encoding`` if a value does not
    ///   fit; the error of the server, if it has failed meanwhile.
    public func append(_ encode: (inout RowWriter) throws -> Void) async throws {
        if !hasBegun {
            try writer.pointee.probe(encode)
            try await begin()
        }
        try writer.pointee.write(encode)
        if writer.pointee.buffer.count >= chunkSize { try await flush() }
    }

    /// Appends a row that writes itself.
    ///
    /// Its columns must be those of the sink.
    ///
    /// - Parameter row: The row.
    /// - Throws: What `append` with a closure throws.
    public func append<Row: RowEncodable>(_ row: Row) async throws {
        if !hasBegun, Row.columns != writer.pointee.names {
            throw BulkSyncError(
                code: .encoding, message: "the columns of \(Row.self) are not those of the rows to be written")
        }
        try await append { try row.encode(to: &$0) }
    }

    private func begin() async throws {
        hasBegun = true
        try writer.pointee.setTypes(stream.columns)
        writer.pointee.beginCopy()
        try await stream.begin(writer.pointee.format)
    }

    private func flush() async throws {
        try await stream.send(writer.pointee.buffer.bytes, rows: writer.pointee.rowCount)
        writer.pointee.buffer.removeAll()
    }

    /// Sends what is left.
    func finish() async throws {
        if !hasBegun { try await begin() }
        writer.pointee.endCopy()
        try await flush()
    }
}
