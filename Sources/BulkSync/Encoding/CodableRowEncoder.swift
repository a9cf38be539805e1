// How a Codable row becomes a tuple: one encoder for all rows of an operation, which expects the keys in the order of the
// first row and writes each value where it belongs.

import Foundation

/// Encodes rows by their `encode(to:)`.
@usableFromInline
final class CodableRowEncoder: RowEncoder, Encoder {
    let fieldEncoder: FieldEncoder
    private let keyStrategy: KeyStrategy

    /// The keys of the first row, in its order.
    private(set) var keys: [String] = []
    private var indices: [String: Int] = [:]
    private var isProbing = true

    /// Where the value of each column lies in the buffer, for a row whose keys come in another order.
    private var fields: [Range<Int>] = []
    private var isOutOfOrder = false
    private var scratch: [UInt8] = []

    @usableFromInline
    init(_ keyStrategy: KeyStrategy) {
        self.keyStrategy = keyStrategy
        let writer = Self.makeWriter([])
        fieldEncoder = FieldEncoder(writer)
        super.init(writer, knownColumns: nil)
    }

    @usableFromInline var codingPath: [any CodingKey] { [] }
    @usableFromInline var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Learns the columns from the first row.
    @usableFromInline
    func probe(_ row: some Encodable) throws {
        isProbing = true
        writer.pointee.beginProbing()
        try encodeWhole(row)
        if let failure = writer.pointee.failureOfProbe(keys.count) { throw failure }
        if keys.isEmpty { throw writer.pointee.failure("the row encodes no keys, which would name its columns") }
        isProbing = false
        let columns = keys.map(keyStrategy.column)
        for (index, column) in columns.enumerated() where columns[..<index].contains(column) {
            var error = BulkSyncError(
                code: .encoding, message: "two properties of a row are for the column \"\(column)\"")
            error.column = column
            throw error
        }
        writer.pointee.setNames(columns, keys: keys)
    }

    /// Writes a row.
    @usableFromInline
    func encode(_ row: some Encodable) throws {
        var isWritten = false
        while !isWritten {
            writer.pointee.beginRow()
            writer.pointee.expectsOrder = true
            isOutOfOrder = false
            do {
                try encodeWhole(row)
                // Of a value that failed, nothing or a part is there; endRow() tells of the failure.
                if isOutOfOrder, writer.pointee.pendingFailure == nil { try reorder() }
                try writer.pointee.endRow()
                isWritten = true
            } catch {
                try writer.pointee.retry(error)
            }
        }
    }

    @inline(__always)
    private func encodeWhole(_ row: some Encodable) throws {
        do {
            try row.encode(to: self)
        } catch {
            throw writer.pointee.reported(error)
        }
    }

    @usableFromInline
    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(RowContainer<Key>(encoder: self, writer: writer))
    }

    @usableFromInline
    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        RefusingContainer(error: writer.pointee.failure("a row must have keys, as a structure or a dictionary has"))
    }

    @usableFromInline
    func singleValueContainer() -> any SingleValueEncodingContainer {
        WholeRowContainer(encoder: self)
    }

    /// The error for what a row cannot be encoded with; it ends the row, as it cannot be thrown where it is found.
    func refusal(_ message: String, key: String? = nil) -> BulkSyncError {
        writer.pointee.failure(message, column: key.map { keyStrategy.column(for: $0) })
    }

    /// Takes a failure of a value for the row's: the value may be written in part.
    func reported(_ error: any Error) -> BulkSyncError {
        writer.pointee.reported(error)
    }

    /// Makes the column of a key the next one.
    @inline(__always)
    func select(_ key: String) throws(BulkSyncError) {
        let writer = writer
        let column = writer.pointee.column
        if writer.pointee.expectsOrder, column < writer.pointee.columnCount, writer.pointee.keys[column] == key {
            return
        }
        try selectSlowly(key)
    }

    @inline(never)
    private func selectSlowly(_ key: String) throws(BulkSyncError) {
        // The row goes on after an error that it caught: the fields are not whole, and nothing more is written.
        if let failure = writer.pointee.pendingFailure { throw failure }
        if isProbing {
            if indices[key] != nil { throw writer.pointee.failure("the key \"\(key)\" is encoded twice") }
            indices[key] = keys.count
            keys.append(key)
            writer.pointee.noteName(keyStrategy.column(for: key))
            return
        }
        guard let index = indices[key] else {
            throw refusal("the key \"\(key)\" was not in the first row, which tells the columns", key: key)
        }
        if !isOutOfOrder {
            // The values so far are those of the first columns; each begins where the one before it ended.
            isOutOfOrder = true
            writer.pointee.expectsOrder = false
            fields = [Range<Int>](repeating: Self.noField, count: keys.count)
            writer.pointee.locateFields(into: &fields)
        } else {
            closeField()
        }
        if fields[index] != Self.noField {
            throw writer.pointee.failure("the key \"\(key)\" is encoded twice", at: index)
        }
        openField = index
        writer.pointee.column = index
        fields[index] = writer.pointee.buffer.count..<writer.pointee.buffer.count
    }

    private var openField: Int?
    private static let noField = -1 ..< -1

    private func closeField() {
        guard let index = openField else { return }
        fields[index] = fields[index].lowerBound..<writer.pointee.buffer.count
        openField = nil
    }

    /// Puts the values of the row into the order of the columns.
    private func reorder() throws(BulkSyncError) {
        closeField()
        if let missing = fields.firstIndex(where: { $0.isEmpty }) { throw missingKey(missing) }
        let start = writer.pointee.firstField
        scratch.removeAll(keepingCapacity: true)
        let bytes = writer.pointee.buffer.bytes
        for field in fields { scratch.append(contentsOf: bytes[field]) }
        writer.pointee.buffer.truncate(to: start)
        scratch.withUnsafeBytes { writer.pointee.buffer.append($0) }
        writer.pointee.column = keys.count
    }

    private func missingKey(_ index: Int) -> BulkSyncError {
        writer.pointee.failure(
            "the row lacks the key \"\(keys[index])\", which the first row has; encode a NULL by encodeNil or encodeIfPresent",
            at: index
        )
    }
}

