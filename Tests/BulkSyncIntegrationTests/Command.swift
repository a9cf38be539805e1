import Foundation

@testable import BulkSync

/// The command `bulk-sync`, run as a process.
struct Command {
    var status: Int32
    var output: String
    var errors: String

    /// The lines that it printed.
    var lines: [String] {
        output.split(separator: "\n").map(String.init)
    }

    /// Where the built command is: next to the tests.
    static var executable: URL {
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
        let tests = bundle ?? Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appendingPathComponent("bulk-sync")
    }

    /// How long the command may run.
    private static let limit = Duration.seconds(120)

    /// Runs the command to its end.
    ///
    /// - Parameters:
    ///   - shell: A line for the shell that runs the command, `"$0"`, with its arguments, `"$@"`; nil: no shell.
    ///   - arguments: The arguments.
    ///   - input: What its standard input holds; nil if it holds nothing and does not end either.
    ///   - client: A client in the database to use.
    ///   - environment: Variables that are set beside those of the tests.
    ///   - onTerminal: Whether standard error is a terminal.
    ///   - signal: What to send, once the closure returns true.
    ///   - condition: Is asked again and again.
    /// - Returns: What it printed, and its exit status.
    /// - Throws: What the closure throws, or the reason why the command cannot be run.
    static func run(
        shell: String? = nil,
        _ arguments: [String],
        input: String? = "",
        in client: BulkSyncClient? = nil,
        environment: [String: String] = [:],
        onTerminal: Bool = false,
        signal: Int32 = 0,
        when condition: () async throws -> Bool = { true }
    ) async throws -> Command {
        let process = Process()
        process.executableURL = shell == nil ? executable : URL(fileURLWithPath: "/bin/sh")
        process.arguments = (shell.map { ["-c", $0, executable.path] } ?? []) + arguments
        var variables = ProcessInfo.processInfo.environment
        variables["TERM"] = "xterm"
        variables["PGDATABASE"] = client?.configuration.database
        process.environment = variables.merging(environment) { $1 }
        let (output, errors, standardInput) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardInput = standardInput
        let terminal = onTerminal ? try Terminal() : nil
        process.standardError = terminal?.inner ?? errors
        try process.run()
        try? terminal?.inner.close()
        // A command that hangs fails its test, and does not hold up the others.
        let watchdog = Task {
            try await Task.sleep(for: limit)
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
        defer { watchdog.cancel() }
        async let text = read(output.fileHandleForReading)
        async let errorText = read(terminal?.outer ?? errors.fileHandleForReading)
        if let input {
            await write(input, to: standardInput.fileHandleForWriting)
        }
        if signal != 0 {
            while try await !condition(), process.isRunning {
                try await Task.sleep(for: .milliseconds(20))
            }
            kill(process.processIdentifier, signal)
        }
        let texts = await (text, errorText)
        await Task.detached { process.waitUntilExit() }.value
        return Command(status: process.terminationStatus, output: texts.0, errors: texts.1)
    }

    private static func read(_ handle: FileHandle) async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                // A terminal ends with an error when the other side is closed.
                var (bytes, buffer): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 1 << 16))
                while case let count = Foundation.read(handle.fileDescriptor, &buffer, buffer.count), count > 0 {
                    bytes += buffer.prefix(count)
                }
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
        }
    }

    /// The command may end before it has read its input.
    private static func write(_ text: String, to handle: FileHandle) async {
        _ = Foundation.signal(SIGPIPE, SIG_IGN)
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                try? handle.write(contentsOf: Data(text.utf8))
                try? handle.close()
                continuation.resume()
            }
        }
    }
}

/// Both ends of a terminal that nobody looks at.
struct Terminal {
    let outer: FileHandle
    let inner: FileHandle

    init() throws {
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        guard descriptor >= 0, let name = Self.unlock(descriptor) else { throw POSIXError(.ENOTTY) }
        outer = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let other = open(name, O_RDWR | O_NOCTTY)
        guard other >= 0 else { throw POSIXError(.ENOTTY) }
        inner = FileHandle(fileDescriptor: other, closeOnDealloc: true)
    }

    /// What `unlockpt` and `ptsname` do, which Swift does not see on Linux.
    private static func unlock(_ descriptor: CInt) -> String? {
        #if os(Linux)
            var (isLocked, number): (CInt, CInt) = (0, 0)
            let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
            guard ioctl(descriptor, setLock, &isLocked) == 0, ioctl(descriptor, getNumber, &number) == 0 else {
                return nil
            }
            return "/dev/pts/\(number)"
        #else
            guard grantpt(descriptor) == 0, unlockpt(descriptor) == 0, let name = ptsname(descriptor) else {
                return nil
            }
            return String(cString: name)
        #endif
    }
}

/// A file that is gone after the closure.
func withFile<Result>(
    _ name: String,
    _ text: String,
    _ body: (String) async throws -> Result
) async throws -> Result {
    try await withFile(name, Data(text.utf8), body)
}

func withFile<Result>(
    _ name: String,
    _ data: Data,
    _ body: (String) async throws -> Result
) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appendingPathComponent(name)
    try data.write(to: file)
    return try await body(file.path)
}
