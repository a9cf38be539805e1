/// What ends the reading of JSON before its value does.
enum JSONFault: Error {
    /// The rest is not there yet.
    case cutOff
    /// It is no JSON.
    case malformed(String)
    /// It holds bytes that are no UTF-8.
    case encoding
}

/// A value in JSON text, by its place.
struct JSONValue {
    enum Kind {
        /// No value: the key was not there.
        case missing
        case null
        case bool
        case number
        /// The quotes belong to it; it holds no backslash.
        case string
        case escapedString
        case array
        case object
    }

    var kind = Kind.missing
    var start = 0
    var end = 0
}

/// Finds values in JSON text (RFC 8259) and checks their syntax.
///
/// Nothing is converted: a number keeps all its digits.
struct JSONScanner {
    /// How deep arrays and objects may be nested.
    static let depthLimit = 512

    let bytes: UnsafeRawBufferPointer
    let isAtEnd: Bool
    var position = 0
    /// The line of the position, from 1.
    var line: Int
    /// Where the key of the outermost object begins whose value is being read; nil between members.
    private var keyStart: Int?

    init(_ bytes: UnsafeRawBufferPointer, atEnd: Bool, line: Int) {
        self.bytes = bytes
        isAtEnd = atEnd
        self.line = line
    }

    /// The next byte that is no blank; nil if there is none.
    @inline(__always)
    mutating func peek() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
            case UInt8(ascii: "\n"):
                position += 1
                line += 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// The next byte that is no blank, where there has to be one.
    @inline(__always)
    mutating func need() throws(JSONFault) -> UInt8 {
        if let byte = peek() { return byte }
        throw end
    }

    /// What is wrong if no byte is left.
    private var end: JSONFault {
        isAtEnd ? .malformed("the file ends in the middle of an object") : .cutOff
    }

    /// Passes an object, whose brace is next, and shows each key, with its quotes, and value.
    @inline(__always)
    mutating func object(
        depth: Int = 0,
        _ member: (_ key: JSONValue, _ value: JSONValue) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        position += 1
        if try need() == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            let first = try need()
            if first == UInt8(ascii: "}") { throw .malformed("a comma before the closing brace") }
            guard first == UInt8(ascii: "\"") else { throw .malformed("a key in quotes is missing") }
            let key = try string()
            if depth == 0 { keyStart = key.start }
            guard try need() == UInt8(ascii: ":") else { throw .malformed("a colon is missing after a key") }
            position += 1
            try member(key, value(depth: depth + 1))
            switch try need() {
            case UInt8(ascii: ","):
                position += 1
                if depth == 0 { keyStart = nil }
            case UInt8(ascii: "}"):
                position += 1
                if depth == 0 { keyStart = nil }
                return
            default: throw .malformed("a comma or a closing brace is missing after a value")
            }
        }
    }

    /// The key whose value is being read: where a fault is, for messages.
    var currentKey: String? {
        guard let keyStart else { return nil }
        var scanner = self
        scanner.position = keyStart
        var plain: [UInt8] = []
        guard let key = try? scanner.string(),
            (try? JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[key.start..<key.end]), { plain.append($0) }))
                != nil
        else { return nil }
        return String(decoding: plain, as: UTF8.self)
    }

    /// Passes an array, whose bracket is next, and shows each element.
    @inline(__always)
    mutating func array(depth: Int = 0, _ element: (JSONValue) throws(JSONFault) -> Void) throws(JSONFault) {
        position += 1
        if try need() == UInt8(ascii: "]") {
            position += 1
            return
        }
        while true {
            try element(value(depth: depth + 1))
            switch try need() {
            case UInt8(ascii: ","):
                position += 1
                if try need() == UInt8(ascii: "]") { throw .malformed("a comma before the closing bracket") }
            case UInt8(ascii: "]"):
                position += 1
                return
            default: throw .malformed("a comma or a closing bracket is missing after an element")
            }
        }
    }

    /// Passes the next value.
    mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        let first = try need()
        let start = position
        switch first {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "t"): return try word("true", .bool)
        case UInt8(ascii: "f"): return try word("false", .bool)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < Self.depthLimit else {
                throw .malformed("values are nested more than \(Self.depthLimit) deep")
            }
            if first == UInt8(ascii: "{") {
                try object(depth: depth) { (_, _) throws(JSONFault) in }
                return JSONValue(kind: .object, start: start, end: position)
            }
            try array(depth: depth) { (_) throws(JSONFault) in }
            return JSONValue(kind: .array, start: start, end: position)
        default: throw .malformed("a value is missing, or is no JSON")
        }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONValue.Kind) throws(JSONFault) -> JSONValue {
        let start = position
        for index in 0..<word.utf8CodeUnitCount {
            guard position < bytes.count else { throw end }
            guard bytes[position] == word.utf8Start[index] else { throw .malformed("a value is no JSON") }
            position += 1
        }
        return JSONValue(kind: kind, start: start, end: position)
    }

    private mutating func number() throws(JSONFault) -> JSONValue {
        let start = position
        if bytes[position] == UInt8(ascii: "-") {
            position += 1
        }
        let isZero = position < bytes.count && bytes[position] == UInt8(ascii: "0")
        let count = try digits()
        if isZero && count > 1 { throw .malformed("a number begins with zero") }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            _ = try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            _ = try digits()
        }
        return JSONValue(kind: .number, start: start, end: position)
    }

    /// Passes one or more digits.
    ///
    /// They are not all there unless the byte behind them is, too.
    private mutating func digits() throws(JSONFault) -> Int {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 {
            position += 1
        }
        guard position < bytes.count else { throw end }
        guard position > start else { throw .malformed("a digit is missing in a number") }
        return position - start
    }

    @inline(__always)
    private mutating func string() throws(JSONFault) -> JSONValue {
        let start = position
        var kind = JSONValue.Kind.string
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return JSONValue(kind: kind, start: start, end: position)
            } else if byte == UInt8(ascii: "\\") {
                kind = .escapedString
                try escape()
            } else if byte >= 0x80 {
                try beyondASCII()
            } else if byte < 0x20 {
                throw .malformed(
                    byte == 0x0A || byte == 0x0D
                        ? "a string goes on beyond the end of the line" : "a string holds a control character"
                )
            } else {
                position += 1
            }
        }
        throw end
    }

    @inline(never)
    private mutating func beyondASCII() throws(JSONFault) {
        switch UTF8Check.run(bytes, from: position) {
        case .valid(let count): position += count
        case .incomplete where !isAtEnd: throw .cutOff
        case .incomplete, .invalid: throw .encoding
        }
    }

    @inline(never)
    private mutating func escape() throws(JSONFault) {
        guard position + 1 < bytes.count else { throw end }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            guard position + 6 <= bytes.count else { throw end }
            for index in 2..<6 where JSONString.hexDigit(bytes[position + index]) == nil {
                throw .malformed("\\u is not followed by four hexadecimal digits")
            }
            position += 6
        default: throw .malformed("a backslash in a string is followed by no known letter")
        }
    }
}

