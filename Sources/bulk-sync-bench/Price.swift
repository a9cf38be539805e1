import BulkSync
import Foundation

/// A row of the benchmark, of six columns.
struct Price: Codable, Sendable {
    var sku: String
    var number: Int
    var name: String
    var amount: Double
    var stock: Int32
    var changedAt: Date

    enum CodingKeys: String, CodingKey {
        case sku, number, name, amount, stock
        case changedAt = "changed_at"
    }
}

/// The same row, written by its own hand.
struct DirectPrice: RowEncodable, Sendable {
    static let columns = ["sku", "number", "name", "amount", "stock", "changed_at"]

    var price: Price

    func encode(to row: inout RowWriter) throws {
        try row.append(price.sku)
        try row.append(price.number)
        try row.append(price.name)
        try row.append(price.amount)
        try row.append(price.stock)
        try row.append(price.changedAt)
    }
}

extension Price {
    /// The definition of a table of such rows.
    static let definition = """
        sku text NOT NULL, number bigint NOT NULL, name text NOT NULL, amount double precision NOT NULL,
        stock integer NOT NULL, changed_at timestamptz NOT NULL
        """

    /// The rows with the numbers 1 to `count` in SQL, the same as ``init(number:)`` makes.
    static func selection(_ count: Int) -> String {
        """
        SELECT 'article-' || i AS sku, i AS number, 'Article ' || i || ' of the catalogue' AS name,
               ((i * 37) % 100000)::float8 / 4 AS amount, ((i * 17) % 1000)::int AS stock,
               timestamptz '2024-01-01 00:00+00' + i * interval '1 second' AS changed_at
          FROM generate_series(1::bigint, \(count)) AS i
        """
    }

    /// Makes a row.
    init(number: Int) {
        sku = "article-\(number)"
        self.number = number
        name = "Article \(number) of the catalogue"
        amount = Double((number * 37) % 100_000) / 4
        stock = Int32((number * 17) % 1000)
        changedAt = Date(timeIntervalSince1970: 1_704_067_200 + Double(number))
    }
}
