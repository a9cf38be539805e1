import Foundation

/// A program that did not do what it was run for.
struct ProgramFailure: Error, CustomStringConvertible {
    var program: String
    var output: String

    var description: String {
        "\(program) failed: \(output)"
    }
}

/// Runs a program of the path and returns what it printed.
///
/// - Parameters:
///   - program: Its name, or its path.
///   - arguments: Its arguments.
///   - input: What it reads on standard input.
/// - Returns: Its standard output.
/// - Throws: ``ProgramFailure`` if it ends with another status than 0.
func run(_ program: String, _ arguments: [String], input: String = "") throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let standardInput = Pipe()
    let standardOutput = Pipe()
    let standardError = Pipe()
    process.standardInput = standardInput
    process.standardOutput = standardOutput
    process.standardError = standardError
    try process.run()
    standardInput.fileHandleForWriting.write(Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    let output = standardOutput.fileHandleForReading.readDataToEndOfFile()
    let errors = standardError.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ProgramFailure(program: program, output: String(decoding: errors, as: UTF8.self))
    }
    return String(decoding: output, as: UTF8.self)
}

/// Runs SQL by psql, in one session.
func psql(_ sql: String, database: String) throws -> String {
    try run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database], input: sql)
}