extension RowWriter {
    /// Where the first value of the row lies.
    var firstField: Int {
        rowStart + (mode == .binary ? 2 : 0)
    }

    /// Finds where the values of the row lie that are written so far.
    func locateFields(into fields: inout [Range<Int>]) {
        var offset = firstField
        for index in 0..<column {
            var end = offset
            if mode == .binary {
                let length = Int32(bigEndian: buffer.bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
                end += 4 + Int(max(0, length))
            } else {
                let bytes = buffer.bytes
                while end < bytes.count, bytes[end] != UInt8(ascii: "\t") { end += 1 }
                end = min(end + 1, bytes.count)
            }
            fields[index] = offset..<end
            offset = end
        }
    }
}

/// The properties of a row.
private struct RowContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: CodableRowEncoder
    let writer: UnsafeMutablePointer<RowWriter>

    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.appendNull()
    }

    func encode(_ value: Bool, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: String, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: Double, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: Float, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: Int, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: Int8, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: Int16, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: Int32, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: Int64, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: UInt8, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: UInt16, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: UInt32, forKey key: Key) throws { try integer(Int64(value), key) }
    func encode(_ value: UInt64, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: Int128, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }
    func encode(_ value: UInt128, forKey key: Key) throws { try encodeIfPresent(value, forKey: key) }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        do {
            try encoder.fieldEncoder.encode(value)
        } catch {
            throw encoder.reported(error)
        }
    }

    // A property without a value is a column with a NULL, and must not look like a property that is not there.

    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: String?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: Double?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: Float?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try integer(value, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try integer(value.map { Int64($0) }, key) }

    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: Int128?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent(_ value: UInt128?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        try writer.pointee.append(value)
    }

    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        try encoder.select(key.stringValue)
        guard let value else { return try encoder.fieldEncoder.encodeNil(of: Value.self) }
        do {
            try encoder.fieldEncoder.encode(value)
        } catch {
            throw encoder.reported(error)
        }
    }

    @inline(__always)
    private func integer(_ value: Int64?, _ key: Key) throws {
        try encoder.select(key.stringValue)
        if let value {
            try writer.pointee.append(integer: value)
        } else {
            try writer.pointee.null(.integer)
        }
    }

    func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        KeyedEncodingContainer(RefusingKeyedContainer<Nested>(error: refusal(key.stringValue)))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        RefusingContainer(error: refusal(key.stringValue))
    }

    func superEncoder() -> any Encoder {
        RefusingContainer(error: superRefusal("super"))
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        RefusingContainer(error: superRefusal(key.stringValue))
    }

    private func refusal(_ key: String) -> BulkSyncError {
        encoder.refusal(
            "\"\(key)\" is a nested container; encode a nested value instead, which becomes JSON", key: key)
    }

    private func superRefusal(_ key: String) -> BulkSyncError {
        encoder.refusal(
            "superEncoder() is for nested values; a row's class calls super.encode(to:) with its own encoder", key: key)
    }
}

/// A row that encodes another value in its place, as a wrapper does.
private struct WholeRowContainer: SingleValueEncodingContainer {
    let encoder: CodableRowEncoder

    var codingPath: [any CodingKey] { [] }

    private func refuse() throws {
        throw encoder.writer.pointee.failure("a row must have keys, as a structure or a dictionary has")
    }

    func encodeNil() throws { try refuse() }
    func encode(_ value: Bool) throws { try refuse() }
    func encode(_ value: String) throws { try refuse() }
    func encode(_ value: Double) throws { try refuse() }
    func encode(_ value: Float) throws { try refuse() }
    func encode(_ value: Int) throws { try refuse() }
    func encode(_ value: Int8) throws { try refuse() }
    func encode(_ value: Int16) throws { try refuse() }
    func encode(_ value: Int32) throws { try refuse() }
    func encode(_ value: Int64) throws { try refuse() }
    func encode(_ value: UInt) throws { try refuse() }
    func encode(_ value: UInt8) throws { try refuse() }
    func encode(_ value: UInt16) throws { try refuse() }
    func encode(_ value: UInt32) throws { try refuse() }
    func encode(_ value: UInt64) throws { try refuse() }
    func encode(_ value: Int128) throws { try refuse() }
    func encode(_ value: UInt128) throws { try refuse() }
    func encode(_ value: some Encodable) throws { try value.encode(to: encoder) }
}
