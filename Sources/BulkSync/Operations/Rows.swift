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
    public init<Source: Sequence>(_ rows: Source) where Source.Element: Encodable {
        origin = .source { keyStrategy in
            SequenceSource<Source, CodableEncoding<Source.Element>>(rows, CodableEncoding(keyStrategy))
        }
    }

    /// Takes rows that write themselves.
    ///
    /// - Parameter rows: The rows.
    public init<Source: Sequence>(_ rows: Source) where Source.Element: RowEncodable {
        origin = .source { _ in
            SequenceSource<Source, DirectEncoding<Source.Element>>(rows, DirectEncoding())
        }
    }

    /// Takes `Codable` rows as they arrive.
    ///
    /// The columns are the keys of the first row.
    ///
    /// - Parameter rows: The rows.
    @_disfavoredOverload
    public init<Source: AsyncSequence>(_ rows: Source) where Source.Element: Encodable {
        origin = .source { keyStrategy in
            AsyncSource<Source, CodableEncoding<Source.Element>>(rows, CodableEncoding(keyStrategy))
        }
    }

    /// Takes rows that write themselves, as they arrive.
    ///
    /// - Parameter rows: The rows.
    public init<Source: AsyncSequence>(_ rows: Source) where Source.Element: RowEncodable {
        origin = .source { _ in
            AsyncSource<Source, DirectEncoding<Source.Element>>(rows, DirectEncoding())
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

    /// Takes a source of COPY data.
    ///
    /// - Parameter source: The source.
    package init(source: some CopySource) {
        origin = .source { _ in source }
    }
}

/// How rows of one type become tuples.
protocol RowEncoding<Row>: AnyObject {
    associatedtype Row
    var writer: UnsafeMutablePointer<RowWriter> { get }
    /// The columns that are known before there is a row.
    var knownColumns: [String]? { get }
    /// Learns columns and kinds of values from the first row.
    func probe(_ row: Row) throws
    /// Appends a row.
    func write(_ row: Row) throws
}

/// Rows that encode themselves by `Codable`.
final class CodableEncoding<Row: Encodable>: RowEncoding {
    private let encoder: CodableRowEncoder
    let writer: UnsafeMutablePointer<RowWriter>

    init(_ keyStrategy: KeyStrategy) {
        encoder = CodableRowEncoder(keyStrategy)
        writer = encoder.writer
    }

    var knownColumns: [String]? { nil }

    func probe(_ row: Row) throws { try encoder.probe(row) }
    func write(_ row: Row) throws { try encoder.encode(row) }
}

/// Rows that write themselves.
final class DirectEncoding<Row: RowEncodable>: RowEncoding {
    let writer: UnsafeMutablePointer<RowWriter>

    init() {
        writer = .allocate(capacity: 1)
        writer.initialize(to: RowWriter(names: Row.columns))
    }

    deinit {
        writer.deinitialize(count: 1)
        writer.deallocate()
    }

    var knownColumns: [String]? { Row.columns }

    func probe(_ row: Row) throws {
        try writer.pointee.probe { try row.encode(to: &$0) }
    }

    func write(_ row: Row) throws {
        try writer.pointee.write { try row.encode(to: &$0) }
    }
}

extension RowWriter {
    /// Learns the kinds of values from a row.
    mutating func probe(_ encode: (inout RowWriter) throws -> Void) throws {
        column = 0
        kinds.removeAll()
        try encode(&self)
        if column != columnCount {
            throw failure("the row has \(column) values for \(columnCount) columns", at: min(column, columnCount - 1))
        }
    }

    /// Appends a row.
    @inline(__always)
    mutating func write(_ encode: (inout RowWriter) throws -> Void) throws {
        beginRow()
        do {
            try encode(&self)
            try endRow()
        } catch {
            abandonRow()
            throw error
        }
    }
}

/// The number of bytes after which a source hands over what it has.
let chunkSize = 64 * 1024

/// Rows of a sequence.
struct SequenceSource<Source: Sequence, Encoding: RowEncoding<Source.Element>>: CopySource {
    private var iterator: Source.Iterator
    private let encoding: Encoding
    private var first: Source.Element?
    private var hasBegun = false

    init(_ rows: Source, _ encoding: Encoding) {
        iterator = rows.makeIterator()
        self.encoding = encoding
    }

    var format: CopyFormat { encoding.writer.pointee.format }
    var rowCount: Int { encoding.writer.pointee.rowCount }

    mutating func begin() async throws -> [String]? {
        first = iterator.next()
        guard let first else { return encoding.knownColumns }
        try encoding.probe(first)
        return encoding.writer.pointee.names
    }

    mutating func prepare(columns: [StagedColumn]) throws {
        encoding.writer.pointee.setTypes(columns)
    }

    mutating func next(into buffer: inout CopyBuffer) async throws -> Bool {
        try fill(&buffer)
    }

    private mutating func fill(_ buffer: inout CopyBuffer) throws -> Bool {
        let writer = encoding.writer
        swap(&writer.pointee.buffer, &buffer)
        defer { swap(&writer.pointee.buffer, &buffer) }
        if !hasBegun {
            hasBegun = true
            writer.pointee.beginCopy()
            if let row = first.take() { try encoding.write(row) }
        }
        while writer.pointee.buffer.count < chunkSize {
            guard let row = iterator.next() else {
                writer.pointee.endCopy()
                return false
            }
            try encoding.write(row)
        }
        return true
    }

    func location(ofRow row: Int) -> String? { nil }
}

/// Rows of an asynchronous sequence.
struct AsyncSource<Source: AsyncSequence, Encoding: RowEncoding<Source.Element>>: CopySource {
    private var iterator: Source.AsyncIterator
    private let encoding: Encoding
    private var first: Source.Element?
    private var hasBegun = false

    init(_ rows: Source, _ encoding: Encoding) {
        iterator = rows.makeAsyncIterator()
        self.encoding = encoding
    }

    var format: CopyFormat { encoding.writer.pointee.format }
    var rowCount: Int { encoding.writer.pointee.rowCount }

    mutating func begin() async throws -> [String]? {
        first = try await iterator.next(isolation: #isolation)
        guard let first else { return encoding.knownColumns }
        try encoding.probe(first)
        return encoding.writer.pointee.names
    }

    mutating func prepare(columns: [StagedColumn]) throws {
        encoding.writer.pointee.setTypes(columns)
    }

    mutating func next(into buffer: inout CopyBuffer) async throws -> Bool {
        let writer = encoding.writer
        swap(&writer.pointee.buffer, &buffer)
        defer { swap(&writer.pointee.buffer, &buffer) }
        if !hasBegun {
            hasBegun = true
            writer.pointee.beginCopy()
            if let row = first.take() { try encoding.write(row) }
        }
        while writer.pointee.buffer.count < chunkSize {
            guard let row = try await iterator.next(isolation: #isolation) else {
                writer.pointee.endCopy()
                return false
            }
            try encoding.write(row)
        }
        return true
    }

    func location(ofRow row: Int) -> String? { nil }
}
