/// How the fields of a CSV file are written.
struct CSVFields: FieldReader, ~Copyable {
    private let quote: UInt8?
    private let null: [UInt8]

    /// The meaning of each byte in a field without quotes, and between quotes.
    private let unquoted = ByteTable()
    private let quoted = ByteTable()

    /// Takes the options, or refuses those that exclude each other.
    static func make(_ options: FileFormat.CSVOptions) throws(BulkSyncError) -> CSVFields {
        let delimiter = try byte(options.delimiter, "delimiter")
        let quote: UInt8? = if let quote = options.quote { try byte(quote, "quote") } else { nil }
        if delimiter == quote {
            throw BulkSyncError(code: .invalidArgument, message: "the delimiter and the quote are the same character")
        }
        let excluded = [delimiter, quote, UInt8(ascii: "\n"), UInt8(ascii: "\r")].compactMap(\.self)
        if options.null.utf8.contains(where: excluded.contains) {
            throw BulkSyncError(
                code: .invalidArgument,
                message: "the text for NULL holds a delimiter, a quote or a line end"
            )
        }
        return CSVFields(delimiter: delimiter, quote: quote, null: Array(options.null.utf8))
    }

    private init(delimiter: UInt8, quote: UInt8?, null: [UInt8]) {
        self.quote = quote
        self.null = null
        unquoted[delimiter] = ByteMeaning.delimiter
        if let quote {
            unquoted[quote] = ByteMeaning.quote
            quoted[quote] = ByteMeaning.quote
        }
    }

    /// A semicolon, a tab or a comma that is no delimiter; nil if the first name is quoted, which is meant as it stands.
    func otherDelimiter(in line: UnsafeRawBufferPointer) -> Character? {
        if let quote, line.first == quote { return nil }
        return ([";", "\t", ","] as [Character]).first { character in
            character.asciiValue.map { line.contains($0) && unquoted[$0] != ByteMeaning.delimiter } ?? false
        }
    }

    /// The byte that an option names.
    private static func byte(_ character: Character, _ option: String) throws(BulkSyncError) -> UInt8 {
        // "\r\n" is one character with an ASCII value, too.
        guard let byte = character.asciiValue, !character.isNewline, byte != 0 else {
            throw BulkSyncError(code: .invalidArgument, message: "the \(option) is not one ASCII character")
        }
        return byte
    }

    /// Copies one field and passes what ends it.
    ///
    /// Returns what that is, and whether the field stands for NULL.
    @inline(__always)
    func copyField(
        _ cursor: inout FieldCursor,
        into buffer: inout CopyBuffer
    ) throws(FieldFault) -> (FieldCursor.End, isNull: Bool) {
        if !cursor.isEmpty, cursor.bytes[cursor.position] == quote {
            return (try copyQuoted(&cursor, into: &buffer), false)
        }
        let start = cursor.position
        while true {
            let run = cursor.position
            let meaning = cursor.skipOrdinary(unquoted)
            buffer.append(cursor.bytes(from: run))
            switch meaning {
            case ByteMeaning.delimiter, ByteMeaning.lineFeed, ByteMeaning.carriageReturn, ByteMeaning.end:
                let isNull = cursor.reads(null, from: start)
                return (end(&cursor, meaning), isNull)
            case ByteMeaning.quote:
                throw .quoteInside
            default:
                guard try copySpecial(&cursor, into: &buffer) else { return (.cutOff, false) }
            }
        }
    }

    /// Passes the byte that ends a field.
    @inline(__always)
    private func end(_ cursor: inout FieldCursor, _ meaning: UInt8) -> FieldCursor.End {
        switch meaning {
        case ByteMeaning.delimiter:
            cursor.position += 1
            return .delimiter
        case ByteMeaning.end:
            return cursor.isAtEnd ? .fileEnd : .cutOff
        default:
            return cursor.passLineEnd() ? .lineEnd : .cutOff
        }
    }

    /// Copies a quoted field.
    private func copyQuoted(
        _ cursor: inout FieldCursor,
        into buffer: inout CopyBuffer
    ) throws(FieldFault) -> FieldCursor.End {
        let line = cursor.line
        cursor.position += 1
        while true {
            let run = cursor.position
            let meaning = cursor.skipOrdinary(quoted)
            buffer.append(cursor.bytes(from: run))
            switch meaning {
            case ByteMeaning.quote:
                cursor.position += 1
                if cursor.isEmpty { return cursor.isAtEnd ? .fileEnd : .cutOff }
                let next = unquoted[cursor.bytes[cursor.position]]
                switch next {
                case ByteMeaning.quote:
                    CopyText.append(cursor.bytes[cursor.position], to: &buffer)
                    cursor.position += 1
                case ByteMeaning.delimiter, ByteMeaning.lineFeed, ByteMeaning.carriageReturn:
                    return end(&cursor, next)
                default:
                    throw .textAfterQuote
                }
            case ByteMeaning.lineFeed, ByteMeaning.carriageReturn:
                let start = cursor.position
                guard cursor.passLineEnd() else { return .cutOff }
                for byte in cursor.bytes(from: start) {
                    CopyText.append(byte, to: &buffer)
                }
            case ByteMeaning.end:
                guard cursor.isAtEnd else { return .cutOff }
                throw .unclosedQuote(line: line)
            default:
                guard try copySpecial(&cursor, into: &buffer) else { return .cutOff }
            }
        }
    }

    /// Copies what has to be escaped or checked.
    ///
    /// Returns false if it is cut off.
    @inline(never)
    private func copySpecial(
        _ cursor: inout FieldCursor,
        into buffer: inout CopyBuffer
    ) throws(FieldFault) -> Bool {
        let byte = cursor.bytes[cursor.position]
        if byte >= 0x80 {
            return try cursor.copyBeyondASCII(into: &buffer)
        }
        if byte == 0 {
            throw .zeroByte
        }
        CopyText.append(byte, to: &buffer)
        cursor.position += 1
        return true
    }

    /// In CSV no line ends the data.
    @inline(__always)
    func passEndOfData(_ cursor: inout FieldCursor) -> Bool? {
        nil
    }
}
