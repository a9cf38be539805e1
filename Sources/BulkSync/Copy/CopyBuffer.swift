/// The bytes of a COPY on their way to the server: a buffer that grows, is filled by a source and emptied by the
/// connection, and keeps its memory.
package struct CopyBuffer: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int

    /// The number of bytes in the buffer.
    package private(set) var count = 0

    /// Makes an empty buffer.
    ///
    /// - Parameter capacity: The number of bytes that it takes before it grows.
    package init(capacity: Int = 128 * 1024) {
        self.capacity = max(capacity, 64)
        start = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit {
        start.deallocate()
    }

    /// The bytes in the buffer.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Makes room for `additional` bytes behind the present ones.
    @inline(__always)
    package mutating func reserve(_ additional: Int) {
        if additional > capacity - count {
            grow(additional)
        }
    }

    @inline(never)
    private mutating func grow(_ additional: Int) {
        let larger = max(capacity * 2, count + additional)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = moved
        capacity = larger
    }

    /// Appends one byte.
    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Appends bytes.
    @inline(__always)
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        reserve(bytes.count)
        (start + count).copyMemory(from: base, byteCount: bytes.count)
        count += bytes.count
    }

    /// Appends an integer, most significant byte first.
    @inline(__always)
    package mutating func append<Integer: FixedWidthInteger>(bigEndian value: Integer) {
        reserve(MemoryLayout<Integer>.size)
        (start + count).storeBytes(of: value.bigEndian, as: Integer.self)
        count += MemoryLayout<Integer>.size
    }

    /// Writes an integer over bytes that are there already: a length that is known only afterwards.
    @inline(__always)
    package mutating func overwrite<Integer: FixedWidthInteger>(at offset: Int, bigEndian value: Integer) {
        precondition(offset + MemoryLayout<Integer>.size <= count)
        (start + offset).storeBytes(of: value.bigEndian, as: Integer.self)
    }

    /// Makes room between bytes that are there already, for a header that turned out to be longer.
    package mutating func insert(count additional: Int, at offset: Int) {
        precondition(offset <= count)
        reserve(additional)
        // The bytes may be moved over themselves.
        (start + offset + additional).copyMemory(from: start + offset, byteCount: count - offset)
        count += additional
    }

    /// Replaces the last byte: a separator that turned out to be the end of a line.
    @inline(__always)
    package mutating func overwriteLast(_ byte: UInt8) {
        precondition(count > 0)
        start.storeBytes(of: byte, toByteOffset: count - 1, as: UInt8.self)
    }

    /// Forgets the bytes from `length` on: what a row that failed half-way had written.
    package mutating func truncate(to length: Int) {
        precondition(length <= count)
        count = length
    }

    /// Forgets all bytes and keeps the memory.
    package mutating func removeAll() {
        count = 0
    }
}
