import Foundation

/// How a nested value is written into a `json` or `jsonb` column: dates as ISO 8601 text, which SQL can read, bytes as
/// Base64.
///
/// The keys stay as they are.
enum NestedJSON {
    static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            guard let text = TimestampText.text(date) else {
                throw EncodingError.invalidValue(
                    date,
                    EncodingError.Context(codingPath: encoder.codingPath, debugDescription: "the date is out of range")
                )
            }
            try container.encode(
                text.replacing(" ", with: "T", maxReplacements: 1) + (text.hasSuffix("+00") ? ":00" : ""))
        }
        encoder.dataEncodingStrategy = .base64
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN"
        )
        return encoder
    }()
}
