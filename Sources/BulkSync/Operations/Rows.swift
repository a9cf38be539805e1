// Rows of a program, in any of the forms in which it may have them, as a source of a COPY.

/// Rows on their way into a table.
///
/// The operations take sequences of rows directly; this is the form for everything else, and for functions that pass rows
/// on. Rows are read once.
///
/// ```swift
/// let rows = Rows(columns: ["sku", "amount"]) { sink in
///     for try await price in prices {
///         try await sink.append { row in
///             try row.append(price.sku)
///             try row.append(price.amount)
///         }
///     }
/// }
/// try await client.upsert(rows, into: "price")
/// ```
public struct Rows {
    enum Origin {
        /// A source that is asked for its bytes.
        case source((KeyStrategy) -> any CopySource)
        /// A closure that writes them.
        case writer(columns: [String], (RowSink) async throws -> Void)
    }

    let origin: Origin

    /// Takes `Codable` rows.
    ///
    /// The columns are the keys of the first row.
    ///
    /// - Parameter rows: The rows.
    @_disfavoredOverload
    @inlinable
    public init<Source: Sequence>(_ rows: Source) where Source.Element: Encodable {
        self.init(feed: { keyStrategy in
            let writer = CodableRowEncoder(keyStrategy)
            var iterator = rows.makeIterator()
            var first: Source.Element?
            return RowFeed(writer) {
                first = iterator.next()
                if let first { try writer.probe(first) }
                return first != nil
            } fill: {
                // This loop is compiled where the type of the rows is known.
                var local = iterator
                defer { iterator = local }
                if let row = first.take() { try writer.encode(row) }
                while writer.hasRoom {
                    guard let row = local.next() else { return false }
                    try writer.encode(row)
                }
                return true
            }
        })
    }

    /// Takes rows that write themselves.
    ///
    /// - Parameter rows: The rows.
    @inlinable
    public init<Source: Sequence>(_ rows: Source) where Source.Element: RowEncodable {
        self.init(feed: { _ in
            let writer = DirectRowEncoder(Source.Element.columns)
            var iterator = rows.makeIterator()
            var first: Source.Element?
            return RowFeed(writer) {
                first = iterator.next()
                if let row = first { try writer.probe { try row.encode(to: &$0) } }
                return first != nil
            } fill: {
                var local = iterator
                defer { iterator = local }
                if let row = first.take() { try writer.write { try row.encode(to: &$0) } }
                while writer.hasRoom {
                    guard let row = local.next() else { return false }
                    try writer.write { try row.encode(to: &$0) }
                }
                return true
            }
        })
    }

    /// Takes `Codable` rows as they arrive.
    ///
    /// The columns are the keys of the first row.
    ///
    /// - Parameter rows: The rows.
    @_disfavoredOverload
    public init<Source: AsyncSequence>(_ rows: Source) where Source.Element: Encodable {
        origin = .source { keyStrategy in
            let writer = CodableRowEncoder(keyStrategy)
            return AsyncSource(rows, writer, probe: { try writer.probe($0) }, write: { try writer.encode($0) })
        }
    }

    /// Takes rows that write themselves, as they arrive.
    ///
    /// - Parameter rows: The rows.
    public init<Source: AsyncSequence>(_ rows: Source) where Source.Element: RowEncodable {
        origin = .source { _ in
            let writer = DirectRowEncoder(Source.Element.columns)
            return AsyncSource(
                rows,
                writer,
                probe: { row in try writer.probe { try row.encode(to: &$0) } },
                write: { row in try writer.write { try row.encode(to: &$0) } }
            )
        }
    }

    /// Takes rows that a closure writes.
    ///
    /// - Parameters:
    ///   - columns: The exact names of the columns, in the order in which the values of a row are appended.
    ///   - write: Writes the rows. When it throws, nothing has happened, and the operation throws that error.
    public init(columns: [String], write: @escaping (RowSink) async throws -> Void) {
        origin = .writer(columns: columns, write)
    }

