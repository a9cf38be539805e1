/// The part of a file that is in memory: whole records are taken from its front, and more bytes are read behind them.
final class InputWindow {
    /// A record may not be longer: the server takes no longer line, nor a longer value.
    static let limit = 1 << 30

    private let input: any ByteInput
    private var memory: UnsafeMutableRawBufferPointer
    private var lower = 0
    private var upper = 0

    /// Whether the last byte of the file is in the window, or was.
    private(set) var isAtEnd = false

    /// The number of bytes read so far.
    private(set) var bytesRead = 0

    /// Makes an empty window.
    ///
    /// - Parameters:
    ///   - input: Where the bytes come from.
    ///   - capacity: The number of bytes to read at a time. The window grows where a record is longer.
    init(_ input: any ByteInput, capacity: Int) {
        self.input = input
        memory = .allocate(byteCount: max(capacity, 1), alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    /// The bytes that are there.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[lower..<upper])
    }

    /// The position in the file of the first of them, from 0.
    var offset: Int {
        bytesRead - (upper - lower)
    }

    /// Takes bytes from the front.
    func drop(_ count: Int) {
        precondition(count <= upper - lower)
        lower += count
    }

    /// Reads at least one byte more, or finds the end.
    ///
    /// Returns false if the record in the window is too long.
    ///
    /// Twice as many bytes as before, or the end, are there afterwards, so that a record that is looked at from its
    /// beginning again and again is not looked at for more than twice its length.
    func fill() async throws -> Bool {
        let present = upper - lower
        let wanted = max(2 * present, 1)
        if present >= Self.limit { return false }
        makeRoom(for: wanted)
        while !isAtEnd && upper - lower < wanted {
            let count = try await input.read(into: UnsafeMutableRawBufferPointer(rebasing: memory[upper...]))
            upper += count
            bytesRead += count
            isAtEnd = count == 0
        }
        return true
    }

    private func makeRoom(for wanted: Int) {
        let present = UnsafeRawBufferPointer(rebasing: memory[lower..<upper])
        if wanted <= memory.count {
            memory.copyMemory(from: present)
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: wanted, alignment: 16)
            larger.copyMemory(from: present)
            memory.deallocate()
            memory = larger
        }
        upper -= lower
        lower = 0
    }
}
