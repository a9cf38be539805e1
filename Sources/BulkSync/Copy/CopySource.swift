/// The format of the bytes of a COPY.
package enum CopyFormat: Sendable {
    /// Lines with tabs between the fields, as `COPY … (FORMAT text)` reads them.
    case text
    /// The signature, tuples and trailer that `COPY … (FORMAT binary)` reads; the source writes all of it.
    case binary
}

/// Where, in bytes that are about to be sent, a binary COPY ends and one as text goes on.
package struct FormatChange: Sendable {
    /// The number of bytes before it, the trailer included.
    package var offset: Int
    /// The number of rows before it, since the beginning.
    package var rows: Int
}

/// A column of the staged table, as the server describes it.
package struct StagedColumn: Sendable, Hashable {
    /// The exact name.
    package var name: String
    /// The OID of its type (of the base type, where it is a domain).
    package var type: UInt32

    package init(name: String, type: UInt32) {
        self.name = name
        self.type = type
    }
}

/// Where the bytes of a COPY come from: rows of a program that are encoded, or a file.
///
/// The connection asks `begin` which columns the source fills, stages them, gives it their types by `prepare`, and then
/// calls `next` until it returns false. All calls come from one task, in this order.
package protocol CopySource {
    /// The format of the bytes.
    var format: CopyFormat { get }

    /// Opens the source and tells the columns it fills, by their exact names in the target; nil: those of the target
    /// that can be written, or whatever the first row turns out to hold.
    mutating func begin() async throws -> [String]?

    /// Takes the columns of the staged table, in the order in which the rows must come.
    mutating func prepare(columns: [StagedColumn]) throws

    /// Appends whole rows, about 64 kB of them, and returns whether there may be more.
    mutating func next(into buffer: inout CopyBuffer) async throws -> Bool

    /// Tells where the format changes in the bytes that `next` has just appended, once; nil nearly always.
    mutating func takeFormatChange() -> FormatChange?

    /// The number of rows appended so far.
    var rowCount: Int { get }

    /// Where a row came from, for messages: `line 17 of employees.csv`.
    ///
    /// - Parameter row: The position of the row among those appended, from 1.
    /// - Returns: The place, or nil if there is none to tell.
    func location(ofRow row: Int) -> String?
}

extension CopySource {
    package mutating func takeFormatChange() -> FormatChange? { nil }
}
