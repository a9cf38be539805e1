/// The text format of COPY: how characters are escaped in it.
enum CopyText {
    /// The field that stands for NULL.
    @inline(__always)
    static func appendNull(to buffer: inout CopyBuffer) {
        appendEscaped(UInt8(ascii: "N"), to: &buffer)
    }

    /// A backslash and a letter.
    @inline(__always)
    static func appendEscaped(_ letter: UInt8, to buffer: inout CopyBuffer) {
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(letter)
    }

    /// One byte of a value, escaped where it means something to COPY.
    @inline(__always)
    static func append(_ byte: UInt8, to buffer: inout CopyBuffer) {
        switch byte {
        case UInt8(ascii: "\\"): appendEscaped(byte, to: &buffer)
        case UInt8(ascii: "\t"): appendEscaped(UInt8(ascii: "t"), to: &buffer)
        case UInt8(ascii: "\n"): appendEscaped(UInt8(ascii: "n"), to: &buffer)
        case UInt8(ascii: "\r"): appendEscaped(UInt8(ascii: "r"), to: &buffer)
        default: buffer.append(byte)
        }
    }

    /// The length of the escape sequence at the front of some bytes: 2 to 4; 0 if there is none that is known.
    static func escapeLength(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        guard let letter = bytes.dropFirst().first else { return 0 }
        switch letter {
        case UInt8(ascii: "\\"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"),
            UInt8(ascii: "t"), UInt8(ascii: "v"):
            return 2
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            return 1 + bytes.dropFirst().prefix(3).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "7") }.count
        case UInt8(ascii: "x"):
            let digits = bytes.dropFirst(2).prefix(2).prefix { Character(Unicode.Scalar($0)).isHexDigit }.count
            return digits > 0 ? 2 + digits : 0
        default:
            return 0
        }
    }

    /// The characters of a field.
    static func unescape(_ bytes: UnsafeRawBufferPointer) -> String {
        var plain: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            let length = byte == UInt8(ascii: "\\") ? escapeLength(rest) : 0
            plain.append(length > 0 ? character(ofEscape: rest.prefix(length)) : byte)
            rest = rest.dropFirst(max(length, 1))
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func character(ofEscape bytes: Slice<UnsafeRawBufferPointer>) -> UInt8 {
        let rest = String(decoding: bytes.dropFirst(), as: UTF8.self)
        switch rest {
        case "b": return 0x08
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "v": return 0x0B
        case "\\": return UInt8(ascii: "\\")
        default:
            let code = rest.hasPrefix("x") ? Int(rest.dropFirst(), radix: 16) : Int(rest, radix: 8)
            return UInt8(truncatingIfNeeded: code ?? 0)
        }
    }
}
