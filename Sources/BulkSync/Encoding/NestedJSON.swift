import Foundation

/// How a nested value is written into a `json` or `jsonb` column: dates as ISO 8601 text, which SQL can read, bytes as
/// Base64.
///
/// The keys stay as they are.
enum NestedJSON {
    static let encoder = makeEncoder()

    /// An encoder for an array of keys: bytes as the server writes them, and columns for properties.
    static func keyEncoder(_ keyStrategy: KeyStrategy) -> JSONEncoder {
        let encoder = makeEncoder()
        encoder.dataEncodingStrategy = .custom { data, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(RowWriter.text(data))
        }
        if keyStrategy != .propertyNames {
            encoder.keyEncodingStrategy = .custom { path in
                guard let key = path.last else { preconditionFailure("a key has a path") }
                // The first step is the index in the array.
                return path.count == 2 ? Name(stringValue: keyStrategy.column(for: key.stringValue)) : key
            }
        }
        return encoder
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static func makeEncoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        // A json column is compared by its text, which must not depend on the order of a hash table.
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
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
    }
}
