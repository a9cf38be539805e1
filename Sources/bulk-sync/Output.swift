import Foundation

/// The result could not be printed.
struct OutputError: Error, CustomStringConvertible {
    /// What has come of the work by now, as the beginning of a sentence.
    var outcome: String
    /// Why it could not be printed.
    var reason: String

    var description: String {
        "\(outcome), but the result could not be printed: \(reason)"
    }
}

/// Prints to standard output.
///
/// - Parameters:
///   - data: The bytes.
///   - outcome: What has come of the work by now, for the message if they cannot be printed: on a full disk, for instance.
/// - Throws: ``OutputError``.
func printOutput(_ data: Data, outcome: String) throws(OutputError) {
    do {
        try FileHandle.standardOutput.write(contentsOf: data)
    } catch {
        // Foundation wraps the error of the system in one that speaks of files in general.
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
        let isSystem = underlying.domain == NSPOSIXErrorDomain
        let reason = isSystem ? String(cString: strerror(CInt(underlying.code))) : underlying.localizedDescription
        throw OutputError(outcome: outcome, reason: reason)
    }
}

/// Opens what the shell has closed of the descriptors 0, 1 and 2.
///
/// Else the file or the connection would get such a number, and what is printed would go there. Standard input and
/// output are opened the wrong way round, so that their use fails instead of passing for an empty file or a printed
/// result.
func openStandardDescriptors() {
    for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)] {
        // The lowest number that is free is this one, because those before are open.
        if fcntl(descriptor, F_GETFD) == -1 { _ = open("/dev/null", mode) }
    }
}
