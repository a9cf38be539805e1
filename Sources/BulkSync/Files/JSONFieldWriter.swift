/// How a JSON value is written as a field of COPY, which depends on the type of its column.
enum JSONFieldWriter {
    /// A string is its characters, anything else its JSON text.
    case text
    /// The JSON text.
    case json
    /// A JSON array is written as an array of the server.
    case array(ofJSON: Bool)

    /// Chooses by the OID of the column's type.
    init(type: UInt32) {
        switch type {
        case 114, 3802: self = .json
        case 199, 3807: self = .array(ofJSON: true)
        case _ where Self.arrayTypes.contains(type): self = .array(ofJSON: false)
        default: self = .text
        }
    }

    /// The arrays of the types of `pg_type.dat` that values are usually made of; their OIDs never change.
    private static let arrayTypes: Set<UInt32> = [
        1000, 1001, 1002, 1003, 1005, 1007, 1016, 1009, 1014, 1015, 1021, 1022, 1028, 143,  // bool … float8, oid, xml
        1040, 1041, 651, 775, 791, 1561, 1563,  // macaddr, inet, cidr, macaddr8, money, bit, varbit
        1115, 1182, 1183, 1185, 1187, 1270, 1231, 2951,  // times, numeric, uuid
    ]

    /// Writes a value that was found in some bytes.
    @inline(__always)
    func write(_ value: JSONValue, of bytes: UnsafeRawBufferPointer, into buffer: inout CopyBuffer) throws(JSONFault) {
        switch (value.kind, self) {
        case (.missing, _), (.null, _):
            CopyText.appendNull(to: &buffer)
        case (.number, _), (.bool, _):
            buffer.append(UnsafeRawBufferPointer(rebasing: bytes[value.start..<value.end]))
        case (.string, .text), (.string, .array):
            buffer.append(UnsafeRawBufferPointer(rebasing: bytes[(value.start + 1)..<(value.end - 1)]))
        default:
            try writeOther(UnsafeRawBufferPointer(rebasing: bytes[value.start..<value.end]), value.kind, into: &buffer)
        }
    }

    @inline(never)
    private func writeOther(
        _ text: UnsafeRawBufferPointer,
        _ kind: JSONValue.Kind,
        into buffer: inout CopyBuffer
    ) throws(JSONFault) {
        switch (kind, self) {
        case (.escapedString, .text), (.escapedString, .array):
            try JSONString.decode(text) { CopyText.append($0, to: &buffer) }
        case (.array, .array(let ofJSON)):
            try Self.writeArray(text, ofJSON: ofJSON, into: &buffer)
        default:
            for byte in text {
                CopyText.append(byte, to: &buffer)
            }
        }
    }

    /// Writes a JSON array as the server's array literal: `["a", null]` as `{"a",NULL}`.
    private static func writeArray(
        _ text: UnsafeRawBufferPointer,
        ofJSON: Bool,
        into buffer: inout CopyBuffer
    ) throws(JSONFault) {
        var scanner = JSONScanner(text, atEnd: true, line: 1)
        var isFirst = true
        buffer.append(UInt8(ascii: "{"))
        try scanner.array { (element) throws(JSONFault) in
            if !isFirst {
                buffer.append(UInt8(ascii: ","))
            }
            isFirst = false
            let text = UnsafeRawBufferPointer(rebasing: text[element.start..<element.end])
            switch element.kind {
            case .missing, .null: buffer.append(contentsOf: "NULL")
            case .number, .bool: buffer.append(text)
            case .array where !ofJSON: try writeArray(text, ofJSON: ofJSON, into: &buffer)
            case .string where !ofJSON, .escapedString where !ofJSON:
                buffer.append(UInt8(ascii: "\""))
                try JSONString.decode(text) { appendQuoted($0, to: &buffer) }
                buffer.append(UInt8(ascii: "\""))
            default:
                buffer.append(UInt8(ascii: "\""))
                for byte in text {
                    appendQuoted(byte, to: &buffer)
                }
                buffer.append(UInt8(ascii: "\""))
            }
        }
        buffer.append(UInt8(ascii: "}"))
    }

    /// One byte between the quotes of an array literal.
    private static func appendQuoted(_ byte: UInt8, to buffer: inout CopyBuffer) {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            CopyText.append(UInt8(ascii: "\\"), to: &buffer)
        }
        CopyText.append(byte, to: &buffer)
    }
}

extension CopyBuffer {
    /// Appends the UTF-8 of a word.
    fileprivate mutating func append(contentsOf word: StaticString) {
        append(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }
}
