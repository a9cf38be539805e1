import Foundation

/// How a nested value is written into a `json` or `jsonb` column: dates as ISO 8601 text, which SQL can read, bytes as
/// Base64.
///
/// The keys stay as they are.
enum NestedJSON {
    static let encoder = makeEncoder()

    /// Whether there is a NaN outside of texts, which Foundation writes for a Decimal, and which is not JSON.
    static func hasNaN(_ json: Data) -> Bool {
        json.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, memchr(base, Int32(UInt8(ascii: "N")), bytes.count) != nil else {
                return false
            }
            var isText = false
            var isEscaped = false
            for byte in bytes {
                switch byte {
                case _ where isEscaped: isEscaped = false
                case UInt8(ascii: "\\"): isEscaped = true
                case UInt8(ascii: "\""): isText.toggle()
                // No other word outside of texts has an N.
                case UInt8(ascii: "N") where !isText: return true
                default: break
                }
            }
            return false
        }
    }

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
            guard let text = TimestampText.isoText(date) else {
                throw EncodingError.invalidValue(
                    date,
                    EncodingError.Context(codingPath: encoder.codingPath, debugDescription: "the date is out of range")
                )
            }
            try container.encode(text)
        }
        encoder.dataEncodingStrategy = .base64
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN"
        )
        return encoder
    }
}
