import Foundation
import Logging
import Synchronization
import Testing

@testable import BulkSync

/// A server that asks for a password and has a certificate for `localhost`.
enum TLSServer {
    static let port = ProcessInfo.processInfo.environment["BULK_SYNC_TLS_PORT"].flatMap { Int($0) }
    static let certificate = ProcessInfo.processInfo.environment["BULK_SYNC_TLS_CERTIFICATE"]
    static let password = ProcessInfo.processInfo.environment["BULK_SYNC_TLS_PASSWORD"]

    static var configuration: BulkSyncClient.Configuration {
        var configuration = BulkSyncClient.Configuration("hostaddr=127.0.0.1 user=postgres dbname=postgres")
        configuration.host = "localhost"
        configuration.port = port
        configuration.password = password
        configuration.sslMode = .verifyFull
        configuration.parameters = ["sslrootcert": certificate ?? ""]
        return configuration
    }
}

@Suite(
    "A server with TLS and passwords",
    .enabled(
        if: TLSServer.port != nil, "needs BULK_SYNC_TLS_PORT, BULK_SYNC_TLS_CERTIFICATE and BULK_SYNC_TLS_PASSWORD")
)
struct TLSTests {
    private func usesTLS(_ client: BulkSyncClient) async throws -> [String] {
        try await client.lines("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    }

    @Test("is verified, and takes a sync")
    func verified() async throws {
        try await BulkSyncClient.withConnection(TLSServer.configuration) { client async throws in
            #expect(try await usesTLS(client) == ["t"])
            _ = try await client.query(
                "CREATE EXTENSION IF NOT EXISTS bulk_sync; DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY)")
            let rows = (1...200_000).lazy.map { ["id": $0] }
            #expect(try await client.sync(rows, into: "t", scope: .all).inserted == 200_000)
            let broken = sequence(first: 0) { $0 + 1 }.lazy.map { ["id": $0 == 5 ? "x" : "\($0)"] }
            let error = try await failure { try await client.sync(broken, into: "t", scope: .all) }
            #expect(error.code == "22P02")
        }
    }

    @Test("is used without TLS if that is asked for")
    func disabled() async throws {
        var configuration = TLSServer.configuration
        configuration.sslMode = .disable
        try await BulkSyncClient.withConnection(configuration) { client async throws in
            #expect(try await usesTLS(client) == ["f"])
        }
    }

    @Test("is refused when its certificate is for another name, or nobody's")
    func refused() async throws {
        var configuration = TLSServer.configuration
        configuration.host = "db.example.com"
        let name = try await failure { try await BulkSyncClient.connect(configuration) }
        #expect(name.code == .unableToConnect)
        configuration = TLSServer.configuration
        configuration.parameters = ["sslrootcert": "/nonexistent"]
        let root = try await failure { try await BulkSyncClient.connect(configuration) }
        #expect(root.code == .unableToConnect)
    }

    @Test("refuses a wrong password, and a missing one, and nobody gets to see it")
    func password() async throws {
        var configuration = TLSServer.configuration
        configuration.password = "wrong-hunter2"
        let wrong = try await failure { try await BulkSyncClient.connect(configuration) }
        #expect(wrong.code == .invalidPassword)
        #expect(!String(describing: wrong).contains("hunter2"))
        #expect(!wrong.message.contains("hunter2"))
        configuration.password = nil
        configuration.parameters["passfile"] = "/nonexistent"
        #expect(try await failure { try await BulkSyncClient.connect(configuration) }.code == .invalidPassword)
    }
}

/// Keeps all that is logged.
final class Journal: Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(journal: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let journal: Journal
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            journal.lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
        }
    }
}

@Suite("The log", .needsServer)
struct LogTests {
    @Test("tells what is done, and holds neither passwords nor values of rows")
    func journal() async throws {
        try await withDatabase(setup: employeeTable) { client async throws in
            let journal = Journal()
            var configuration = client.configuration
            configuration.connectionString = "password=hunter2"
            configuration.logger = journal.logger
            try await BulkSyncClient.withConnection(configuration) { client async throws in
                let rows = [Employee(name: "secret-name", phone: "secret-phone", age: 1)]
                try await client.sync(rows, into: "employee", key: ["name"], scope: .values(["company_id": 501]))
                _ = try await failure {
                    try await client.sync(
                        rows + rows, into: "employee", key: ["name"], scope: .values(["company_id": 501]))
                }
                _ = try await failure { try await client.sync([["age": "secret-age"]], into: "employee", scope: .all) }
            }
            let text = journal.text
            #expect(text.contains("1 inserted, 0 updated, 3 deleted, 0 unchanged"))
            #expect(text.contains("21000"))
            #expect(!text.contains("secret"))
            #expect(!text.contains("hunter2"))
        }
    }
}
