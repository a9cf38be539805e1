public import Foundation

/// A value of a column where its type is known to the server alone: in a scope, or in the key of a change.
///
/// Literals are values: `["company_id": 501, "country": "SE", "active": true, "left_on": nil]`.
public enum SyncValue: Hashable, Sendable {
    /// NULL.
    case null
    /// A boolean.
    case bool(Bool)
    /// An integer.
    case integer(Int64)
    /// A floating-point number.
    case double(Double)
    /// A decimal number, exact up to 38 digits.
    case decimal(Decimal)
    /// A text, or the text of a value of any other type.
    case string(String)
    /// An array.
    case array([SyncValue])
    /// A JSON object.
    case object([String: SyncValue])

    /// A UUID.
    ///
    /// - Parameter value: The UUID.
    /// - Returns: The value.
    public static func uuid(_ value: UUID) -> SyncValue {
        .string(value.uuidString.lowercased())
    }

    /// A point in time, for a column of type `timestamptz`.
    ///
    /// - Parameter value: The date, which is written to the microsecond.
    /// - Returns: The value.
    public static func date(_ value: Date) -> SyncValue {
        .string(TimestampText.text(value) ?? "NaN")
    }
}

extension SyncValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
    /// NULL.
    public init(nilLiteral: ()) {
        self = .null
    }

    /// A boolean.
    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }

    /// An integer.
    public init(integerLiteral value: Int64) {
        self = .integer(value)
    }

    /// A number, written by the fewest digits that tell it from others.
    public init(floatLiteral value: Double) {
        self = .double(value)
    }

    /// A text.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension SyncValue: Codable {
    /// Reads a JSON value.
    ///
    /// A number without a fraction is an integer where 64 bits hold it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Decimal.self) {
            self = .decimal(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([SyncValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: SyncValue].self))
        }
    }

    /// Writes a JSON value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .decimal(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension SyncValue: CustomStringConvertible {
    /// The value as text; a text without quotes.
    public var description: String {
        switch self {
        case .null: "NULL"
        case .bool(let value): String(value)
        case .integer(let value): String(value)
        case .double(let value): String(value)
        case .decimal(let value): value.description
        case .string(let value): value
        case .array(let value): value.description
        case .object(let value): value.description
        }
    }
}
