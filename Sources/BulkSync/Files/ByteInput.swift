import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the bytes of a file come from.
///
/// Used by one task at a time.
protocol ByteInput: AnyObject {
    /// Fills the front of a buffer with at least one byte, and returns how many; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int
}

/// A file, pipe, terminal or socket.
final class DescriptorInput: ByteInput {
    private let descriptor: CInt
    private let name: String
    private let isOwned: Bool
    /// Reads of a file are short.
    ///
    /// Those of a pipe can last for ever, and must block no thread that others wait for.
    private let isFile: Bool

    /// Opens a file.
    convenience init(path: String) throws(BulkSyncError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unreadable(path, errno: errno)
        }
        self.init(descriptor: descriptor, name: path, isOwned: true)
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw .unreadable(path, errno: EISDIR)
        }
    }

    /// Reads from a descriptor that stays the caller's.
    convenience init(borrowing descriptor: CInt, name: String) {
        self.init(descriptor: descriptor, name: name, isOwned: false)
    }

    private init(descriptor: CInt, name: String, isOwned: Bool) {
        self.descriptor = descriptor
        self.name = name
        self.isOwned = isOwned
        var status = stat()
        isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    deinit {
        if isOwned {
            close(descriptor)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
        try Task.checkCancellation()
        let result = isFile ? Self.readOnce(descriptor, buffer) : await readWhenReady(into: buffer)
        switch result {
        case .success(let count): return count
        case .failure(.cancelled): throw CancellationError()
        case .failure(.errno(let code)): throw BulkSyncError.unreadable(name, errno: code)
        }
    }

    private enum Failure: Error {
        case cancelled
        case errno(CInt)
    }

    private static func readOnce(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Result<Int, Failure> {
        while true {
            let count = Self.read(descriptor, buffer)
            if count >= 0 {
                return .success(count)
            } else if errno != EINTR {
                return .failure(.errno(errno))
            }
        }
    }

    private static func read(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    /// Waits on a thread of its own, and looks ten times a second whether the task was cancelled meanwhile.
    private func readWhenReady(into buffer: UnsafeMutableRawBufferPointer) async -> Result<Int, Failure> {
        // The buffer is left alone by this task until the continuation resumes.
        nonisolated(unsafe) let buffer = buffer
        let descriptor = descriptor
        let isCancelled = Flag()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: Self.waitAndRead(descriptor, buffer, unless: isCancelled))
                }
            }
        } onCancel: {
            isCancelled.raise()
        }
    }

    private static func waitAndRead(
        _ descriptor: CInt,
        _ buffer: UnsafeMutableRawBufferPointer,
        unless isCancelled: Flag
    ) -> Result<Int, Failure> {
        var filled = 0
        while true {
            if isCancelled.isRaised { return .failure(.cancelled) }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // What is there already is worth taking, waiting for more is not: the pieces of a pipe are small.
            let ready = poll(&waiting, 1, filled > 0 ? 0 : 100)
            if ready < 0 && errno != EINTR { return .failure(.errno(errno)) }
            if ready <= 0 {
                if filled > 0 { return .success(filled) }
                continue
            }
            switch readOnce(descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])) {
            case .success(let count):
                filled += count
                if count == 0 || filled == buffer.count { return .success(filled) }
            case .failure(.errno(EAGAIN)): continue
            case .failure(let failure): return filled > 0 ? .success(filled) : .failure(failure)
            }
        }
    }
}

/// A stream of pieces.
final class ChunkInput<Chunks: AsyncSequence>: ByteInput where Chunks.Element: Sequence<UInt8> {
    private var iterator: Chunks.AsyncIterator
    private var rest: ArraySlice<UInt8> = []

    init(_ chunks: Chunks) {
        iterator = chunks.makeAsyncIterator()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
        while rest.isEmpty {
            guard let chunk = try await iterator.next(isolation: #isolation) else { return 0 }
            rest = ArraySlice(chunk)
        }
        let count = min(rest.count, buffer.count)
        buffer.copyBytes(from: rest.prefix(count))
        rest.removeFirst(count)
        return count
    }
}

/// A flag that is raised once, from any thread.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isRaised: Bool {
        value.load(ordering: .relaxed)
    }

    func raise() {
        value.store(true, ordering: .relaxed)
    }
}
