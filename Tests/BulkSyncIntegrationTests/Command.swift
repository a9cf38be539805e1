import Foundation

/// The command `bulk-sync`, run as a process.
struct Command {
    var status: Int32
    var output: String
    var errors: String

    /// Where the built command is: next to the tests.
    static var executable: URL {
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
        let tests = bundle ?? Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appendingPathComponent("bulk-sync")
    }

    /// Runs the command to its end.
    ///
    /// - Parameters:
    ///   - arguments: The arguments.
    ///   - input: What its standard input holds.
    ///   - environment: Variables that are set beside those of the tests, or, if nil, not set.
    ///   - interruptAfter: Waits for this condition, and then sends SIGINT.
    static func run(
        _ arguments: [String],
        input: String? = nil,
        environment: [String: String?] = [:],
        interruptWhen condition: (@Sendable () async throws -> Bool)? = nil
    ) async throws -> Command {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment {
            variables[name] = value
        }
        process.environment = variables
        let (output, errors, standardInput) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = standardInput
        try process.run()
        if condition == nil || input != nil {
            try? standardInput.fileHandleForWriting.write(contentsOf: Data((input ?? "").utf8))
            try standardInput.fileHandleForWriting.close()
        }
        async let outputData = read(output)
        async let errorData = read(errors)
        if let condition {
            while try await !condition(), process.isRunning {
                try await Task.sleep(for: .milliseconds(20))
            }
            process.interrupt()
        }
        let (text, errorText) = await (outputData, errorData)
        await Task.detached { process.waitUntilExit() }.value
        return Command(status: process.terminationStatus, output: text, errors: errorText)
    }

    private static func read(_ pipe: Pipe) async -> String {
        let handle = pipe.fileHandleForReading
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let data = (try? handle.readToEnd()) ?? Data()
                continuation.resume(returning: String(decoding: data, as: UTF8.self))
            }
        }
    }
}