    @usableFromInline
    init(feed: @escaping (KeyStrategy) -> RowFeed) {
        origin = .source { SequenceSource(feed($0)) }
    }

    /// Takes a source of COPY data.
    ///
    /// - Parameter source: The source.
    package init(source: some CopySource) {
        origin = .source { _ in source }
    }
}

/// What rows are written with: it owns the writer, and knows what the first row does not have to tell.
@usableFromInline
class RowEncoder {
    @usableFromInline let writer: UnsafeMutablePointer<RowWriter>
    /// The columns that are known before there is a row.
    let knownColumns: [String]?

    static func makeWriter(_ names: [String]) -> UnsafeMutablePointer<RowWriter> {
        let writer = UnsafeMutablePointer<RowWriter>.allocate(capacity: 1)
        writer.initialize(to: RowWriter(names: names))
        return writer
    }

    /// - Parameters:
    ///   - writer: The writer, which is released with the encoder.
    ///   - knownColumns: The columns that are known before there is a row.
    init(_ writer: UnsafeMutablePointer<RowWriter>, knownColumns: [String]?) {
        self.writer = writer
        self.knownColumns = knownColumns
    }

    deinit {
        writer.deinitialize(count: 1)
        writer.deallocate()
    }

    /// Whether there is room for another row before what is written should be sent.
    @usableFromInline var hasRoom: Bool {
        writer.pointee.buffer.count < chunkSize
    }
}

/// Writes rows that write themselves.
@usableFromInline
final class DirectRowEncoder: RowEncoder {
    @usableFromInline
    init(_ columns: [String]) {
        super.init(Self.makeWriter(columns), knownColumns: columns)
    }

    @usableFromInline
    func probe(_ encode: (inout RowWriter) throws -> Void) throws {
        try writer.pointee.probe(encode)
    }

    /// Writes a row.
    @inlinable
    func write(_ encode: (inout RowWriter) throws -> Void) throws {
        var isWritten = false
        while !isWritten {
            begin()
            do {
                try encode(&writer.pointee)
                try end()
                isWritten = true
            } catch {
                try retry(error)
            }
        }
    }

    @usableFromInline
    func begin() {
        writer.pointee.beginRow()
    }

    @usableFromInline
    func end() throws {
        try writer.pointee.endRow()
    }

    /// Prepares for writing a row once more that failed, or throws its error.
    @usableFromInline
    func retry(_ error: any Error) throws {
        try writer.pointee.retry(error)
    }
}

/// The rows of a sequence, as two functions that know their type.
@usableFromInline
struct RowFeed {
    let encoder: RowEncoder
    let first: () throws -> Bool
    let fill: () throws -> Bool

    /// - Parameters:
    ///   - encoder: What the functions write with.
    ///   - first: Fetches the first row and probes it; false if there is none.
    ///   - fill: Writes rows until there is no more room; false if there are no more rows.
    @usableFromInline
    init(_ encoder: RowEncoder, first: @escaping () throws -> Bool, fill: @escaping () throws -> Bool) {
        self.encoder = encoder
        self.first = first
        self.fill = fill
    }
}

extension RowWriter {
    /// Learns the kinds of values from a row.
    mutating func probe(_ encode: (inout RowWriter) throws -> Void) throws {
        beginProbing()
        try encode(&self)
        if let failure = failureOfProbe(columnCount) { throw failure }
    }

    /// Learns the kinds of values from a row that can be had only once.
    ///
    /// - Parameter encode: Appends the values of the row.
    /// - Returns: What appends them again.
    /// - Throws: What the closure throws; ``BulkSyncError`` if the row has too many values, or too few.
    mutating func record(_ encode: (inout RowWriter) throws -> Void) throws -> (inout RowWriter) throws -> Void {
        recorded = []
        defer { recorded = nil }
        try probe(encode)
        return { [values = recorded ?? []] row in
            for append in values { try append(&row) }
        }
    }

