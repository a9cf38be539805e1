import ArgumentParser
import BulkSync

/// Does the work of a subcommand: Ctrl-C cancels it, and an error of it is printed and becomes the exit status.
func withExitStatus(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let work = Task { try await body() }
    Interruption.shared.begin { work.cancel() }
    defer { Interruption.shared.end() }
    do {
        try await work.value
    } catch let code as ExitCode {
        throw code
    } catch {
        if let status = Interruption.shared.status, !isAboutCommit(error) {
            // The server's answer to a cancel is no news.
            printLine(status.interruption)
            throw status.exitCode
        }
        printError(error)
        throw ExitStatus(error).exitCode
    }
}

/// Whether the table was changed, or may have been: that outweighs why the work ended.
private func isAboutCommit(_ error: any Error) -> Bool {
    error is OutputError || (error as? BulkSyncError)?.code == .outcomeUnknown
}

/// Prints an error as PostgreSQL's programs do.
private func printError(_ error: any Error) {
    guard let error = (error as? BulkSyncError)?.inOptions else {
        printLine("error: \(error)")
        return
    }
    printLine("error: \(error.message)")
    if let detail = error.detail { printLine("detail: \(detail)") }
    if let hint = error.hint { printLine("hint: \(hint)") }
}
