/// A position in the bytes of a file of lines and fields.
struct FieldCursor {
    /// How a field can end.
    enum End {
        case delimiter
        case lineEnd
        case fileEnd
        /// The end is not there yet.
        case cutOff
    }

    /// The bytes that are there.
    let bytes: UnsafeRawBufferPointer
    /// Whether the file ends with them.
    let isAtEnd: Bool
    /// The byte to look at next.
    var position = 0
    /// The line that it is in, from 1.
    var line: Int

    init(_ bytes: UnsafeRawBufferPointer, atEnd: Bool, line: Int) {
        self.bytes = bytes
        isAtEnd = atEnd
        self.line = line
    }

    /// Whether no byte is left.
    var isEmpty: Bool {
        position == bytes.count
    }

    /// Goes on to the next byte that means something.
    @inline(__always)
    mutating func skipOrdinary(_ table: borrowing ByteTable) -> UInt8 {
        let count = bytes.count
        var position = position
        while position < count {
            let meaning = table[bytes[position]]
            if meaning != ByteMeaning.ordinary {
                self.position = position
                return meaning
            }
            position += 1
        }
        self.position = position
        return ByteMeaning.end
    }

    /// Goes past the line end at the position, if all of it is there: LF, CRLF or CR.
    @inline(__always)
    mutating func passLineEnd() -> Bool {
        if bytes[position] == UInt8(ascii: "\r") {
            if position + 1 == bytes.count {
                if !isAtEnd { return false }
            } else if bytes[position + 1] == UInt8(ascii: "\n") {
                position += 1
            }
        }
        position += 1
        line += 1
        return true
    }

    /// Copies the characters beyond ASCII at the position.
    ///
    /// Returns false if the last one is cut off.
    mutating func copyBeyondASCII(into buffer: inout CopyBuffer) throws(FieldFault) -> Bool {
        let start = position
        switch UTF8Check.run(bytes, from: start) {
        case .valid(let count):
            position += count
            buffer.append(bytes(from: start))
            return true
        case .incomplete where !isAtEnd:
            return false
        case .incomplete, .invalid:
            throw .encoding
        }
    }

    /// The bytes from a position to this one.
    @inline(__always)
    func bytes(from start: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    /// Whether the bytes from a position to this one are these.
    @inline(__always)
    func reads(_ text: [UInt8], from start: Int) -> Bool {
        position - start == text.count && bytes(from: start).elementsEqual(text)
    }
}

/// What a byte can mean to a parser; everything that means nothing is copied in runs.
enum ByteMeaning {
    static let ordinary: UInt8 = 0
    static let delimiter: UInt8 = 1
    static let quote: UInt8 = 2
    static let lineFeed: UInt8 = 3
    static let carriageReturn: UInt8 = 4
    static let backslash: UInt8 = 5
    static let tab: UInt8 = 6
    static let zero: UInt8 = 7
    static let beyondASCII: UInt8 = 8
    /// No byte is left.
    static let end: UInt8 = 9
}

/// The meaning of each byte.
struct ByteTable: ~Copyable {
    private let meanings = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)

    /// Makes the table of a text where nothing but the text format of COPY gives a byte a meaning.
    init() {
        meanings.initialize(repeating: ByteMeaning.ordinary, count: 256)
        self[0] = ByteMeaning.zero
        self[UInt8(ascii: "\n")] = ByteMeaning.lineFeed
        self[UInt8(ascii: "\r")] = ByteMeaning.carriageReturn
        self[UInt8(ascii: "\\")] = ByteMeaning.backslash
        self[UInt8(ascii: "\t")] = ByteMeaning.tab
        for byte in UInt8(0x80)...0xFF {
            self[byte] = ByteMeaning.beyondASCII
        }
    }

    deinit {
        meanings.deallocate()
    }

    @inline(__always)
    subscript(byte: UInt8) -> UInt8 {
        get { meanings[Int(byte)] }
        nonmutating set { meanings[Int(byte)] = newValue }
    }
}
