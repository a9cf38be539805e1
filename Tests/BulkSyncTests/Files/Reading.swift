import Foundation
import Testing

@testable import BulkSync

/// What a file source sent, and where its rows came from.
struct Reading: Equatable {
    var columns: [String]?
    var text: String
    var rows: Int
    var places: [String?]

    /// The lines that were sent, without their ends.
    var lines: [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}

/// Bytes in pieces of a size.
struct Pieces: AsyncSequence, Sendable {
    var bytes: [UInt8]
    var size: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        var size: Int

        mutating func next() async -> ArraySlice<UInt8>? {
            if rest.isEmpty { return nil }
            defer { rest = rest.dropFirst(size) }
            return rest.prefix(size)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: bytes[...], size: size)
    }
}

/// Reads a file to its end, with as many columns in the table as the file has, or these.
func read(
    _ bytes: [UInt8],
    _ format: FileFormat,
    columns: [String]? = nil,
    names: [String: String] = [:],
    table: [StagedColumn] = [],
    pieces: Int = 1 << 20
) async throws -> Reading {
    let file = FileRows(
        chunks: Pieces(bytes: bytes, size: pieces),
        name: "test",
        format: format,
        columns: columns,
        names: names
    )
    var source = FileSource(file, readSize: min(pieces, 64 * 1024))
    let columns = try await source.begin()
    let staged = table.isEmpty ? (columns ?? []).map { StagedColumn(name: $0, type: 25) } : table
    try source.prepare(columns: staged)
    var buffer = CopyBuffer()
    while try await source.next(into: &buffer) {}
    let places = (0..<source.rowCount).map { source.location(ofRow: $0 + 1) }
    let text =
        format == .binary ? Data(buffer.bytes).base64EncodedString() : String(decoding: buffer.bytes, as: UTF8.self)
    return Reading(columns: columns, text: text, rows: source.rowCount, places: places)
}

func read(
    _ text: String,
    _ format: FileFormat,
    columns: [String]? = nil,
    names: [String: String] = [:],
    table: [StagedColumn] = [],
    pieces: Int = 1 << 20
) async throws -> Reading {
    try await read(Array(text.utf8), format, columns: columns, names: names, table: table, pieces: pieces)
}

/// The error that reading a file ends with, whatever the pieces it comes in.
func failure(
    _ text: String,
    _ format: FileFormat,
    columns: [String]? = nil,
    names: [String: String] = [:],
    table: [StagedColumn] = []
) async throws -> BulkSyncError {
    try await failure(Array(text.utf8), format, columns: columns, names: names, table: table)
}

func failure(
    _ bytes: [UInt8],
    _ format: FileFormat,
    columns: [String]? = nil,
    names: [String: String] = [:],
    table: [StagedColumn] = []
) async throws -> BulkSyncError {
    var errors: [BulkSyncError] = []
    for pieces in [1, 2, 3, 7, 1 << 20] {
        let error = await #expect(throws: BulkSyncError.self) {
            try await read(bytes, format, columns: columns, names: names, table: table, pieces: pieces)
        }
        errors.append(try #require(error))
    }
    #expect(Set(errors.map(\.message)).count == 1, "the error depends on the pieces: \(errors)")
    return errors[0]
}
