/// How the fields of a file in COPY's text format are written.
///
/// They are sent as they are, once they are checked.
struct TSVFields: FieldReader, ~Copyable {
    private let null: [UInt8]
    private let table = ByteTable()

    /// Takes the options, or refuses them.
    static func make(_ options: FileFormat.TSVOptions) throws(BulkSyncError) -> TSVFields {
        if options.null.utf8.contains(where: [UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains) {
            throw BulkSyncError(code: .invalidArgument, message: "the text for NULL holds a tab or a line end")
        }
        return TSVFields(null: Array(options.null.utf8))
    }

    private init(null: [UInt8]) {
        self.null = null
    }

    /// The format has no other delimiter.
    func otherDelimiter(in line: UnsafeRawBufferPointer) -> Character? {
        nil
    }

    /// Passes a line `\.`.
    ///
    /// Returns nil if the line is another, and false if that is not to be seen yet.
    func passEndOfData(_ cursor: inout FieldCursor) -> Bool? {
        let rest = cursor.bytes[cursor.position...]
        guard let second = rest.dropFirst().first else { return cursor.isAtEnd ? nil : false }
        guard second == UInt8(ascii: ".") else { return nil }
        guard let third = rest.dropFirst(2).first else {
            guard cursor.isAtEnd else { return false }
            cursor.position += 2
            return true
        }
        guard third == UInt8(ascii: "\n") || third == UInt8(ascii: "\r") else { return nil }
        cursor.position += 2
        return cursor.passLineEnd()
    }

    /// Copies one field and passes what ends it.
    ///
    /// Returns what that is, and whether the field stands for NULL.
    @inline(__always)
    func copyField(
        _ cursor: inout FieldCursor,
        into buffer: inout CopyBuffer
    ) throws(FieldFault) -> (FieldCursor.End, isNull: Bool) {
        let start = cursor.position
        var isNull = false
        while true {
            let run = cursor.position
            let meaning = cursor.skipOrdinary(table)
            buffer.append(cursor.bytes(from: run))
            switch meaning {
            case ByteMeaning.tab:
                isNull = isNull || cursor.reads(null, from: start)
                cursor.position += 1
                return (.delimiter, isNull)
            case ByteMeaning.lineFeed, ByteMeaning.carriageReturn:
                isNull = isNull || cursor.reads(null, from: start)
                return (cursor.passLineEnd() ? .lineEnd : .cutOff, isNull)
            case ByteMeaning.end:
                isNull = isNull || cursor.reads(null, from: start)
                return (cursor.isAtEnd ? .fileEnd : .cutOff, isNull)
            case ByteMeaning.backslash:
                guard let escape = try passEscape(&cursor, fieldStart: start) else {
                    return (.cutOff, false)
                }
                isNull = escape == .null
                buffer.append(cursor.bytes(from: cursor.position - escape.length))
            case ByteMeaning.beyondASCII:
                guard try cursor.copyBeyondASCII(into: &buffer) else { return (.cutOff, false) }
            default:
                throw .zeroByte
            }
        }
    }

    private enum Escape: Equatable {
        case null
        case character(length: Int)

        var length: Int {
            switch self {
            case .null: 2
            case .character(let length): length
            }
        }
    }

    /// Passes a backslash and what belongs to it.
    ///
    /// Returns nil if it is cut off.
    @inline(never)
    private func passEscape(
        _ cursor: inout FieldCursor,
        fieldStart: Int
    ) throws(FieldFault) -> Escape? {
        let rest = cursor.bytes[cursor.position...]
        // The longest has four bytes; for NULL the end of the field must be in sight.
        if rest.count < 4 && !cursor.isAtEnd { return nil }
        let length = CopyText.escapeLength(rest)
        if length > 0 {
            cursor.position += length
            return .character(length: length)
        }
        if rest.dropFirst().first == UInt8(ascii: "N"), cursor.position == fieldStart {
            let next = rest.dropFirst(2).first.map { table[$0] } ?? ByteMeaning.end
            if [ByteMeaning.tab, ByteMeaning.lineFeed, ByteMeaning.carriageReturn, ByteMeaning.end].contains(next) {
                cursor.position += 2
                return .null
            }
        }
        throw .unknownEscape
    }
}