/// The characters of a JSON string.
enum JSONString {
    /// The value of a hexadecimal digit.
    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Shows the bytes that a string stands for, whose syntax has been checked, quotes left out.
    static func decode(
        _ quoted: UnsafeRawBufferPointer,
        _ emit: (UInt8) -> Void
    ) throws(JSONFault) {
        var position = 1
        while position < quoted.count - 1 {
            let byte = quoted[position]
            guard byte == UInt8(ascii: "\\") else {
                emit(byte)
                position += 1
                continue
            }
            let letter = quoted[position + 1]
            position += 2
            switch letter {
            case UInt8(ascii: "b"): emit(0x08)
            case UInt8(ascii: "f"): emit(0x0C)
            case UInt8(ascii: "n"): emit(0x0A)
            case UInt8(ascii: "r"): emit(0x0D)
            case UInt8(ascii: "t"): emit(0x09)
            case UInt8(ascii: "u"):
                for byte in try UTF8.encode(character(quoted, &position)) ?? UTF8.EncodedScalar() {
                    emit(byte)
                }
            default: emit(letter)
            }
        }
    }

    /// The character whose four digits are next; of a pair of surrogates, the other one is passed as well.
    private static func character(
        _ quoted: UnsafeRawBufferPointer,
        _ position: inout Int
    ) throws(JSONFault) -> Unicode.Scalar {
        let first = fourDigits(quoted, &position)
        var code = first
        if 0xD800...0xDBFF ~= first, quoted.count - 1 - position >= 6, quoted[position] == UInt8(ascii: "\\"),
            quoted[position + 1] == UInt8(ascii: "u")
        {
            position += 2
            let second = fourDigits(quoted, &position)
            guard 0xDC00...0xDFFF ~= second else { throw .malformed("half of a surrogate pair") }
            code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        }
        guard code != 0 else { throw .malformed("\\u0000, which the server's text cannot hold") }
        guard let scalar = Unicode.Scalar(code) else { throw .malformed("half of a surrogate pair") }
        return scalar
    }

    private static func fourDigits(_ quoted: UnsafeRawBufferPointer, _ position: inout Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 {
            value = value << 4 | (hexDigit(quoted[position + index]) ?? 0)
        }
        position += 4
        return value
    }
}
