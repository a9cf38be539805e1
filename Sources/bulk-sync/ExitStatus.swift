import ArgumentParser
import BulkSync

/// What a script can branch on.
enum ExitStatus: Int32, CaseIterable {
    case done = 0
    case different = 1
    case incompleteFeed = 2
    case emptyFeed = 3
    case deleteLimit = 4
    case duplicateKeys = 5
    case outOfScope = 6
    case constraint = 7
    case usage = 64
    case data = 65
    case noInput = 66
    case connection = 69
    case unexpected = 70
    case outputFailure = 73
    case unknownOutcome = 74
    case retryable = 75
    case permission = 77
    case extensionMissing = 78
    case interrupted = 130
    case terminated = 143

    /// Chooses by the kind of error.
    init(_ error: any Error) {
        if error is OutputError {
            self = .outputFailure
            return
        }
        guard let error = error as? BulkSyncError else {
            self = .unexpected
            return
        }
        self = Self.byCode[error.code] ?? Self.byClass[String(error.code.rawValue.prefix(2))] ?? .unexpected
    }

    private static let byCode: [BulkSyncError.Code: ExitStatus] = [
        .incompleteFeed: .incompleteFeed,
        .emptyFeed: .emptyFeed,
        .deleteLimit: .deleteLimit,
        .duplicateKeys: .duplicateKeys,
        .outOfScope: .outOfScope,
        .invalidArgument: .usage,
        .invalidConnectionString: .usage,
        .undefinedFile: .noInput,
        .unreadableFile: .noInput,
        .outcomeUnknown: .unknownOutcome,
        .serializationFailure: .retryable,
        .deadlockDetected: .retryable,
        .lockNotAvailable: .retryable,
        .cancelled: .retryable,
        .insufficientPrivilege: .permission,
        .readOnly: .permission,
        .extensionMissing: .extensionMissing,
        .extensionOutdated: .extensionMissing,
        .adminShutdown: .connection,
        "57P02": .connection,
        "57P03": .connection,
        "25P03": .connection,
        "25P04": .connection,
        "53300": .connection,
        "3D000": .connection,
    ]

    private static let byClass: [String: ExitStatus] = [
        "08": .connection,
        "22": .data,
        "23": .constraint,
        "28": .connection,
        "42": .usage,
    ]

    private var meaning: String {
        switch self {
        case .done: "done, or with compare: compared"
        case .different: "compare --exit-code found differences"
        case .incompleteFeed: "refused: not as many rows as --expect-rows says (SY001)"
        case .emptyFeed: "refused: no rows, and no --allow-empty (SY002)"
        case .deleteLimit: "refused: more deletes than the limits allow (SY003)"
        case .duplicateKeys: "refused: a key twice in the file, or in the table (21000)"
        case .outOfScope: "refused: a row that belongs outside the scope (44000)"
        case .constraint: "refused: a row breaks a constraint of the table (class 23)"
        case .usage: "wrong usage: an option, --dsn, a table or a column that makes no sense"
        case .data: "the file is broken, or a value does not fit its column (class 22)"
        case .noInput: "the file cannot be read"
        case .connection: "no connection, or it was lost and nothing was changed"
        case .unexpected: "any other error"
        case .outputFailure: "the result could not be printed; a sync took place nevertheless"
        case .unknownOutcome: "the connection was lost during COMMIT: run the command again"
        case .retryable: "a conflict, or a timeout: run the command again"
        case .permission: "no privilege, or a read-only server (42501, 25006)"
        case .extensionMissing: "the extension is not installed in the database, or too old"
        case .interrupted: "interrupted by Ctrl-C; the server was told, nothing was changed"
        case .terminated: "the same, by SIGTERM"
        }
    }

    /// All of them, for the help text.
    static var table: String {
        allCases.map { status in
            let number = String(status.rawValue)
            return String(repeating: " ", count: 5 - number.count) + number + "  " + status.meaning
        }.joined(separator: "\n")
    }

    /// What ends the command with this status.
    var exitCode: ExitCode {
        ExitCode(rawValue)
    }
}
