/// What UTF-8 is: the server's rules, which are those of RFC 3629.
enum UTF8Check {
    enum Result {
        /// So many bytes are characters.
        case valid(Int)
        /// The last character is cut off.
        case incomplete
        case invalid
    }

    /// Looks at the run of characters beyond ASCII at a position.
    static func run(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Result {
        var position = start
        while position < bytes.count, bytes[position] >= 0x80 {
            let first = bytes[position]
            let length: Int
            var range: ClosedRange<UInt8> = 0x80...0xBF
            switch first {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, range) = (3, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: length = 3
            case 0xED: (length, range) = (3, 0x80...0x9F)
            case 0xF0: (length, range) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, range) = (4, 0x80...0x8F)
            default: return .invalid
            }
            for index in 1..<length {
                guard position + index < bytes.count else { return .incomplete }
                guard range.contains(bytes[position + index]) else { return .invalid }
                range = 0x80...0xBF
            }
            position += length
        }
        return .valid(position - start)
    }
}
