// Which types of the server have a binary form that this library writes, and from which Swift values.

/// A type of the server as far as writing goes.
enum FieldType: UInt8, Sendable {
    case bool, int2, int4, int8, oid, float4, float8, numeric
    case text, bytea, uuid, date, time, timestamp, timestamptz, interval, json, jsonb
    /// An array of a type above; see ``ColumnType/element``.
    case array
    /// Any other type: a row that has such a column is written as text.
    case other
}

/// The type of a column.
struct ColumnType: Sendable {
    var field: FieldType
    /// The type of the elements of an array.
    var element: FieldType = .other
    var elementOID: UInt32 = 0

    init(_ oid: UInt32) {
        if let field = Self.scalars[oid] {
            self.field = field
        } else if let elementOID = Self.arrays[oid], let element = Self.scalars[elementOID] {
            field = .array
            self.element = element
            self.elementOID = elementOID
        } else {
            field = .other
        }
    }

    /// The OIDs of the built-in types, which no release changes.
    private static let scalars: [UInt32: FieldType] = [
        16: .bool, 17: .bytea, 20: .int8, 21: .int2, 23: .int4, 25: .text, 26: .oid, 114: .json, 700: .float4,
        701: .float8,
        1042: .text, 1043: .text, 1082: .date, 1083: .time, 1114: .timestamp, 1184: .timestamptz, 1186: .interval,
        1700: .numeric, 2950: .uuid, 3802: .jsonb,
    ]

    /// Array types and the types of their elements.
    private static let arrays: [UInt32: UInt32] = [
        1000: 16, 1001: 17, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1028: 26, 199: 114, 1021: 700, 1022: 701,
        1014: 1042,
        1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1231: 1700, 2951: 2950, 3807: 3802,
    ]
}

/// A Swift value as far as writing goes: what the first row tells about a column.
enum ValueKind: UInt8, Sendable {
    case bool, integer, float, decimal, string, timestamp, uuid, bytes, date, time, interval
    /// A nested value, which is JSON.
    case json
    /// A NULL that does not tell what it could have been.
    case null
    case array
}

/// What the first row tells about a column.
struct ColumnKind: Sendable {
    var kind: ValueKind
    var element: ValueKind = .null
    /// Whether the value is `Codable`, so that a json column can take it whatever it is.
    var isCodable = false
}

extension FieldType {
    /// Whether a value of this kind has a binary form in a column of this type.
    func takes(_ kind: ValueKind) -> Bool {
        switch (kind, self) {
        case (_, .other), (_, .array): false
        case (.null, _): true
        case (.bool, .bool), (.bool, .json), (.bool, .jsonb), (.bool, .text): true
        case (.integer, .int2), (.integer, .int4), (.integer, .int8), (.integer, .oid), (.integer, .float4),
            (.integer, .float8), (.integer, .numeric), (.integer, .text), (.integer, .json), (.integer, .jsonb):
            true
        case (.float, .float4), (.float, .float8), (.float, .numeric), (.float, .text): true
        case (.decimal, .numeric), (.decimal, .text): true
        case (.string, .text), (.string, .json), (.string, .jsonb): true
        case (.timestamp, .timestamptz), (.timestamp, .timestamp), (.timestamp, .date), (.timestamp, .text): true
        case (.uuid, .uuid), (.uuid, .text): true
        case (.bytes, .bytea): true
        case (.date, .date), (.date, .timestamp), (.date, .text): true
        case (.time, .time), (.time, .text), (.interval, .interval), (.interval, .text): true
        case (.json, .json), (.json, .jsonb): true
        default: false
        }
    }
}

extension ColumnType {
    /// Whether values of this kind have a binary form in a column of this type.
    func takes(_ column: ColumnKind) -> Bool {
        switch (field, column.kind) {
        case (.other, _): false
        case (.array, .array): element.takes(column.element)
        case (.array, .null): true
        case (.array, _): false
        case (.json, _) where column.isCodable, (.jsonb, _) where column.isCodable: true
        case (_, let kind): field.takes(kind)
        }
    }

    /// Whether the text of a value of this kind means the value to the server.
    func canMean(_ column: ColumnKind) -> Bool {
        let kind = field == .array && column.kind == .array ? column.element : column.kind
        guard (field == .array ? element : field) == .bytea else { return true }
        return [.bytes, .string, .null].contains(kind)
    }
}
