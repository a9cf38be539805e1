// Which types of the server have a binary form that this library writes, and from which Swift values.

/// A type of the server as far as writing goes.
enum FieldType: UInt8, Sendable {
    case bool, int2, int4, int8, oid, xid, xid8, float4, float8, numeric
    case text, name, bytea, uuid, date, time, timestamp, timestamptz, interval, json, jsonb
    /// Types that are only written as text, and whose input would read another value from the text of some: `bit` reads
    /// the integer 10 as two bits, `"char"` its first digit, `cidr` the network 10.0.0.0; `money` reads a decimal point as
    /// the locale has it.
    case bit, char, money, timetz, inet, cidr, macaddr, macaddr8, tsvector, tsquery, jsonpath
    /// The server's own lists of numbers, whose input takes the text of one number for a list of one.
    case oidvector, int2vector
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
    ///
    /// `cid` is written as `xid` is, and a type of names of objects, as `regclass`, as the OID that it is.
    private static let scalars: [UInt32: FieldType] = [
        16: .bool, 17: .bytea, 18: .char, 19: .name, 20: .int8, 21: .int2, 22: .int2vector, 23: .int4, 24: .oid,
        25: .text, 26: .oid, 28: .xid, 29: .xid, 30: .oidvector, 114: .json, 650: .cidr, 700: .float4, 701: .float8,
        774: .macaddr8, 790: .money,
        829: .macaddr, 869: .inet, 1042: .text, 1043: .text, 1082: .date, 1083: .time, 1114: .timestamp,
        1184: .timestamptz, 1186: .interval, 1266: .timetz, 1560: .bit, 1562: .bit, 1700: .numeric, 2202: .oid,
        2203: .oid, 2204: .oid, 2205: .oid, 2206: .oid, 2950: .uuid, 3614: .tsvector, 3615: .tsquery, 3734: .oid,
        3769: .oid, 3802: .jsonb, 4072: .jsonpath, 4089: .oid, 4096: .oid, 4191: .oid, 5069: .xid8,
    ]

    /// Array types and the types of their elements.
    private static let arrays: [UInt32: UInt32] = [
        199: 114, 271: 5069, 651: 650, 775: 774, 791: 790, 1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21,
        1006: 22, 1007: 23, 1008: 24, 1009: 25, 1011: 28, 1012: 29, 1013: 30, 1014: 1042, 1015: 1043, 1016: 20,
        1021: 700, 1022: 701,
        1028: 26, 1040: 829, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186, 1231: 1700,
        1270: 1266, 1561: 1560, 1563: 1562, 2207: 2202, 2208: 2203, 2209: 2204, 2210: 2205, 2211: 2206, 2951: 2950,
        3643: 3614, 3645: 3615, 3735: 3734, 3770: 3769, 3807: 3802, 4073: 4072, 4090: 4089, 4097: 4096, 4192: 4191,
    ]
}

/// A Swift value as far as writing goes: what the first row tells about a column.
enum ValueKind: UInt8, Sendable {
    case bool, integer, float, decimal, string, timestamp, uuid, bytes, date, time, interval, range
    /// A nested value, which is JSON.
    case json
    /// A NULL that does not tell what it could have been.
    case null
    case array

    /// The value as messages name it.
    var noun: String {
        switch self {
        case .bool: "a boolean"
        case .integer: "an integer"
        case .float: "a floating-point number"
        case .decimal: "a decimal number"
        case .string: "a text"
        case .timestamp: "a Date"
        case .uuid: "a UUID"
        case .bytes: "bytes"
        case .date: "a day"
        case .time: "a time of day"
        case .interval: "an interval"
        case .range: "a range"
        case .json: "a nested value"
        case .null: "a NULL"
        case .array: "an array"
        }
    }
}

/// What the first row tells about a column.
struct ColumnKind: Sendable {
    var kind: ValueKind
    var element: ValueKind = .null
}

/// How a value goes into a column.
enum FieldForm {
    case binary
    /// By its text, which makes the whole COPY one of text.
    case text
    /// Not at all: the server would refuse its text, or read another value from it.
    case none
}

extension FieldType {
    var isJSON: Bool { self == .json || self == .jsonb }

    private var hasBinaryForm: Bool {
        switch self {
        case .bit, .char, .money, .timetz, .other, .inet, .cidr, .macaddr, .macaddr8, .tsvector, .tsquery, .jsonpath,
            .oidvector, .int2vector:
            false
        default: true
        }
    }

    /// How a value of this kind goes into a column of this type.
    func form(of kind: ValueKind) -> FieldForm {
        switch kind {
        case .null: hasBinaryForm ? .binary : .text
        case .string: isText || isJSON ? .binary : .text
        case _ where self == .other: .text
        case .array: self == .array ? .binary : .none
        case .json: isJSON ? .binary : isText ? .text : .none
        // Its text means the value, and for JSON it is a number, a word or a text in quotes.
        case _ where isText || isJSON: kind == .bytes && isText ? .text : .binary
        case .bool: self == .bool ? .binary : .none
        case .integer: isNumber || isCounter ? .binary : self == .bool || self == .money ? .text : .none
        case .float, .decimal: isNumber || isCounter ? .binary : .none
        case .timestamp:
            switch self {
            case .timestamptz, .timestamp, .date: .binary
            case .time, .timetz: .text
            default: .none
            }
        case .date: self == .date || self == .timestamp ? .binary : self == .timestamptz ? .text : .none
        case .time: self == .time ? .binary : self == .timetz || self == .interval ? .text : .none
        case .interval: self == .interval ? .binary : .none
        case .uuid: self == .uuid ? .binary : .none
        case .bytes: self == .bytea ? .binary : .none
        case .range: .none
        }
    }

    private var isText: Bool { self == .text || self == .name }

    private var isNumber: Bool {
        switch self {
        case .int2, .int4, .int8, .float4, .float8, .numeric: true
        default: false
        }
    }

    var isInteger: Bool { self == .int2 || self == .int4 || self == .int8 || isCounter }

    private var isCounter: Bool { self == .oid || self == .xid || self == .xid8 }

    /// The type as messages name it.
    var noun: String {
        switch self {
        case .char: "\"char\""
        case .other: "unknown"
        default: "\(self)"
        }
    }
}

extension ColumnType {
    /// Whether values of this kind have a binary form in a column of this type.
    func takes(_ column: ColumnKind) -> Bool {
        switch (field, column.kind) {
        case (.array, .array): element.form(of: column.element) == .binary
        case (.array, .null): element.form(of: .null) == .binary
        // The elements are whatever JSON makes of them.
        case (.json, .array), (.jsonb, .array): true
        default: field.form(of: column.kind) == .binary
        }
    }
}