    /// Appends a row.
    @inline(__always)
    mutating func write(_ encode: (inout RowWriter) throws -> Void) throws {
        var isWritten = false
        while !isWritten {
            beginRow()
            do {
                try encode(&self)
                try endRow()
                isWritten = true
            } catch {
                try retry(error)
            }
        }
    }

    /// Prepares for writing a row once more that failed, or throws its error.
    mutating func retry(_ error: any Error) throws {
        if goOnAsText() { return }
        // What failed first may have been caught.
        let reported: any Error = pendingFailure ?? error
        abandonRow()
        throw reported
    }
}

/// The number of bytes after which a source hands over what it has.
let chunkSize = 128 * 1024

/// Rows of a sequence.
struct SequenceSource: CopySource {
    private let feed: RowFeed
    private var hasBegun = false

    init(_ feed: RowFeed) {
        self.feed = feed
    }

    var format: CopyFormat { feed.encoder.writer.pointee.format }
    var rowCount: Int { feed.encoder.writer.pointee.rowCount }

    mutating func begin() async throws -> [String]? {
        try feed.first() ? feed.encoder.writer.pointee.names : feed.encoder.knownColumns
    }

    mutating func prepare(columns: [StagedColumn]) throws {
        feed.encoder.writer.pointee.setTypes(columns)
    }

    mutating func next(into buffer: inout CopyBuffer) async throws -> Bool {
        let writer = feed.encoder.writer
        swap(&writer.pointee.buffer, &buffer)
        defer { swap(&writer.pointee.buffer, &buffer) }
        if !hasBegun {
            hasBegun = true
            writer.pointee.beginCopy()
        }
        let hasMore = try feed.fill()
        if !hasMore { writer.pointee.endCopy() }
        return hasMore
    }

    mutating func takeFormatChange() -> FormatChange? { feed.encoder.writer.pointee.takeFormatChange() }

    func location(ofRow row: Int) -> String? { nil }
}

/// Rows of an asynchronous sequence.
struct AsyncSource<Source: AsyncSequence>: CopySource {
    private var iterator: Source.AsyncIterator
    private let encoder: RowEncoder
    private let probe: (Source.Element) throws -> Void
    private let write: (Source.Element) throws -> Void
    private var first: Source.Element?
    private var hasBegun = false

    init(
        _ rows: Source,
        _ encoder: RowEncoder,
        probe: @escaping (Source.Element) throws -> Void,
        write: @escaping (Source.Element) throws -> Void
    ) {
        iterator = rows.makeAsyncIterator()
        self.encoder = encoder
        self.probe = probe
        self.write = write
    }

    var format: CopyFormat { encoder.writer.pointee.format }
    var rowCount: Int { encoder.writer.pointee.rowCount }

    mutating func begin() async throws -> [String]? {
        first = try await iterator.next(isolation: #isolation)
        guard let first else { return encoder.knownColumns }
        try probe(first)
        return encoder.writer.pointee.names
    }

    mutating func prepare(columns: [StagedColumn]) throws {
        encoder.writer.pointee.setTypes(columns)
    }

    mutating func next(into buffer: inout CopyBuffer) async throws -> Bool {
        let writer = encoder.writer
        swap(&writer.pointee.buffer, &buffer)
        defer { swap(&writer.pointee.buffer, &buffer) }
        if !hasBegun {
            hasBegun = true
            writer.pointee.beginCopy()
            if let row = first.take() { try write(row) }
        }
        while encoder.hasRoom {
            guard let row = try await iterator.next(isolation: #isolation) else {
                writer.pointee.endCopy()
                return false
            }
            try write(row)
        }
        return true
    }

    mutating func takeFormatChange() -> FormatChange? { encoder.writer.pointee.takeFormatChange() }

    func location(ofRow row: Int) -> String? { nil }
}
