// The text of a range, as the server's range types read and write it: `[1,5)`.

import Foundation

/// A range of Swift, whatever its bounds.
protocol TextualRange {
    /// The text; nil if the bounds are of a type that has none here.
    var text: String? { get }
}

extension Range: TextualRange {
    /// The server knows no empty range with bounds.
    var text: String? {
        isEmpty ? "empty" : rangeText("[", lowerBound, upperBound, ")")
    }
}

extension ClosedRange: TextualRange {
    var text: String? { rangeText("[", lowerBound, upperBound, "]") }
}

extension PartialRangeFrom: TextualRange {
    var text: String? { rangeText("[", lowerBound, nil, ")") }
}

extension PartialRangeUpTo: TextualRange {
    var text: String? { rangeText("(", nil, upperBound, ")") }
}

extension PartialRangeThrough: TextualRange {
    var text: String? { rangeText("(", nil, upperBound, "]") }
}

private func rangeText<Bound>(_ open: String, _ lower: Bound?, _ upper: Bound?, _ close: String) -> String? {
    var text = open
    if let lower {
        guard let bound = boundText(lower) else { return nil }
        text += bound
    }
    text += ","
    if let upper {
        guard let bound = boundText(upper) else { return nil }
        text += bound
    }
    return text + close
}

private func boundText<Bound>(_ bound: Bound) -> String? {
    switch bound {
    case let bound as any FixedWidthInteger: bound.description
    case let bound as Double: RowWriter.text(bound)
    case let bound as Float: RowWriter.text(bound)
    case let bound as Decimal: bound.description
    case let bound as PostgresDate: quoted(bound.description)
    case let bound as PostgresTime: quoted(bound.description)
    case let bound as Date: TimestampText.text(bound).map(quoted)
    case let bound as UUID: bound.uuidString.lowercased()
    case let bound as String: quoted(bound)
    default: nil
    }
}

private func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}
