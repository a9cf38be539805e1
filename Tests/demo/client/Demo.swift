import BulkSync
import Foundation

/// The last part of the demo: the feeds that psql has synced, once more from a Swift program.
///
/// Reads `day-1.tsv` and `day-2.tsv` in the working directory; connects as psql does.
@main
struct Demo {
    static func main() async throws {
        let today = try packages(in: "day-1.tsv")
        let tomorrow = try packages(in: "day-2.tsv")

        var configuration = BulkSyncClient.Configuration()
        configuration.keyStrategy = .snakeCase
        try await BulkSyncClient.withConnection(configuration) { client in
            let table: TableName = "package_by_library"
            print("day 1:   ", try await client.sync(today, into: table, key: ["name"], scope: .all))

            let options = SyncOptions(dryRun: true)
            print(
                "dry run: ", try await client.sync(tomorrow, into: table, key: ["name"], scope: .all, options: options))

            print("day 2:   ", try await client.sync(tomorrow, into: table, key: ["name"], scope: .all))
            print("again:   ", try await client.sync(tomorrow, into: table, key: ["name"], scope: .all))

            do {
                try await client.sync([Package](), into: table, key: ["name"], scope: .all)
            } catch let error as BulkSyncError where error.code == .emptyFeed {
                print("nothing: ", error)
            }
        }
    }

    /// The packages of a feed, which is in the text format of COPY.
    static func packages(in path: String) throws -> [Package] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(unescaped)
            return Package(
                name: fields[0] ?? "",
                version: fields[1] ?? "",
                architecture: fields[2],
                section: fields[3],
                installedSize: fields[4].flatMap { Int($0) },
                size: fields[5].flatMap { Int($0) },
                maintainer: fields[6],
                description: fields[7]
            )
        }
    }

    /// The value of a field: `\N` is NULL, and a backslash stands before what would end the field or the line.
    static func unescaped(_ field: Substring) -> String? {
        guard field != #"\N"# else { return nil }
        guard field.contains("\\") else { return String(field) }
        var value = ""
        var rest = field.makeIterator()
        while let character = rest.next() {
            guard character == "\\", let escaped = rest.next() else {
                value.append(character)
                continue
            }
            value.append(["n": "\n", "r": "\r", "t": "\t"][escaped] ?? escaped)
        }
        return value
    }
}

/// A row of the feed, and of the table.
struct Package: Codable, Sendable {
    var name: String
    var version: String
    var architecture: String?
    var section: String?
    var installedSize: Int?
    var size: Int?
    var maintainer: String?
    var description: String?
}
