import Foundation
import Testing

@testable import BulkSync

@Suite("A source of rows in a file")
struct FileSourceTests {
    @Test("chooses the format by the name, unless it is told")
    func format() async throws {
        #expect(FileFormat(path: "/a.b/c.CSV") == .csv())
        #expect(FileFormat(path: "c.tsv") == .tsv())
        #expect(FileFormat(path: "c.ndjson") == .jsonLines)
        #expect(FileFormat(path: "c.jsonl") == .jsonLines)
        #expect(FileFormat(path: "c.json") == .jsonLines)
        #expect(FileFormat(path: "c.bin") == .binary)
        #expect(FileFormat(path: "/a.csv/c") == nil)
        #expect(FileFormat(path: "csv") == nil)
        #expect(FileFormat(path: "") == nil)
        var source = FileRows(path: "rows.dat").source()
        let error = await #expect(throws: BulkSyncError.self) { try await source.begin() }
        #expect(error?.code == .invalidArgument)
    }

    @Test("starts at the beginning of a path each time, and tells how far it is")
    func path() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).csv")
        defer { try? FileManager.default.removeItem(at: file) }
        let text = "a,b\n" + String(repeating: "1,\"x\ny\"\n", count: 50_000)
        try text.write(to: file, atomically: true, encoding: .utf8)
        let bytes = Counter()
        var rows = FileRows(path: file.path)
        rows.onRead = { bytes.value = $0 }
        for _ in 0..<2 {
            var source = rows.source()
            #expect(try await source.begin() == ["a", "b"])
            try source.prepare(columns: ["a", "b"].map { StagedColumn(name: $0, type: 25) })
            var buffer = CopyBuffer()
            while try await source.next(into: &buffer) { buffer.removeAll() }
            #expect(source.rowCount == 50_000)
            #expect(source.location(ofRow: 50_000) == "line 100000 of \(file.lastPathComponent)")
            #expect(bytes.value == text.utf8.count)
        }
    }

    @Test("is refused where it cannot be read")
    func unreadable() async throws {
        var missing = FileRows(path: "/no/such/file.csv").source()
        let first = await #expect(throws: BulkSyncError.self) { try await missing.begin() }
        #expect(first?.code == .undefinedFile)
        var directory = FileRows(path: NSTemporaryDirectory(), format: .csv()).source()
        let second = await #expect(throws: BulkSyncError.self) { try await directory.begin() }
        #expect(second?.code == .unreadableFile)
        var closed = FileRows(descriptor: 9999, format: .csv()).source()
        let third = await #expect(throws: BulkSyncError.self) { try await closed.begin() }
        #expect(third?.code == .unreadableFile)
    }

    @Test("reads a pipe as it is filled, and stops waiting when it is cancelled")
    func pipe() async throws {
        let pipe = Pipe()
        let rows = FileRows(descriptor: pipe.fileHandleForReading.fileDescriptor, format: .csv())
        let reading = Task {
            var source = rows.source()
            _ = try await source.begin()
            try source.prepare(columns: [StagedColumn(name: "a", type: 25)])
            var buffer = CopyBuffer()
            while try await source.next(into: &buffer) {}
            return source.rowCount
        }
        for index in 0..<20 {
            try pipe.fileHandleForWriting.write(contentsOf: Data(index == 0 ? "a\n".utf8 : "1\n".utf8))
            try await Task.sleep(for: .milliseconds(5))
        }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }

        let second = Task {
            var source = rows.source()
            _ = try await source.begin()
            try source.prepare(columns: [StagedColumn(name: "a", type: 25)])
            var buffer = CopyBuffer()
            while try await source.next(into: &buffer) {}
            return source.rowCount
        }
        try pipe.fileHandleForWriting.write(contentsOf: Data("a\n1\n".utf8))
        try await Task.sleep(for: .milliseconds(20))
        try pipe.fileHandleForWriting.write(contentsOf: Data("2\n".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try await second.value == 2)
    }

    @Test("ends with the error of a stream that fails")
    func failingStream() async throws {
        struct Broken: Error {}
        let stream = AsyncThrowingStream<[UInt8], any Error> { continuation in
            continuation.yield(Array("a\n1\n".utf8))
            continuation.finish(throwing: Broken())
        }
        var source = FileRows(chunks: stream, format: .csv()).source()
        _ = try await source.begin()
        try source.prepare(columns: [StagedColumn(name: "a", type: 25)])
        var buffer = CopyBuffer()
        _ = try await source.next(into: &buffer)
        await #expect(throws: Broken.self) { try await source.next(into: &buffer) }
    }

    @Test("knows the lines of the last rows, however many there are")
    func lineMap() {
        var lines = LineMap()
        for row in 1...300_000 {
            lines.note(row: row, line: 2 * row)
        }
        #expect(lines.line(ofRow: 300_000) == 600_000)
        #expect(lines.line(ofRow: 250_000) == 500_000)
        #expect(lines.line(ofRow: 1) == nil)
        var plain = LineMap()
        for row in 1...300_000 {
            plain.note(row: row, line: row < 1000 ? row + 1 : row + 3)
        }
        #expect(plain.line(ofRow: 1) == 2)
        #expect(plain.line(ofRow: 999) == 1000)
        #expect(plain.line(ofRow: 1000) == 1003)
        #expect(plain.line(ofRow: 300_000) == 300_003)
        #expect(LineMap().line(ofRow: 1) == nil)
    }

    @Test("splits an object of the server and leaves its values as they are")
    func members() {
        let members = jsonMembers(#"{"a": 1.10, "b\"": "x\u00e9", "c": {"d": [1]}, "e": null}"#)
        #expect(members.map(\.name) == ["a", "b\"", "c", "e"])
        #expect(members.map(\.value) == ["1.10", #""x\u00e9""#, #"{"d": [1]}"#, "null"])
        #expect(jsonMembers("[]").isEmpty)
    }
}

/// A number that tests hand to a closure.
private final class Counter: @unchecked Sendable {
    var value = 0
}
