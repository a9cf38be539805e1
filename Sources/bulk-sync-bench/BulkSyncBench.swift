import ArgumentParser
import Foundation

/// Measures the library and the command beside psql, on the same rows and the same server.
///
/// Every method stages the rows and makes the same call, on a table that already holds them: what differs is who makes the
/// bytes and sends them. Timed is the whole, from connecting to closing; a program also starts. The methods take turns,
/// each round beginning with another one, and the ratio is that of the same round.
@main
struct BulkSyncBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk-sync-bench",
        abstract: "Measure the Swift library and the command beside psql.",
        discussion: "The server is the one that PGHOST, PGPORT and PGUSER name; it needs psql and the extension."
    )

    @Option(help: "Rows to send.")
    var rows = 1_000_000

    @Option(help: "Rounds.")
    var rounds = 5

    @Option(help: "The database to make, and to drop afterwards.")
    var database = "bulk_sync_client_bench"

    @Option(help: "The command bulk-sync. Built beside this one unless you say otherwise.")
    var command: String?

    @Option(
        help: ArgumentHelp(
            "A Python with Django, django-bulk-sync, django-bulk-load and psycopg2, to measure them as well.",
            discussion: "Run from the root of the repository. Some minutes a round for 100000 rows."
        )
    )
    var django: String?

    @Flag(help: "Fail when a method misses what is wanted of it.")
    var enforce = false

    func run() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("bulk-sync-bench-\(getpid())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        _ = try psql("DROP DATABASE IF EXISTS \(database);\nCREATE DATABASE \(database);", database: "postgres")
        defer { _ = try? psql("DROP DATABASE \(database) WITH (FORCE);", database: "postgres") }

        let bench = try prepare(directory)
        let server = try psql("SHOW server_version;", database: database).split(separator: "\n").first ?? ""
        print("PostgreSQL \(server); \(rows) rows of six columns, nothing changed; \(rounds) rounds; seconds\n")
        let times = try await measure(bench.methods)
        let missed = report(bench.methods, times)
        if enforce, !missed.isEmpty {
            throw ProgramFailure(program: missed.joined(separator: ", "), output: "not what is wanted")
        }
    }

    private func prepare(_ directory: URL) throws -> Workbench {
        let binaryFile = directory.appendingPathComponent("price.copy").path
        let csvFile = directory.appendingPathComponent("price.csv").path
        _ = try psql(
            """
            CREATE EXTENSION bulk_sync;
            CREATE TABLE price (\(Price.definition));
            INSERT INTO price \(Price.selection(rows));
            ALTER TABLE price ADD PRIMARY KEY (sku);
            VACUUM ANALYZE price;
            \\copy price to '\(binaryFile)' with (format binary)
            \\copy price to '\(csvFile)' with (format csv, header)
            """,
            database: database
        )
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let prices = (1...rows).map(Price.init(number:))
        return Workbench(
            database: database,
            rows: prices,
            directRows: prices.map(DirectPrice.init(price:)),
            binaryFile: binaryFile,
            csvFile: csvFile,
            command: command ?? beside.appendingPathComponent("bulk-sync").path,
            python: django
        )
    }

    /// The times of each method, by round.
    private func measure(_ methods: [Method]) async throws -> [[Double]] {
        var times = methods.map { _ in [Double]() }
        for round in 0..<rounds {
            for turn in methods.indices {
                let index = (turn + round) % methods.count
                let start = ContinuousClock.now
                let seconds = try await methods[index].run()
                times[index].append(seconds ?? (ContinuousClock.now - start) / .seconds(1))
            }
        }
        return times
    }

    /// Prints the table; returns the methods that missed what is wanted of them.
    private func report(_ methods: [Method], _ times: [[Double]]) -> [String] {
        var missed: [String] = []
        print("| method | median | min | max | × peer | wanted |\n| --- | ---: | ---: | ---: | ---: | --- |")
        for (index, method) in methods.enumerated() {
            let mine = times[index]
            var cells = [median(mine), mine.min() ?? 0, mine.max() ?? 0].map { String(format: "%.2f", $0) }
            if let peer = methods.firstIndex(where: { $0.name == method.peer }) {
                let ratio = median(zip(mine, times[peer]).map { $0 / $1 })
                cells.append(String(format: "%.2f", ratio))
                cells.append(method.atMost.map { "at most \($0)" } ?? method.atLeast.map { "at least \($0)" } ?? "")
                if ratio > method.atMost ?? .infinity || ratio < method.atLeast ?? 0 { missed.append(method.name) }
            } else {
                cells += ["", ""]
            }
            print("| \(method.name) | \(cells.joined(separator: " | ")) |")
        }
        return missed
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
